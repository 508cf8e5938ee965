"""What a few runs can say: intervals, paired differences, corrections for many comparisons, and how many runs to plan.

References:
    Student 1908, The probable error of a mean; Holm 1979, A simple sequentially rejective multiple test procedure;
    McNemar 1947, Note on the sampling error of the difference between correlated proportions or percentages;
    Dietterich 1998, Approximate statistical tests for comparing supervised classification learning algorithms.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import stdtr, stdtrit
from statsmodels.stats.contingency_tables import mcnemar as _mcnemar
from statsmodels.stats.multitest import multipletests
from statsmodels.stats.power import TTestPower

_MOST_SEEDS = 1_000_000
_LARGEST_EFFECT = 1e4  # a larger one is found as surely


@dataclass(frozen=True)
class Estimate:
    """A mean and how far it can be trusted; all in the unit of the values, nan where too few values say nothing.

    Attributes:
        mean: of the values.
        std: standard deviation, with n - 1 in the denominator; at least the values' resolution.
        low: lower end of the mean's interval.
        high: upper end.
        n: how many values.
    """

    mean: float
    std: float
    low: float
    high: float
    n: int

    @property
    def half_width(self) -> float:
        """From the mean to either end."""
        return (self.high - self.low) / 2


@dataclass(frozen=True)
class Difference(Estimate):
    """The mean of paired differences.

    Attributes:
        p: of the two-sided paired t-test that the mean is 0; nan for fewer than two pairs.
    """

    p: float


@dataclass(frozen=True)
class Answers:
    """Where two networks differ on the same images.

    Attributes:
        gained: images that the control got wrong and the other right.
        lost: images that the control got right and the other wrong.
        p: of McNemar's exact two-sided test that either is as likely.
    """

    gained: int
    lost: int
    p: float


def estimate(values: Sequence[float], level: float = 0.95, resolution: float = 0.0) -> Estimate:
    """The mean with Student's t interval (Student 1908).

    Values that come in steps, as accuracies do, are now and then equal by chance, which does not mean that another
    one would be equal too. So the standard deviation is taken to be at least such a step.

    Args:
        values: independent, and roughly normal where they are few.
        level: the share of such intervals that hold the true mean, in (0, 1).
        resolution: the step in which values can differ, in their unit: 100 / N for an accuracy in percent over N
            images; 0 where they are continuous or it is unknown.

    Returns:
        Of one value only the mean; of none only n = 0.
    """
    sample = np.asarray(values, dtype=np.float64)
    mean, error, std = _moments(sample, resolution)
    width = error * float(stdtrit(max(len(sample) - 1, 1), (1 + level) / 2))
    return Estimate(mean, std, mean - width, mean + width, len(sample))


def paired_difference(
    values: Mapping[int, float], control: Mapping[int, float], level: float = 0.95, resolution: float = 0.0
) -> Difference:
    """The mean difference over the seeds that both have, with the interval and p value of the paired t-test.

    What a seed does to both (the order of images, the cut of the data) drops out of each difference.

    Args:
        values: by seed.
        control: by seed.
        level: of the interval, in (0, 1).
        resolution: the step in which values can differ, as for ``estimate``. The differences' standard deviation is
            taken to be at least that: without it, a few pairs whose differences are equal by chance would make any
            difference certain, and far more false claims than the level allows.
    """
    sample = np.array([values[seed] - control[seed] for seed in sorted(values.keys() & control.keys())], np.float64)
    about = estimate(sample.tolist(), level, resolution)
    return Difference(about.mean, about.std, about.low, about.high, about.n, _p_of_zero(sample, resolution))


def holm(p_values: Sequence[float]) -> list[float]:
    """Adjusted p values, in the given order: rejecting those below a level errs at most so often in all (Holm 1979).

    Args:
        p_values: in [0, 1]; nan is a comparison that was not made: it stays nan and does not count.
    """
    adjusted = np.array(p_values, dtype=np.float64)
    made = ~np.isnan(adjusted)
    if made.any():
        adjusted[made] = multipletests(adjusted[made], method="holm")[1]
    return [float(p) for p in adjusted]


def mcnemar(correct: NDArray[np.bool_], control_correct: NDArray[np.bool_]) -> Answers:
    """McNemar's exact test on the images that two networks answer differently (McNemar 1947).

    It tells whether these two networks differ on images like these. It knows nothing of how much another seed would
    have changed either, so it cannot tell whether the choices behind them differ (Dietterich 1998, section 3).

    Args:
        correct: for each image whether it was answered rightly.
        control_correct: the control's, of the same images in the same order.

    Raises:
        ValueError: not equally many images.
    """
    if len(correct) != len(control_correct):
        raise ValueError(
            f"answers to {len(correct)} images against {len(control_correct)}: they must be the same images"
        )
    gained = int(np.sum(correct & ~control_correct))
    lost = int(np.sum(~correct & control_correct))
    if gained == lost:  # where the binomial is symmetric: statsmodels counts the middle twice
        return Answers(gained, lost, 1.0)
    return Answers(gained, lost, float(_mcnemar([[0, gained], [lost, 0]], exact=True).pvalue))


def seeds_to_resolve(
    std: float, difference: float, comparisons: int = 1, power: float = 0.8, level: float = 0.05
) -> int:
    """The fewest pairs of runs with which a paired t-test finds a true difference with the given probability.

    Args:
        std: of the paired differences; where it comes from a few runs, so does the answer.
        difference: the true one to find, in the unit of ``std``.
        comparisons: rows that share the level: the smallest p value must pass level / comparisons (Holm 1979).
        power: the wanted probability, in (0, 1).
        level: of false positives over all comparisons, in (0, 1).

    Returns:
        At least 2; at most 1,000,000, which stands for more too.

    Raises:
        ValueError: a difference of 0, which no number of runs resolves, or a spread that is no number.
    """
    if not (difference and math.isfinite(difference) and math.isfinite(std) and std >= 0):
        raise ValueError(
            f"seeds to resolve {difference:g} at a spread of {std:g}: both must be numbers, the first not 0"
        )
    if std == 0:
        return 2
    effect = min(abs(difference) / std, _LARGEST_EFFECT)
    return _first(2, _MOST_SEEDS, lambda n: _power(effect, n, level / comparisons) >= power)


def _moments(sample: NDArray[np.float64], resolution: float) -> tuple[float, float, float]:
    """Mean, standard error of the mean, standard deviation, which is never below the resolution.

    Equal values spread exactly 0 else, whatever rounding says.
    """
    if len(sample) < 2:
        return (float(sample[0]) if len(sample) else math.nan), math.nan, math.nan
    std = float(sample.std(ddof=1)) if np.ptp(sample) else 0.0
    mean = float(sample.mean()) if std else float(sample[0])
    std = max(std, resolution)
    return mean, std / math.sqrt(len(sample)), std


def _p_of_zero(sample: NDArray[np.float64], resolution: float) -> float:
    mean, error, _ = _moments(sample, resolution)
    if error == 0:
        return float(mean == 0)
    return float(2 * stdtr(max(len(sample) - 1, 1), -abs(mean / error)))


def _power(effect: float, n: int, level: float) -> float:
    """Of the two-sided paired t-test, where only a finding in the right direction counts.

    The library's noncentral t gives nan at a few isolated places; there a slightly smaller effect answers.
    """
    power = float(TTestPower().power(effect, n, level / 2, alternative="larger"))
    return _power(0.99 * effect, n, level) if math.isnan(power) else power


def _first(low: int, high: int, holds: Callable[[int], bool]) -> int:
    """The least number for which it holds, or ``high``; it holds for all larger ones."""
    while low < high:
        middle = (low + high) // 2
        low, high = (low, middle) if holds(middle) else (middle + 1, high)
    return low
