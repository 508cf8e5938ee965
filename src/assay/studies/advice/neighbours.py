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
    pairs = [*((best, other) for other in others), *combinations(winners, 2)]
    steps = [(best, {factor.name: level}) for factor in factors for level in factor.around(best.get(factor.name))]
    found: list[Recipe] = []
    for base, change in [*steps, *((reference, _joint_changes(reference, *pair)) for pair in pairs)]:
        recipe = _accepted(base, change)
        if recipe is not None and recipe not in known and recipe not in found:
            found.append(recipe)
    return found


def _joint_changes(reference: Recipe, one: Recipe, other: Recipe) -> dict[str, Any]:
    """The changes of two recipes together; empty where they change the same field."""
    changes = [{name: pair[1] for name, pair in reference.differences(recipe).items()} for recipe in (one, other)]
    return {} if changes[0].keys() & changes[1].keys() else changes[0] | changes[1]


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
