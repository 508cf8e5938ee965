"""Change fields of a recipe as its user means it: what hangs on a changed field follows, and a note says so.

``Recipe.but`` changes what it is told and nothing else: with fewer epochs or another optimizer, the recipe's own warmup
or momentum might be refused or mean something else. Here

- lengths keep their share of the run if ``train.epochs`` changes, and smaller sides of the training images theirs of
  ``data.size``;
- options that the new model, optimizer or schedule lacks are left out, and so are those of what is switched off;
- the epoch is selected in a way that the held-out images allow.

A given field is never changed: where it does not fit, it is refused as by ``Recipe.but``.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial
from operator import eq, is_, ne
from typing import Any

from assay.base.registry import foreign_options
from assay.data.sides import STEP
from assay.models import MODELS
from assay.models.library import build_library_model
from assay.recipe.data_section import SMALLEST
from assay.recipe.fields import describe_field, section_types
from assay.recipe.recipe import Recipe
from assay.recipe.sections import Sections
from assay.run.lengths import scaled_lengths
from assay.training.optim import OPTIMIZERS
from assay.training.schedule import SCHEDULES

_CONSTRUCTORS: Mapping[str, Mapping[str, Callable[..., Any]]] = {
    "model": MODELS,
    "optim": OPTIMIZERS,
    "schedule": SCHEDULES,
}
_FIXED = ("transfer.whiten", "transfer.freeze_scales")
_SMALL_SIDES = ("train.size", "train.small_size", "train.small_share", "train.small_ramp")
_TRANSFER = tuple(
    name for field in section_types()["transfer"].model_fields if (name := f"transfer.{field}") not in _FIXED
)
_DEPENDENT: tuple[tuple[str, Callable[[Any], bool], tuple[str, ...]], ...] = (
    ("model.pretrained", bool, _TRANSFER),  # from random weights there is nothing to keep, or to change slowly
    # Other networks may have no norms, too many filters in front, or other parameters for another size.
    ("model.name", partial(eq, "fast"), (*_FIXED, *_SMALL_SIDES)),
    ("augment.flip", partial(eq, 0), ("augment.alternate_flip",)),
    ("transfer.freeze", partial(eq, "gradual"), ("transfer.unfreeze_after", "transfer.unfreeze_every")),
    ("model.hidden", bool, ("model.dropout_place",)),
    ("optim.momentum", bool, ("optim.dampening", "optim.nesterov")),
    ("schedule.warmup", bool, ("schedule.warmup_start",)),
    ("loss.teacher", bool, ("loss.temperature", "loss.teacher_weight")),
    ("train.small_size", bool, ("train.small_share", "train.small_ramp")),
    ("train.lookahead", bool, ("train.lookahead_share", "train.lookahead_curve")),
    ("train.ema", partial(is_, None), ("train.lookahead", "train.lookahead_share", "train.lookahead_curve")),
    ("train.lookahead", partial(is_, None), ("train.ema",)),
    ("test.views", partial(ne, "none"), ("test.sure",)),
    ("augment.crop", bool, ("augment.gap",)),
    ("augment.policy", partial(eq, "rand"), ("augment.rand_ops", "augment.rand_magnitude")),
    ("probe.every", bool, ("probe.step_sizes",)),
    ("data.folds", bool, ("data.fold",)),
)
"""a field, whether a value of it switches the thing on, and fields that mean nothing without the thing"""

Following = Iterator[tuple[str, Any, str]]
"""fields that follow: the dotted name, the new value and the reason"""


@dataclass(frozen=True)
class Adapted:
    """A changed recipe.

    Attributes:
        recipe: the recipe after all changes.
        changes: the given fields and those that followed, by dotted name.
        notes: a line for each field that followed.
    """

    recipe: Recipe
    changes: Mapping[str, Any] = field(default_factory=dict)
    notes: tuple[str, ...] = ()


def adapt(recipe: Recipe, given: Mapping[str, Any]) -> Adapted:
    """Change the given fields of a recipe, and those that follow from them.

    Args:
        recipe: the recipe to change.
        given: values under dotted names: ``{"train.epochs": 1}``.

    Raises:
        ValueError: as ``Recipe.but``.
    """
    now = recipe.sections_with(given)
    following = {
        name: (value, why)
        for rule in (_lengths, _sides, _dependent, _foreign, _selection)
        for name, value, why in rule(recipe, now)
        if name not in given and value != recipe.get(name)
    }
    changes = {name: value for name, (value, _) in following.items()} | dict(given)
    notes = tuple(_note(name, recipe.get(name), value, why) for name, (value, why) in following.items())
    return Adapted(recipe.but(changes), changes, notes)


def _lengths(recipe: Recipe, now: Sections) -> Following:
    """Lengths keep their share of the run."""
    for name, value in scaled_lengths(now, now.train.epochs / recipe.train.epochs).items():
        yield name, value, f"the same share of train.epochs {now.train.epochs}"


def _sides(recipe: Recipe, now: Sections) -> Following:
    """Smaller sides of the training images keep their share of the images' side, as far as they stay smaller."""
    old, new = recipe.data.size or now.data.size, now.data.size
    if old is None or new is None or recipe.data.size == new:
        return
    unit, larger = STEP if now.train.small_ramp else 1, new
    for name in ("train.size", "train.small_size"):
        side = now.get(name)
        if side is not None and side == recipe.get(name):
            kept = unit * min(round(side * new / old / unit), (larger - 1) // unit)
            side = kept if kept >= SMALLEST else None
            yield name, side, f"the same share of data.size {new}" if side else f"data.size {new} is too small for it"
        larger = side or larger
    if now.train.small_size and side is None:
        for name in ("train.small_share", "train.small_ramp"):
            yield name, None, "it means nothing without train.small_size"


def _dependent(recipe: Recipe, now: Sections) -> Following:
    """What is switched off takes its options with it."""
    for owner, is_on, fields in _DEPENDENT:
        if is_on(recipe.get(owner)) and not is_on(now.get(owner)):
            for name in fields:
                yield name, describe_field(name)[2], f"it means nothing with {owner} {_in_words(now.get(owner))}"


def _foreign(recipe: Recipe, now: Sections) -> Following:
    """The old choice's options go where the new one does not have them."""
    for section, own in _CONSTRUCTORS.items():
        name = now.get(f"{section}.name")
        table = {**own, name: build_library_model} if ":" in name else own
        if name != recipe.get(f"{section}.name") and name in table:
            set_options = getattr(recipe, section).model_dump(exclude={"name"}, exclude_none=True)
            for option in sorted(foreign_options(name, table, set_options)):
                yield f"{section}.{option}", None, f"{section}.name {name} has no such option"


def _selection(recipe: Recipe, now: Sections) -> Following:
    """Held-out images are there if and only if the epoch is selected by them, and patience if it is selected."""
    select = now.train.select
    if select == "held-out" and not now.data.held_out:
        if recipe.train.select == "held-out":
            select = "last"
            yield "train.select", select, "data.held_out is 0"
        else:
            yield "data.held_out", describe_field("data.held_out")[2], "train.select held-out needs some images"
    if select == "last" and recipe.train.patience:
        yield "train.patience", None, "it means nothing with train.select last"


def _note(name: str, old: Any, new: Any, why: str) -> str:
    change = (
        f"{name} {_in_words(old)} is left out" if new is None else f"{name}: {_in_words(new)}, not {_in_words(old)}"
    )
    return f"{change}; {why}"


def _in_words(value: Any) -> str:
    if value is None:
        return "null"
    return f"{value:g}" if isinstance(value, float) else str(value) if isinstance(value, str) else json.dumps(value)
