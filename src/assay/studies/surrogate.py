"""What an untested recipe of a study might give: a smooth model of the accuracy, and how unsure it is."""

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
from assay.studies.effects import Floats, fit_blocks
from assay.studies.factors import Factor
from assay.studies.results import RowResults

_LENGTHS = (0.2, 5.0)  # tested levels are at most 1 apart
_NOISE = (0.01, 1.0)  # variance over that of the rows' means, where it has to be guessed
_INTERACTION = 0.25  # variance of what is no sum of effects, for each of an effect: most studies cannot tell it


class SumOfMaterns(Kernel):  # type: ignore[misc]  # sklearn has no types
    """A sum of Matérn 5/2 kernels of height 1, each of some of the coordinates.

    Args:
        lengths: of each kernel.
        ends: where each kernel's coordinates end; they begin where the last one's ended.
    """

    def __init__(self, lengths: Sequence[float] | Floats, ends: tuple[int, ...]) -> None:
        self.lengths, self.ends = lengths, ends

    @property
    def hyperparameter_lengths(self) -> Hyperparameter:
        """What the likelihood decides."""
        return Hyperparameter("lengths", "numeric", _LENGTHS, len(self.ends))

    def __call__(self, X: Floats, Y: Floats | None = None, eval_gradient: bool = False) -> Any:  # noqa: N803
        """The covariance of X [n, coordinates] with Y, and its gradient by the lengths' logarithms if asked for."""
        parts = [
            Matern(length, nu=2.5)(X[:, begin:end], None if Y is None else Y[:, begin:end], eval_gradient)
            for length, (begin, end) in zip(np.atleast_1d(self.lengths), pairwise([0, *self.ends]), strict=True)
        ]
        if not eval_gradient:
            return np.sum(parts, axis=0)
        return np.sum([value for value, _ in parts], axis=0), np.concatenate([slope for _, slope in parts], axis=2)

    def diag(self, X: Floats) -> Floats:  # noqa: N803
        """The variances at X."""
        return np.full(len(X), float(len(self.ends)))

    def is_stationary(self) -> bool:
        """Only differences count."""
        return True


@dataclass(frozen=True)
class Guess:
    """What a recipe might give, before it is run.

    Attributes:
        accuracy: expected mean over seeds, in percent.
        deviation: standard deviation of that expectation, in percentage points.
        probability: that it exceeds what the best tested row gives over many seeds.
        gain: what it is expected to add to the best tested row, in percentage points, where that is kept if it is
            the better one (the expected improvement of Jones, Schonlau & Welch 1998, eq. 15).
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
        process: fitted to the means, less their own mean and over their own spread.
        noise: of a row's mean in the process, as a variance, where the process had to guess it.
        centre: mean of the rows' means, in percent.
        spread: standard deviation of the rows' means, in percentage points.
    """

    factors: Sequence[Factor]
    process: GaussianProcessRegressor
    noise: float
    centre: float
    spread: float

    def guess(self, recipe: Recipe, best: Recipe) -> Guess:
        """What a recipe might give, and whether it beats the best tested one; both are taken without their noise."""
        mean, covariance = self.process.predict(_encode(self.factors, [recipe, best]), return_cov=True)
        covariance = covariance - self.noise * np.eye(2)
        ahead = float(mean[0] - mean[1])
        unsure = math.sqrt(max(float(covariance[0, 0] + covariance[1, 1] - 2 * covariance[0, 1]), 1e-12))
        probability = float(norm.cdf(ahead / unsure))
        return Guess(
            accuracy=min(100.0, self.centre + self.spread * float(mean[0])),
            deviation=self.spread * math.sqrt(max(float(covariance[0, 0]), 0.0)),
            probability=probability,
            gain=self.spread * (ahead * probability + unsure * float(norm.pdf(ahead / unsure))),
        )


def fit_surrogate(rows: Sequence[RowResults], factors: Sequence[Factor]) -> Surrogate:
    """A Gaussian process: a smooth function of each factor, their sum, and a small one of all together.

    That is the additive kernel of Duvenaud, Nickisch & Rasmussen (2011), of first and of full order, made of
    Matérn 5/2 kernels (Rasmussen & Williams 2006, eq. 4.17). Height and lengths maximise the likelihood (eq. 5.8)
    within bounds that keep a few rows from being explained as unrelated to each other, or as all alike. The noise of
    a row's mean is the seeds' variance, after rows and seeds are accounted for, over the number of its runs; where
    no seed was repeated it is one more unknown of the likelihood.

    Args:
        rows: with at least one result each; three or more.
        factors: in which they differ; at least one.
    """
    means = np.array([mean_of(row) for row in rows])
    spread = float(means.std()) or 1.0
    variance = fit_blocks(rows, np.eye(len(rows))).variance
    known = not math.isnan(variance)
    runs = np.array([len(row.results) for row in rows])
    kernel = _kernel(factors)
    process = GaussianProcessRegressor(
        kernel if known else kernel + WhiteKernel(0.05, _NOISE),
        alpha=1e-6 + (variance / runs / spread**2 if known else np.zeros(len(rows))),
        n_restarts_optimizer=2,
        random_state=0,
    )
    with warnings.catch_warnings():  # a length at its bound is an answer: a factor that does nothing
        warnings.simplefilter("ignore", ConvergenceWarning)
        process.fit(_encode(factors, [row.recipe for row in rows]), (means - means.mean()) / spread)
    noise = 0.0 if known else float(process.kernel_.k2.noise_level)
    return Surrogate(factors, process, noise, float(means.mean()), spread)


def _kernel(factors: Sequence[Factor]) -> Kernel:
    """Height times the sum of a kernel along each factor and a smaller one of all coordinates."""
    ends = tuple(accumulate(len(factor.encode(factor.levels[0])) for factor in factors))
    together = ConstantKernel(_INTERACTION, "fixed") * Matern(1.0, "fixed", nu=2.5)
    return ConstantKernel(1.0, (0.1, 100.0)) * (SumOfMaterns([1.0] * len(ends), ends) + together)


def mean_of(row: RowResults) -> float:
    """The mean accuracy of a row's runs, in percent."""
    return float(np.mean([result.accuracy for result in row.results]))


def _encode(factors: Sequence[Factor], recipes: Sequence[Recipe]) -> Floats:
    """Coordinates [recipes, coordinates]."""
    return np.array([[x for f in factors for x in f.encode(recipe.get(f.name))] for recipe in recipes])
