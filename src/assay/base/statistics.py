"""Conclusions from a few runs: intervals, paired differences, corrections for many comparisons, numbers of runs.

References:
    Student 1908, The probable error of a mean; Holm 1979, A simple sequentially rejective multiple test procedure;
    McNemar 1947, Note on the sampling error of the difference between correlated proportions or percentages;
    Dietterich 1998, Approximate statistical tests for comparing supervised classification learning algorithms;
    Wilson 1927, Probable inference, the law of succession, and statistical inference.
"""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

# scipy and statsmodels are imported by the functions that need them: they take more than a second, and every
# evaluation imports this module for the interval of its accuracy.

Interval = tuple[float, float]
"""the lower and the upper end"""

_MOST_SEEDS = 1_000_000
_LARGEST_EFFECT = 1e4  # in standard deviations; two pairs find it for sure, as they would any larger one


@dataclass(frozen=True)
class Estimate:
    """A mean and its confidence interval, in the unit of the values; nan for what too few values cannot tell.

    Attributes:
        mean: mean of the values.
        std: standard deviation, with n - 1 in the denominator; at least the values' resolution.
        low: lower end of the interval of the mean.
        high: upper end of it.
        n: number of values.
    """

    mean: float
    std: float
    low: float
    high: float
    n: int

    @property
    def half_width(self) -> float:
        """The distance from the mean to either end."""
        return (self.high - self.low) / 2


@dataclass(frozen=True)
class Difference(Estimate):
    """The mean of paired differences.

    Attributes:
        p: p value of the two-sided paired t-test that the mean is 0; nan for fewer than two pairs.
    """

    p: float


@dataclass(frozen=True)
class McNemarResult:
    """Where two networks differ on the same images.

    Attributes:
        gained: images that the control got wrong and the other right.
        lost: images that the control got right and the other wrong.
        p: p value of McNemar's exact two-sided test that both are equally likely.
    """

    gained: int
    lost: int
    p: float


def wilson_interval(share: float, n: int, level: float = 0.95) -> Interval:
    """Compute the score interval of a proportion (Wilson 1927; Brown, Cai & DasGupta 2001, section 3.1.1).

    Unlike the proportion plus and minus its standard error, it stays in [0, 1], has a width where the proportion is 0
    or 1, and covers the true proportion about as often as it says also where n is small.

    Args:
        share: the observed proportion, such as an accuracy, in [0, 1].
        n: independent observations that it is of, such as images; at least 1.
        level: the share of such intervals that hold the true proportion, in (0, 1).

    Returns:
        Its ends, in [0, 1].

    Raises:
        ValueError: a share outside [0, 1], or no observation.
    """
    if not (0 <= share <= 1 and n >= 1):
        raise ValueError(f"interval of a share of {share:g} in {n}: expected a share in [0, 1] of at least 1")
    z = NormalDist().inv_cdf((1 + level) / 2)
    centre = share + z**2 / (2 * n)
    width = z * math.sqrt(share * (1 - share) / n + (z / (2 * n)) ** 2)
    low, high = ((centre + side) / (1 + z**2 / n) for side in (-width, width))
    # Of none and of all it ends at 0 and at 1, which rounding may miss by the last bit.
    return (0.0 if share == 0 else low, 1.0 if share == 1 else high)


def least_difference(level: float = 0.05) -> int:
    """Return the fewest observations by which two answers to the same ones must differ to be told apart.

    The interval of a difference of paired proportions excludes 0 where McNemar's exact test rejects that both are
    equal. Where one is right in k observations more than the other, its p value is smallest if the other is right in
    none that the first gets wrong, and then it is 2 (1/2)^k (McNemar 1947): no smaller k reaches the level, however
    many observations there are.

    Args:
        level: the probability of a false positive, in (0, 1).
    """
    return math.floor(math.log2(2 / level)) + 1


def estimate(values: Sequence[float], level: float = 0.95, resolution: float = 0.0) -> Estimate:
    """Compute the mean with Student's t interval (Student 1908).

    Values that come in steps, as accuracies do, are sometimes equal by chance, although their true spread is not 0.
    So the standard deviation is taken to be at least such a step.

    Args:
        values: independent, and roughly normal if they are few.
        level: the share of such intervals that hold the true mean, in (0, 1).
        resolution: the step in which values can differ, in their unit: 100 / N for an accuracy in percent over N
            images; 0 if they are continuous or it is unknown.

    Returns:
        The estimate. From one value, only its mean and n are numbers; from none, only n.
    """
    from scipy.special import stdtrit

    sample, n = np.asarray(values, dtype=np.float64), len(values)
    if n < 2:
        return Estimate(float(sample[0]) if n else math.nan, math.nan, math.nan, math.nan, n)
    std = float(sample.std(ddof=1)) if np.ptp(sample) else 0.0  # of equal values numpy's would be above 0 by rounding
    mean = float(sample.mean()) if std else float(sample[0])
    std = max(std, resolution)
    width = std / math.sqrt(n) * float(stdtrit(n - 1, (1 + level) / 2))
    return Estimate(mean, std, mean - width, mean + width, n)


def paired_difference(
    values: Mapping[int, float], control: Mapping[int, float], level: float = 0.95, resolution: float = 0.0
) -> Difference:
    """Compare two choices over the seeds that both have, with the interval and p value of the paired t-test.

    Effects of a seed on both (the order of images, the cut of the data) cancel in each difference.

    Args:
        values: one choice's values, by seed.
        control: the other's, by seed.
        level: as for ``estimate``.
        resolution: as for ``estimate``. Without it, a few pairs whose differences are equal by chance would make any
            difference certain, and false claims far more frequent than the level allows.
    """
    from scipy.special import stdtr

    seeds = sorted(values.keys() & control.keys())
    about = estimate([values[seed] - control[seed] for seed in seeds], level, resolution)
    if about.n < 2:
        p = math.nan
    elif about.std == 0:
        p = float(about.mean == 0)
    else:
        p = float(2 * stdtr(about.n - 1, -abs(about.mean / (about.std / math.sqrt(about.n)))))
    return Difference(**vars(about), p=p)


def images_deviation(correct: NDArray[np.bool_]) -> float:
    """Estimate how much an accuracy varies with the choice of the test images, beside what it varies with the seed.

    By the law of total variance that of a new seed on new images is the variance over seeds on given images plus that
    over images of the mean over seeds. The second is estimated here from how much the images differ in the share p of
    seeds that get them right, less what that share varies because seeds are few: the mean of p (1 - p) / (seeds - 1).

    Args:
        correct: whether each seed's network classified each image correctly, ``[seeds, images]``, of two or more.

    Returns:
        The standard deviation of the accuracy over test sets of as many images, from 0 to 1.
    """
    seeds, images = correct.shape
    share = correct.mean(axis=0)
    variance = share.var(ddof=1) - float(np.mean(share * (1 - share))) / (seeds - 1)
    return math.sqrt(max(0.0, float(variance)) / images)


def holm(p_values: Sequence[float]) -> list[float]:
    """Adjust p values for many comparisons (Holm 1979), in the given order.

    The probability of any false rejection among the adjusted values below a level is at most that level.

    Args:
        p_values: in [0, 1]; nan stands for a comparison that was not made: it stays nan and does not count.
    """
    # By hand, because statsmodels collects garbage in each call: a third of a second in a process of some size.
    adjusted = np.array(p_values, dtype=np.float64)
    order = np.argsort(adjusted)[: np.count_nonzero(~np.isnan(adjusted))]  # nan sorts to the end
    steps = adjusted[order] * np.arange(len(order), 0, -1)
    adjusted[order] = np.minimum(1.0, np.maximum.accumulate(steps))
    return [float(p) for p in adjusted]


def mcnemar(correct: NDArray[np.bool_], control_correct: NDArray[np.bool_]) -> McNemarResult:
    """Do McNemar's exact test on the images that only one of two networks classifies correctly (McNemar 1947).

    It tells whether these two networks differ on images like these. It does not know how much another seed would
    change either, so it cannot tell whether the choices behind them differ (Dietterich 1998, section 3).

    Args:
        correct: whether each image was classified correctly.
        control_correct: the same for the control, of the same images in the same order.

    Raises:
        ValueError: the numbers of images differ.
    """
    from statsmodels.stats.contingency_tables import mcnemar as exact_test

    if len(correct) != len(control_correct):
        raise ValueError(
            f"answers to {len(correct)} images against {len(control_correct)}: they must be the same images"
        )
    gained = int(np.sum(correct & ~control_correct))
    lost = int(np.sum(~correct & control_correct))
    if gained == lost:  # where the binomial is symmetric: statsmodels counts the middle twice
        return McNemarResult(gained, lost, 1.0)
    return McNemarResult(gained, lost, float(exact_test([[0, gained], [lost, 0]], exact=True).pvalue))


def seeds_to_resolve(
    std: float, difference: float, comparisons: int = 1, power: float = 0.8, level: float = 0.05
) -> int:
    """Compute the fewest pairs of runs with which a paired t-test finds a true difference with a given probability.

    Args:
        std: standard deviation of the paired differences; estimated from few runs, it makes a rough answer.
        difference: the true difference to find, in the unit of ``std``.
        comparisons: rows that share the level: the smallest p value must pass level / comparisons (Holm 1979).
        power: the probability of finding it, in (0, 1).
        level: the probability of a false positive over all comparisons, in (0, 1).

    Returns:
        From 2 to 1,000,000, which also stands for more.

    Raises:
        ValueError: the difference is 0, which no number of runs resolves, or ``std`` is not a number from 0 on.
    """
    if not (difference and math.isfinite(difference) and math.isfinite(std) and std >= 0):
        raise ValueError(
            f"seeds to resolve {difference:g} at a spread of {std:g}: both must be numbers, the first not 0"
        )
    if std == 0:
        return 2
    from scipy.special import ndtri

    effect = min(abs(difference) / std, _LARGEST_EFFECT)

    def suffice(n: int) -> bool:
        return _power(effect, n, level / comparisons) >= power

    # Without the t distribution's heavier tails fewer would do; from there on a few steps reach the answer.
    low = int(min(((ndtri(1 - level / comparisons / 2) + ndtri(power)) / effect) ** 2, _MOST_SEEDS))
    low, step = (2 if low < 2 or suffice(low) else low), 4
    while low + step < _MOST_SEEDS and not suffice(low + step):
        low, step = low + step, 2 * step
    # The power grows with n, so the numbers that are too small come first.
    return low + bisect_left(range(low, min(low + step, _MOST_SEEDS)), True, key=suffice)


def _power(effect: float, n: int, level: float) -> float:
    """Return the power of the two-sided paired t-test, counting only findings in the right direction."""
    from statsmodels.stats.power import TTestPower

    power = float(TTestPower().power(effect, n, level / 2, alternative="larger"))
    # scipy's noncentral t gives nan at a few isolated points; a slightly smaller effect has nearly the same power.
    return _power(0.99 * effect, n, level) if math.isnan(power) else power
