"""Untested recipes near the best rows of a study."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import combinations
from typing import Any

import torch
from torch import nn

from assay.models import MODELS
from assay.recipe.recipe import Recipe
from assay.run.build import learning_rate
from assay.studies.factors import Factor
from assay.training.losses import build_loss
from assay.training.optim import OPTIMIZERS, build_optimizer

_CONSTRUCTORS: dict[str, Mapping[str, Callable[..., Any]]] = {"model": MODELS, "optim": OPTIMIZERS}


def neighbours(
    best: Recipe,
    others: Sequence[Recipe],
    winners: Sequence[Recipe],
    reference: Recipe,
    factors: Sequence[Factor],
    known: Sequence[Recipe],
) -> list[Recipe]:
    """Recipes to try next, without those that no run would accept.

    Args:
        best: the best tested recipe: its levels' surroundings, and its changes together with another's.
        others: the tested recipes.
        winners: those that beat the reference: the changes of each two together.
        reference: what changes are counted from.
        factors: in which the tested recipes differ.
        known: recipes that are not to be proposed.
    """
    pairs = [*((best, other) for other in others), *combinations(winners, 2)]
    changes = [*_moves(best, factors), *(_both(reference, *pair) for pair in pairs)]
    found: list[Recipe] = []
    for base, change in changes:
        recipe = _accepted(base, change)
        if recipe is not None and recipe not in known and recipe not in found:
            found.append(recipe)
    return found


def _moves(best: Recipe, factors: Sequence[Factor]) -> Iterator[tuple[Recipe, dict[str, Any]]]:
    """Steps along one factor each."""
    for factor in factors:
        for level in factor.around(best.get(factor.name)):
            yield best, {factor.name: level}


def _both(reference: Recipe, one: Recipe, other: Recipe) -> tuple[Recipe, dict[str, Any]]:
    """The changes of two recipes together; none where they change the same field."""
    changes = [{name: pair[1] for name, pair in reference.differences(recipe).items()} for recipe in (one, other)]
    return reference, {} if changes[0].keys() & changes[1].keys() else changes[0] | changes[1]


def _accepted(base: Recipe, changes: Mapping[str, Any]) -> Recipe | None:
    """The changed recipe; None where the recipe, its schedule, loss or optimizer, or what it names refuses it."""
    try:
        recipe = base.but(changes)
        _check(recipe)
    except ValueError:
        return None
    return None if _has_foreign_option(recipe) else recipe


def _check(recipe: Recipe) -> None:
    """Raises ``ValueError`` where the schedule, the loss or the optimizer cannot be built."""
    learning_rate(recipe)
    teacher = (lambda images: images) if recipe.loss.teacher else None  # another network is not needed to see that
    build_loss(teacher=teacher, **recipe.loss.model_dump(exclude={"teacher"}))
    weights = [{"params": [nn.Parameter(torch.zeros(2, 2))]}]
    build_optimizer(groups=weights, **recipe.optim.model_dump(exclude={"lr_batch", "decay", "clip"}))


def _has_foreign_option(recipe: Recipe) -> bool:
    """Whether it gives an option that only other models or optimizers have than its own."""
    for section, table in _CONSTRUCTORS.items():
        given = getattr(recipe, section).model_dump(exclude_none=True)
        if given["name"] in table:
            own = inspect.signature(table[given["name"]]).parameters
            foreign = {name for build in table.values() for name in inspect.signature(build).parameters}
            if given.keys() & (foreign - own.keys()) - {"name"}:
                return True
    return False
