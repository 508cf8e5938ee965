"""The main effect of each setting of a study on the accuracy: an additive model, with seeds as blocks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.stats import t

from assay.studies.advice.factors import find_factors
from assay.studies.advice.least_squares import dependent_columns, fit_blocks
from assay.studies.results import RowResults

Changes = dict[str, Any]
Column = tuple[Changes, NDArray[np.bool_]]
"""A column of the design: levels by dotted field, and which rows have them, ``[rows]``."""


@dataclass(frozen=True)
class Effect:
    """What levels of some fields do to the accuracy, other things equal.

    Attributes:
        changes: the levels by dotted field; more than one where these rows cannot tell them apart.
        instead_of: the reference's levels of the same fields.
        points: the difference in accuracy, in percentage points.
        low: lower end of its 95 % confidence interval; nan without residual degrees of freedom.
        high: upper end.
        runs: how many runs had these levels.
    """

    changes: Changes
    instead_of: Changes
    points: float
    low: float
    high: float
    runs: int


@dataclass(frozen=True)
class MainEffects:
    """The effects in the order in which the rows bring them up, and those that these runs cannot determine.

    Attributes:
        effects: those that the runs determine.
        unknown: levels whose effect cannot be separated from the seeds', because no seed is shared.
        freedom: residual degrees of freedom behind the intervals.
    """

    effects: tuple[Effect, ...] = ()
    unknown: tuple[Changes, ...] = ()
    freedom: int = 0


def main_effects(rows: Sequence[RowResults], reference: RowResults) -> MainEffects:
    """Each level's effect on the accuracy against the reference's level, averaged over the other factors.

    accuracy = intercept of the seed + sum of the effects of the row's levels + noise, by least squares over all
    runs. In a full grid an effect is the difference of the means over everything else; where one field changes at a
    time it is the mean of the paired differences. Levels that are linearly dependent over the rows, such as two
    fields that change only together, give one effect for each of their joint settings that was run. The residual of
    the intervals contains noise and interactions alike; their quantiles are those of the t distribution (Montgomery,
    Design and Analysis of Experiments, chapters 4 and 10).
    Every row needs a result; the reference is one of the rows.
    """
    recipes = [row.recipe for row in rows]
    columns = _joined(
        [
            ({factor.name: level}, np.array([recipe.get(factor.name) == level for recipe in recipes]))
            for factor in find_factors(recipes, reference.recipe)
            for level in factor.levels[1:]  # the first is the reference's, whose effect is 0
        ]
    )
    if not columns:
        return MainEffects()
    fit = fit_blocks(rows, np.stack([present for _, present in columns], axis=1).astype(float))
    quantile = float(t.ppf(0.975, fit.freedom))
    effects: list[Effect] = []
    unknown: list[Changes] = []
    for number, (changes, present) in enumerate(columns):
        if not fit.determined[number]:
            unknown.append(changes)
            continue
        points, half = float(fit.coefficients[number]), quantile * float(fit.errors[number])
        instead_of = {name: reference.recipe.get(name) for name in changes}
        runs = sum(len(row.results) for row, has in zip(rows, present, strict=True) if has)
        effects.append(Effect(changes, instead_of, points, points - half, points + half, runs))
    return MainEffects(tuple(effects), tuple(unknown), fit.freedom)


def _joined(columns: list[Column]) -> list[Column]:
    """Linearly independent columns: dependent ones are replaced by one for each of their joint settings.

    The loop ends, because disjoint columns are independent, and joining columns that overlap leaves fewer in all.
    """
    while dependent := dependent_columns([present for _, present in columns]):
        members = [columns[number] for number in dependent]
        patterns = list(zip(*(present.tolist() for _, present in members), strict=True))  # one for each row
        columns = [column for number, column in enumerate(columns) if number not in dependent]
        for pattern in dict.fromkeys(patterns):
            changes: Changes = {}
            for (levels, _), has in zip(members, pattern, strict=True):
                changes |= levels if has else {}
            if any(pattern):
                columns.append((changes, np.array([other == pattern for other in patterns])))
    # argmax of booleans is the first row with these levels.
    return sorted(columns, key=lambda column: int(np.argmax(column[1])))
