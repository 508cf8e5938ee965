"""Least squares on a design of any rank, and on one in which every seed has its own intercept."""

from __future__ import annotations

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


def dependent_columns(columns: Sequence[NDArray[np.bool_]]) -> list[int]:
    """Return the numbers of the earliest linearly dependent set of columns; empty if all are independent."""
    for last in range(1, len(columns)):
        basis = np.stack(columns[:last], axis=1).astype(float)
        target = columns[last].astype(float)
        weights = np.linalg.lstsq(basis, target)[0]
        if np.allclose(basis @ weights, target, atol=_ROUNDING):
            return [*np.flatnonzero(np.abs(weights) > _ROUNDING).tolist(), last]
    return []
