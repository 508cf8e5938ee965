"""Propose a recipe for a set of images: look at every image, choose by rules, and give a reason for each choice."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TypeGuard

from assay.base.statistics import wilson_interval
from assay.data.check import Check, check_source
from assay.data.choices import NEAR_DUPLICATES
from assay.data.decode import default_workers
from assay.data.places import is_address
from assay.data.sources import NAMED, name_of_set
from assay.data.split import Cut, Source, cut_splits
from assay.recipe.data_section import DataSection
from assay.recipe.named import RECIPES
from assay.recipe.recipe import Recipe
from assay.recipe.suit import Choice
from assay.run.open_set import open_set
from assay.run.suited import images_to_learn_from, with_choices
from assay.run.trial import expected_seconds

PHOTOS, FROM_SCRATCH, SMALL = "photos-finetune", "photos", "resnet18-cifar"
_MADE_FOR = {"digits": "digits", "cifar10": SMALL}  # named sets that a recipe was made for
_SMALL_SIDE = 64  # pixels of the shorter side, up to which a network for 32x32 pixels sees about as much
_MANY = 10_000  # images, from which on such a network learns enough without pretrained weights
_FEWEST_STEPS, _SMALLEST_BATCH = 8, 8  # in an epoch; images, of which a batch norm still tells something
_FEW_TESTED = 300  # images, of which an accuracy is known to about 5 points either way


@dataclass(frozen=True)
class Proposal:
    """A recipe for a set of images.

    Attributes:
        name: a short one of the set, for a run or a file.
        base: the named recipe that suits such a set.
        found: what the images are, and what is wrong with them.
        recipe: the base with what the set decides and what was given.
        reasons: why the set decided a field's value, by dotted name.
        notes: what followed from the given fields, and what should be known of the split for testing, a line each.
        seconds: what the training takes here, as a short one has shown; None if none was tried, or was possible.
        obstacle: why the recipe cannot be trained yet, as the short training has shown; empty if nothing is known.
        took: seconds that the look at the images took.
    """

    name: str
    base: str
    found: Check
    recipe: Recipe
    reasons: Mapping[str, str]
    notes: tuple[str, ...]
    seconds: float | None = None
    obstacle: str = ""
    took: float = 0.0


def propose(data: str | Path, changes: Mapping[str, Any] | None = None, *, timed: bool = True) -> Proposal:
    """Look at every image of a set, and propose a recipe for it, with a reason for each choice.

    Args:
        data: a folder with a folder of images for each class, with or without train, val and test above; a Parquet
            file or a folder of such; or a set's name, as in a recipe.
        changes: fields that are chosen already, under dotted names; the others suit them.
        timed: train for a moment too, to see how long the training will take.

    Returns:
        The findings in the set, the recipe, the reasons, and the time.

    Raises:
        ValueError: there is no such set, it has no readable image or only one class, its missing splits cannot be cut,
            or a given field is not valid.
    """
    began = time.monotonic()
    proposal = _propose(set_at(data), changes or {})
    proposal = replace(proposal, took=time.monotonic() - began)
    if not timed:
        return proposal
    try:
        return replace(proposal, seconds=expected_seconds(proposal.recipe))
    except ValueError as error:  # the proposal holds: the weights may be had another time, or on another machine
        return replace(proposal, obstacle=str(error))


def _propose(name: str, given: Mapping[str, Any]) -> Proposal:
    if "data.name" in given:
        raise ValueError(f"data.name: the set is {name}; leave the option out")
    section = Recipe().sections_with({"data.name": name, "data.unlabelled": "skip", **given}).data
    source = open_set(section, grouped=False)
    if len(source.classes) < 2:
        raise ValueError(f"{name}: only one class, {source.classes[0]!r}; there is nothing to tell apart")
    sizes = images_to_learn_from(source, section)
    found = check_source(source, workers=default_workers())
    if not found.splits["train"].sizes:
        raise ValueError(f"{name}: no readable image to train by")
    base = choose_base(name, found, given)
    choices = dict(choose_data(name, base, found, "test" not in source.splits and section.test > 0))
    suit = RECIPES[base].suit
    choices |= suit(*sizes, given) if suit else dict(choose_batch(base, sizes[0]))
    adapted, kept = with_choices(RECIPES[base].recipe, choices, given)
    reasons = {name: choice.reason for name, choice in kept.items()}
    notes = (*adapted.notes, *_few_tested(source, adapted.recipe.data))
    return Proposal(short_name(name), base, found, adapted.recipe, reasons, notes)


def is_set(recipe: object) -> TypeGuard[str | Path]:
    """Whether what stands in place of a recipe is a set of images: no named recipe, recipe file or run folder."""
    if not isinstance(recipe, str | Path) or str(recipe) in ("", *RECIPES):  # to Path an empty text is this folder
        return False
    path = Path(recipe).expanduser()
    is_named = str(recipe) in NAMED or str(recipe).startswith(("folder:", "parquet:"))
    return (
        is_named
        or is_address(str(recipe))
        or path.suffix == ".parquet"
        or (path.is_dir() and not (path / "recipe.yaml").exists())
    )


def set_at(place: str | Path) -> str:
    """The set's name, as in ``data.name``; raises ``ValueError`` for a place that holds runs or a recipe instead."""
    path = Path(place).expanduser()
    is_recipe = str(place) in RECIPES and str(place) not in NAMED and not path.exists()
    if is_recipe or path.suffix in (".yaml", ".yml") or (path / "recipe.yaml").is_file():
        raise ValueError(f"{place}: a recipe or a run, not a set of images; assay train takes it")
    if any(path.glob("*/recipe.yaml")):
        raise ValueError(f"{place}: a folder of runs, not of images")
    return name_of_set(place)


def choose_base(name: str, found: Check, given: Mapping[str, Any]) -> str:
    """The named recipe for such a set: made for it, for many small images, or for photos, with weights or without."""
    train = found.splits["train"]
    if name in _MADE_FOR:
        return _MADE_FOR[name]
    if min(train.sizes[1]) <= _SMALL_SIDE and train.images >= _MANY:
        return SMALL
    return FROM_SCRATCH if given.get("model.pretrained", True) in (None, False) else PHOTOS


def choose_data(name: str, base: str, found: Check, cuts_test: bool) -> Iterator[tuple[str, Choice]]:
    """The fields that the images decide, whatever their number, and those of the base that should be known.

    Args:
        name: of the set.
        base: the named recipe.
        found: what the images are.
        cuts_test: whether the test split is cut from train.
    """
    recipe, train = RECIPES[base].recipe, found.splits["train"]
    yield "data.name", Choice(name, f"{train.images:,} images in {len(train.classes)} classes")
    if recipe.model.pretrained:
        what = f"weights of {recipe.model.name}, which know ImageNet's photos: few of yours suffice"
        yield "model.pretrained", Choice(recipe.model.pretrained, what)
    if recipe.data.size:
        # Small photos say more to weights for 224 pixels if they are enlarged: at 96, 128, 160 and 224 a linear probe
        # is right about 77, 80, 83 and 85 % of the test images of a set of 112 pixels.
        yield "data.size", Choice(recipe.data.size, "larger sees more: half of it takes a quarter of the time")
    elif any(part.distinct_sizes != 1 or len(set(part.sizes[0])) != 1 for part in found.splits.values() if part.sizes):
        yield "data.size", Choice(32, "the images are not squares of one size")
    if recipe.augment.flip:
        yield "augment.flip", Choice(recipe.augment.flip, "a mirrored image is of the same class; 0 where it is not")
    if found.corrupt:
        yield "data.on_bad_image", Choice("skip", f"{len(found.corrupt)} that cannot be decoded are left out")
    if found.unlabelled:
        yield "data.unlabelled", Choice("skip", "; ".join(found.unlabelled))
    if cuts_test and (alike := len(found.near) + len(found.exact)):
        yield "data.groups", Choice(NEAR_DUPLICATES, f"{alike} groups of copies, which the test split must not part")


def choose_batch(base: str, images: int) -> Iterator[tuple[str, Choice]]:
    """A smaller batch than the recipe's, where an epoch of so many images would be few steps."""
    usual = size = RECIPES[base].recipe.train.batch_size
    while size > _SMALLEST_BATCH and images < _FEWEST_STEPS * size:
        size //= 2
    if size < usual:
        yield "train.batch_size", Choice(size, f"{images:,} images would be few steps of {usual}")


def _few_tested(source: Source, section: DataSection) -> Iterator[str]:
    """Say how little a small test split tells."""
    if section.folds:
        return
    splits = cut_splits(source, Cut(0.0, section.test, section.split_seed)).splits
    count = len(splits["test"]) if "test" in splits else 0
    if 0 < count < _FEW_TESTED:
        low, high = wilson_interval(0.8, count)
        meaning = f"{count} test images are few: an accuracy of 80 % would mean {low:.0%} to {high:.0%}"
        yield f"{meaning}; --data.folds 5 tests on every image, and trains six times"


def short_name(name: str) -> str:
    """A set's name for a run or a file: without its kind, its folders and its ending."""
    return Path(name.partition(":")[2] or name).name.removesuffix(".parquet")
