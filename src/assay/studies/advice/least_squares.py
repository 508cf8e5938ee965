"""Least squares on a design of any rank, and on one in which every seed has its own intercept."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from assay.studies.results import RowResults

Floats = NDArray[np.float64]
_ROUNDING = 1e-8  # indicator columns give sums near 0 and 1, so what is smaller than this is a rounding error


@dataclass(frozen=True)
class Fit:
    """A least-squares fit.

    Attributes:
        coefficients: of the solution of the smallest norm, ``[columns]``.
        errors: standard errors of the coefficients, ``[columns]``; nan without residual degrees of freedom.
        determined: whether all least-squares solutions agree in a coefficient, ``[columns]``.
        variance: of the residual; nan without degrees of freedom.
        freedom: residual degrees of freedom.
    """

    coefficients: Floats
    errors: Floats
    determined: NDArray[np.bool_]
    variance: float
    freedom: int


def fit_blocks(rows: Sequence[RowResults], design: Floats) -> Fit:
    """Fit the accuracy of all runs to a design ``[rows, columns]``, with an intercept for each seed (a block).

    The fit's first coefficients are the design's; those of the seeds follow in ascending order.
    """
    runs = [(number, result) for number, row in enumerate(rows) for result in row.results]
    seeds = sorted({result.seed for _, result in runs})
    blocks = np.array([[result.seed == seed for seed in seeds] for _, result in runs], dtype=float)
    accuracy = np.array([result.accuracy for _, result in runs])
    return least_squares(np.hstack([design[[number for number, _ in runs]], blocks]), accuracy)


def least_squares(design: Floats, target: Floats) -> Fit:
    """Ordinary least squares of a target ``[n]`` on a design ``[n, columns]`` of any rank."""
    inverse = np.linalg.pinv(design)
    coefficients = inverse @ target
    residual = target - design @ coefficients
    freedom = len(target) - int(np.linalg.matrix_rank(design))
    variance = float(residual @ residual) / freedom if freedom else float("nan")
    # The rows of inverse @ design are unit vectors just where the null space does not touch the coefficient.
    determined = np.abs(inverse @ design - np.eye(design.shape[1])).max(axis=1) < _ROUNDING
    errors = np.sqrt(variance * (inverse**2).sum(axis=1))
    return Fit(coefficients, errors, determined, variance, freedom)


def residual_variance(rows: Sequence[RowResults]) -> float:
    """The variance of what rows and seeds together leave unexplained of all runs; nan without degrees of freedom.

    As that of `fit_blocks` with a column for each row, which many rows make large: here the rows' means are taken off
    accuracies and seeds first, which leaves the same residual (Frisch & Waugh 1933, Lovell 1963).
    """
    seeds = sorted({result.seed for row in rows for result in row.results})
    parts = [
        np.array([[result.accuracy, *(result.seed == seed for seed in seeds)] for result in row.results], dtype=float)
        for row in rows
    ]
    within = np.vstack([part - part.mean(axis=0) for part in parts])
    target, blocks = within[:, 0], within[:, 1:]
    weights, _, rank, _ = np.linalg.lstsq(blocks, target, rcond=_ROUNDING)
    freedom = len(target) - len(rows) - int(rank)
    return float(np.sum((target - blocks @ weights) ** 2)) / freedom if freedom else math.nan


def dependent_columns(columns: Sequence[NDArray[np.bool_]]) -> list[int]:
    """Return the numbers of the earliest linearly dependent set of columns; empty if all are independent."""
    basis = np.empty((0, len(columns[0]) if columns else 0))
    for last, column in enumerate(columns):
        target = column.astype(float)
        rest = target - basis.T @ (basis @ target)
        rest -= basis.T @ (basis @ rest)  # once more, as rounding grows (Giraud, Langou & Rozložník 2005)
        length = float(np.linalg.norm(rest))
        if last and length <= _ROUNDING * max(1.0, float(np.linalg.norm(target))):
            before = np.stack(columns[:last], axis=1).astype(float)
            weights = np.linalg.lstsq(before, target)[0]
            return [*np.flatnonzero(np.abs(weights) > _ROUNDING).tolist(), last]
        basis = np.vstack([basis, rest / length])
    return []
