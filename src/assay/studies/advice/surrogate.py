"""A smooth model of a study's accuracy over its factors: what an untested recipe might give, and how uncertainly."""

from __future__ import annotations

import math
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate, pairwise
from typing import Any

import numpy as np
from scipy.stats import norm
from sklearn.exceptions import ConvergenceWarning
from sklearn.gaussian_process import GaussianProcessRegressor
from sklearn.gaussian_process.kernels import ConstantKernel, Hyperparameter, Kernel, Matern, WhiteKernel

from assay.recipe.recipe import Recipe
from assay.studies.advice.factors import Factor
from assay.studies.advice.least_squares import Floats, residual_variance
from assay.studies.results import RowResults

_LENGTHS = (0.2, 5.0)  # bounds: tested levels are at most 1 apart, so neither unrelated rows nor a flat line fit
_NOISE = (0.01, 1.0)  # bounds of the noise's variance, over that of the rows' means, where no seed was repeated
_INTERACTION = 0.25  # variance of the interactions over that of one effect: few studies have the rows to estimate it
_JITTER = 1e-6  # keeps the covariance positive definite where rows have equal coordinates or no noise
_LEAST_VARIANCE = 1e-12  # of a difference: rounding can make it negative, and 0 would be divided by


class SumOfMaterns(Kernel):  # type: ignore[misc]  # sklearn has no types
    """A sum of Matérn 5/2 kernels of height 1, each over its own consecutive coordinates.

    Args:
        lengths: the length scale of each kernel.
        ends: for each kernel, the first coordinate that is no longer its own.
    """

    def __init__(self, lengths: Sequence[float] | Floats, ends: tuple[int, ...]) -> None:
        self.lengths, self.ends = lengths, ends

    @property
    def hyperparameter_lengths(self) -> Hyperparameter:
        """The length scales, which scikit-learn finds by this property's name and fits."""
        return Hyperparameter("lengths", "numeric", _LENGTHS, len(self.ends))

    def __call__(self, X: Floats, Y: Floats | None = None, eval_gradient: bool = False) -> Any:  # noqa: N803
        """Return the covariance of X ``[n, coordinates]`` with Y, and on request its gradient by the log lengths."""
        parts = [
            Matern(length, nu=2.5)(X[:, begin:end], None if Y is None else Y[:, begin:end], eval_gradient)
            for length, (begin, end) in zip(np.atleast_1d(self.lengths), pairwise([0, *self.ends]), strict=True)
        ]
        if not eval_gradient:
            return np.sum(parts, axis=0)
        return np.sum([value for value, _ in parts], axis=0), np.concatenate([slope for _, slope in parts], axis=2)

    def diag(self, X: Floats) -> Floats:  # noqa: N803
        """Return the variances at X, ``[n]``."""
        return np.full(len(X), float(len(self.ends)))

    def is_stationary(self) -> bool:
        """Return True: only differences of coordinates count."""
        return True


@dataclass(frozen=True)
class Guess:
    """What a recipe might give, before it is run.

    Attributes:
        accuracy: expected mean over seeds, in percent.
        deviation: standard deviation of that expectation, in percentage points.
        probability: in [0, 1], that its mean over many seeds exceeds that of the best tested row.
        gain: expected improvement on the best tested row, in percentage points, which is kept where it is better
            (Jones, Schonlau & Welch 1998, eq. 15).
    """

    accuracy: float
    deviation: float
    probability: float
    gain: float


@dataclass(frozen=True)
class Surrogate:
    """A Gaussian process over the factors of a study, fitted to the means of its rows.

    Attributes:
        factors: the coordinates.
        process: fitted to the standardised means.
        noise: variance of a row's standardised mean where the process estimates it; 0 where the seeds tell it.
        centre: mean of the rows' means, in percent.
        spread: standard deviation of the rows' means, in percentage points.
    """

    factors: Sequence[Factor]
    process: GaussianProcessRegressor
    noise: float
    centre: float
    spread: float

    def guess(self, recipe: Recipe, best: Recipe) -> Guess:
        """Predict a recipe's accuracy and whether it beats the best tested one, both without the noise of seeds."""
        mean, covariance = self.process.predict(_encode(self.factors, [recipe, best]), return_cov=True)
        covariance = covariance - self.noise * np.eye(2)  # scikit-learn's white kernel counts as part of the function
        ahead = float(mean[0] - mean[1])
        variance = float(covariance[0, 0] + covariance[1, 1] - 2 * covariance[0, 1])
        deviation = math.sqrt(max(variance, _LEAST_VARIANCE))
        probability = float(norm.cdf(ahead / deviation))
        return Guess(
            accuracy=min(100.0, self.centre + self.spread * float(mean[0])),
            deviation=self.spread * math.sqrt(max(float(covariance[0, 0]), 0.0)),
            probability=probability,
            gain=self.spread * (ahead * probability + deviation * float(norm.pdf(ahead / deviation))),
        )


def fit_surrogate(rows: Sequence[RowResults], factors: Sequence[Factor]) -> Surrogate:
    """Fit a Gaussian process: the sum of a smooth function of each factor and a small one of all together.

    The kernel is the additive one of Duvenaud, Nickisch & Rasmussen (2011), of first and of full order, made of
    Matérn 5/2 kernels (Rasmussen & Williams 2006, eq. 4.17). Height and lengths maximise the likelihood (eq. 5.8)
    within bounds that keep a few rows from being explained as unrelated to each other, or as all alike. The noise of
    a row's mean is the residual variance of rows and seeds over the number of its runs; where no row has several
    seeds, the likelihood estimates it too. It takes three rows or more, each with a result, and a factor or more.
    """
    means = np.array([row.mean for row in rows])
    spread = float(means.std()) or 1.0  # equal means: nothing to scale, and 0 would be divided by
    variance = residual_variance(rows)
    known = not math.isnan(variance)
    runs = np.array([len(row.results) for row in rows])
    kernel = _kernel(factors)
    process = GaussianProcessRegressor(
        kernel if known else kernel + WhiteKernel(0.05, _NOISE),
        alpha=_JITTER + (variance / runs / spread**2 if known else np.zeros(len(rows))),
        n_restarts_optimizer=2,
        random_state=0,
    )
    with warnings.catch_warnings():  # a length at its bound is an answer: a factor that does nothing
        warnings.simplefilter("ignore", ConvergenceWarning)
        process.fit(_encode(factors, [row.recipe for row in rows]), (means - means.mean()) / spread)
    noise = 0.0 if known else float(process.kernel_.k2.noise_level)
    return Surrogate(factors, process, noise, float(means.mean()), spread)


def _kernel(factors: Sequence[Factor]) -> Kernel:
    """A height times the sum of a kernel along each factor and a smaller one over all coordinates."""
    ends = tuple(accumulate(len(factor.encode(factor.levels[0])) for factor in factors))
    together = ConstantKernel(_INTERACTION, "fixed") * Matern(1.0, "fixed", nu=2.5)
    return ConstantKernel(1.0, (0.1, 100.0)) * (SumOfMaterns([1.0] * len(ends), ends) + together)


def _encode(factors: Sequence[Factor], recipes: Sequence[Recipe]) -> Floats:
    """Return the recipes' coordinates, ``[recipes, coordinates]``."""
    return np.array([[x for f in factors for x in f.encode(recipe.get(f.name))] for recipe in recipes])
