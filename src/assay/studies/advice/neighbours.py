"""Untested recipes near the best rows of a study."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from itertools import combinations
from typing import Any

import torch
from torch import nn

from assay.base.registry import foreign_options
from assay.models import MODELS
from assay.recipe.recipe import Recipe
from assay.run.build import learning_rate
from assay.studies.advice.factors import Factor
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
    """Return untested recipes near the best ones, without those that no run would accept.

    Each takes one step from the best recipe along one factor, or joins the changes of two recipes: of the best and
    any other, or of two winners, which are those that beat the reference. Changes are counted from the reference,
    and recipes that are ``known`` are left out.
    """
    changes = {recipe: _changes(reference, recipe) for recipe in {best, *others, *winners}}
    pairs = [*((best, other) for other in others), *combinations(winners, 2)]
    joint = (changes[one] | changes[other] for one, other in pairs if not changes[one].keys() & changes[other].keys())
    steps = (
        {**changes[best], factor.name: level} for factor in factors for level in factor.around(best.get(factor.name))
    )
    seen = {frozenset(_changes(reference, recipe).items()) for recipe in known}
    tested, found = set(known), dict[Recipe, None]()
    for change in (*steps, *joint):
        if frozenset(change.items()) in seen:  # most pairs of a grid; a recipe takes milliseconds to be made
            continue
        seen.add(frozenset(change.items()))
        recipe = _accepted(reference, change)
        if recipe is not None and recipe not in tested:
            found[recipe] = None
    return list(found)


def _changes(reference: Recipe, recipe: Recipe) -> dict[str, Any]:
    return {name: there for name, (_, there) in reference.differences(recipe).items()}


def _accepted(base: Recipe, changes: Mapping[str, Any]) -> Recipe | None:
    """The changed recipe; None where a run would refuse it."""
    try:
        recipe = base.but(changes)
        learning_rate(recipe)
        # The loss asks only whether there is a teacher, so a placeholder spares building another network.
        teacher = (lambda images: images) if recipe.loss.teacher else None
        build_loss(teacher=teacher, **recipe.loss.model_dump(exclude={"teacher"}))
        weights = [{"params": [nn.Parameter(torch.zeros(2, 2))]}]
        build_optimizer(groups=weights, **recipe.optim.options())
    except ValueError:
        return None
    return None if _has_foreign_option(recipe) else recipe


def _has_foreign_option(recipe: Recipe) -> bool:
    """Whether the recipe sets an option that its model or optimizer lacks and another one has."""
    for section, table in _CONSTRUCTORS.items():
        given = getattr(recipe, section).model_dump(exclude_none=True)
        if given["name"] in table and foreign_options(given["name"], table, given):
            return True
    return False
