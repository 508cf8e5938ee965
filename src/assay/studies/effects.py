"""What each setting of a study did to the accuracy: an additive model, with seeds as blocks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.stats import t

from assay.recipe.recipe import Recipe
from assay.studies.factors import find_factors
from assay.studies.results import RowResults

Floats = NDArray[np.float64]
Changes = dict[str, Any]


@dataclass(frozen=True)
class Effect:
    """What levels of some fields do to the accuracy, other things equal.

    Attributes:
        changes: the levels by dotted field; more than one where these rows cannot tell them apart.
        instead_of: the reference's levels of the same fields.
        points: the difference in accuracy, in percentage points.
        low: lower end of its 95 % interval; nan where there are no more runs than the model has numbers.
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
    """The effects in the order in which the rows bring them up, and what cannot be known from these runs.

    Attributes:
        effects: those that the runs determine.
        unknown: levels whose effect cannot be told from the seeds', for want of seeds in common.
        freedom: residual degrees of freedom behind the intervals.
    """

    effects: tuple[Effect, ...] = ()
    unknown: tuple[Changes, ...] = ()
    freedom: int = 0


@dataclass(frozen=True)
class Fit:
    """Least squares: coefficients and standard errors [columns], which of them are determined, and the residual.

    Attributes:
        coefficients: of the shortest solution.
        errors: standard errors; nan without residual degrees of freedom.
        determined: whether all solutions agree in a coefficient.
        variance: of the residual; nan without degrees of freedom.
        freedom: residual degrees of freedom.
    """

    coefficients: Floats
    errors: Floats
    determined: NDArray[np.bool_]
    variance: float
    freedom: int


@dataclass(frozen=True)
class _Column:
    """A column of the design: the rows [rows] that have these levels."""

    changes: Changes
    rows: NDArray[np.bool_]


def main_effects(rows: Sequence[RowResults], reference: RowResults) -> MainEffects:
    """Each level's effect on the accuracy against the reference's level, averaged over the other factors.

    accuracy = intercept of the seed + sum of the effects of the row's levels + noise, by least squares over all
    runs. In a full grid an effect is the difference of the means over all else; where one field changes at a time
    it is the mean of the paired differences. Levels that are linearly dependent over the rows, such as two fields
    that change only together, give one effect for each of their joint settings that was run. The intervals count
    all that the sum leaves over, noise and interactions alike, and take the t distribution's quantiles (Montgomery,
    Design and Analysis of Experiments, chapters 4 and 10).

    Args:
        rows: with at least one result each.
        reference: one of the rows.
    """
    columns = _joined(_columns([row.recipe for row in rows], reference.recipe))
    if not columns:
        return MainEffects()
    fit = fit_blocks(rows, np.stack([column.rows for column in columns], axis=1).astype(float))
    quantile = float(t.ppf(0.975, fit.freedom))
    effects: list[Effect] = []
    unknown: list[Changes] = []
    for number, column in enumerate(columns):
        if not fit.determined[number]:
            unknown.append(column.changes)
            continue
        points, half = float(fit.coefficients[number]), quantile * float(fit.errors[number])
        before = {name: reference.recipe.get(name) for name in column.changes}
        runs = sum(len(row.results) for row, has in zip(rows, column.rows, strict=True) if has)
        effects.append(Effect(column.changes, before, points, points - half, points + half, runs))
    return MainEffects(tuple(effects), tuple(unknown), fit.freedom)


def fit_blocks(rows: Sequence[RowResults], design: Floats) -> Fit:
    """Least squares of the accuracy of all runs on a design [rows, columns], each seed with its own intercept.

    The fit's first coefficients are the design's, the others the seeds' in ascending order.
    """
    runs = [(number, result) for number, row in enumerate(rows) for result in row.results]
    seeds = sorted({result.seed for _, result in runs})
    blocks = np.array([[result.seed == seed for seed in seeds] for _, result in runs], dtype=float)
    accuracy = np.array([result.accuracy for _, result in runs])
    return least_squares(np.hstack([design[[number for number, _ in runs]], blocks]), accuracy)


def least_squares(design: Floats, target: Floats) -> Fit:
    """Ordinary least squares of a target [n] on a design [n, columns] of any rank."""
    inverse = np.linalg.pinv(design)
    coefficients = inverse @ target
    residual = target - design @ coefficients
    freedom = len(target) - int(np.linalg.matrix_rank(design))
    variance = float(residual @ residual) / freedom if freedom else float("nan")
    determined = np.abs(inverse @ design - np.eye(design.shape[1])).max(axis=1) < 1e-8
    errors = np.sqrt(variance * (inverse**2).sum(axis=1))
    return Fit(coefficients, errors, determined, variance, freedom)


def _columns(recipes: Sequence[Recipe], reference: Recipe) -> list[_Column]:
    """One for each level of each factor beside the reference's."""
    return [
        _Column({factor.name: level}, np.array([recipe.get(factor.name) == level for recipe in recipes]))
        for factor in find_factors(recipes, reference)
        for level in factor.levels[1:]
    ]


def _joined(columns: list[_Column]) -> list[_Column]:
    """Linearly independent columns: dependent ones become one for each joint setting of theirs.

    It ends, because disjoint columns are independent, and joining columns that overlap leaves fewer ones in all.
    """
    while dependent := _dependent(columns):
        settings: dict[tuple[bool, ...], list[int]] = {}
        for row, pattern in enumerate(zip(*(columns[number].rows.tolist() for number in dependent), strict=True)):
            settings.setdefault(pattern, []).append(row)
        joint = [_joint(columns, dependent, pattern, rows) for pattern, rows in settings.items() if any(pattern)]
        columns = [column for number, column in enumerate(columns) if number not in dependent] + joint
    return sorted(columns, key=lambda column: int(np.argmax(column.rows)))


def _joint(columns: list[_Column], dependent: list[int], pattern: tuple[bool, ...], rows: list[int]) -> _Column:
    """The column of the rows that have just the marked ones of the dependent columns' levels."""
    changes: Changes = {}
    for number, present in zip(dependent, pattern, strict=True):
        changes |= columns[number].changes if present else {}
    return _Column(changes, np.isin(np.arange(len(columns[0].rows)), rows))


def _dependent(columns: Sequence[_Column]) -> list[int]:
    """The smallest set of columns with a linear dependence that ends at the earliest column; empty if none."""
    for last in range(1, len(columns)):
        basis = np.stack([column.rows for column in columns[:last]], axis=1).astype(float)
        target = columns[last].rows.astype(float)
        weights = np.linalg.lstsq(basis, target)[0]
        if np.allclose(basis @ weights, target, atol=1e-8):
            return [*np.flatnonzero(np.abs(weights) > 1e-8).tolist(), last]
    return []
