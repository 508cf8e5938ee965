"""Calibration: how well a run's confidence agrees with its accuracy.

References:
    Guo et al. 2017, On Calibration of Modern Neural Networks.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from assay.analysis.errors.results import Bin, Calibration
from assay.classifier.evaluation import CALIBRATION_BINS


def calibrate(run: str, confidence: NDArray[np.float64], correct: NDArray[np.bool_]) -> Calibration:
    """Return the reliability of a run's answers in 15 equal bins of confidence (section 2, equations 2 and 3).

    Args:
        run: its name.
        confidence: the probability of each answer, ``[N]``, in [0, 1].
        correct: whether it is right, ``[N]``.
    """
    edges = np.linspace(0, 1, CALIBRATION_BINS + 1)
    place = np.clip(np.searchsorted(edges, confidence, side="left") - 1, 0, None)  # a bin is (low, high]
    images, sure, right = (
        np.bincount(place, weights, minlength=CALIBRATION_BINS).tolist() for weights in (None, confidence, correct)
    )
    bins = tuple(
        Bin(low, high, n, s / n if n else math.nan, r / n if n else math.nan)
        for low, high, n, s, r in zip(edges[:-1].tolist(), edges[1:].tolist(), images, sure, right, strict=True)
    )
    error = sum(abs(r - s) for r, s in zip(right, sure, strict=True)) / len(correct)
    return Calibration(run, error, bins)
