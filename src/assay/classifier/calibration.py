"""Calibration: how well a network's confidence agrees with its accuracy.

References:
    Guo et al. 2017, On Calibration of Modern Neural Networks.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from assay.base.statistics import Interval, wilson_interval

BINS = 15


@dataclass(frozen=True)
class Bin:
    """The answers within a range of confidence, (low, high].

    Attributes:
        low: its lower end, which does not belong to it.
        high: its upper end, which does.
        images: how many answers are in it.
        confidence: their mean confidence, in [0, 1]; nan where there are none.
        accuracy: the share of them that are right, in [0, 1]; nan where there are none.
    """

    low: float
    high: float
    images: int
    confidence: float
    accuracy: float

    @property
    def interval(self) -> Interval | None:
        """The 95 % interval of the accuracy, as ``Evaluation.interval``; None where there are no answers."""
        return wilson_interval(self.accuracy, self.images) if self.images else None


def reliability_bins(confidence: NDArray[np.float64], correct: NDArray[np.bool_]) -> tuple[Bin, ...]:
    """Sort answers into 15 equal bins of confidence (section 2).

    Args:
        confidence: the probability of each answer, ``[N]``, in [0, 1].
        correct: whether it is right, ``[N]``.
    """
    edges = np.linspace(0, 1, BINS + 1)
    place = np.clip(np.searchsorted(edges, confidence, side="left") - 1, 0, None)  # a bin is (low, high]
    images, sure, right = (np.bincount(place, weights, BINS).tolist() for weights in (None, confidence, correct))
    return tuple(
        Bin(low, high, n, s / n if n else math.nan, r / n if n else math.nan)
        for low, high, n, s, r in zip(edges[:-1].tolist(), edges[1:].tolist(), images, sure, right, strict=True)
    )


def expected_calibration_error(bins: Sequence[Bin]) -> float:
    """Return the mean distance of accuracy and confidence, weighted with the bins' answers (equation 3), in [0, 1]."""
    filled = [part for part in bins if part.images]
    distance = sum(part.images * abs(part.accuracy - part.confidence) for part in filled)
    return distance / sum(part.images for part in filled)
