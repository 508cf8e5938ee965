"""How often one choice beats another: the probability that a new run of the one is better than a new run of the other.

References:
    Mann & Whitney 1947, On a test of whether one of two random variables is stochastically larger than the other;
    Newcombe 2006, Confidence intervals for an effect size measure based on the Mann-Whitney statistic, part 2;
    Bouthillier et al. 2021, Accounting for variance in machine learning benchmarks, section 4.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np

_NEAR = 1e-9


@dataclass(frozen=True)
class Superiority:
    """The probability that a new run of one choice beats one of another, and its interval, in [0, 1].

    Attributes:
        share: the share of pairs of runs in which the one is better; a tie counts half.
        low: lower end of the interval.
        high: upper end of it.
    """

    share: float
    low: float
    high: float


def superiority(values: Sequence[float], control: Sequence[float], level: float = 0.95) -> Superiority:
    """Estimate how often a new value exceeds a new one of the control.

    The interval is Newcombe's method 5: it solves (share - theta)^2 = z^2 var(theta), so it stays in [0, 1] and has a
    width also where all values exceed all of the control's.

    Args:
        values: independent; at least one.
        control: of the other choice; at least one.
        level: the share of such intervals that hold the true probability, in (0, 1).
    """
    from scipy.optimize import brentq

    ours, theirs = np.asarray(values)[:, np.newaxis], np.asarray(control)[np.newaxis]
    share = float(np.mean((ours > theirs) + 0.5 * (ours == theirs)))
    z = NormalDist().inv_cdf((1 + level) / 2)

    def excess(theta: float) -> float:
        return (share - theta) ** 2 - z**2 * _variance(theta, len(values), len(control))

    # 0 and 1 solve it too where the share is 0 or 1, and are not the ends that are meant.
    low = 0.0 if share == 0 else brentq(excess, 0.0, min(share, 1 - _NEAR))
    high = 1.0 if share == 1 else brentq(excess, max(share, _NEAR), 1.0)
    return Superiority(share, float(low), float(high))


def _variance(theta: float, ours: int, theirs: int) -> float:
    """The variance of the share (Hanley & McNeil 1982), with the mean of both numbers in its numerator (Newcombe)."""
    others = (ours + theirs) / 2 - 1
    spread = (1 - theta) / (2 - theta) + theta / (1 + theta)
    return theta * (1 - theta) * (1 + others * spread) / (ours * theirs)
