"""Which images are wrong, and what they are taken for."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from assay.analysis.errors.answers import Answers
from assay.analysis.errors.results import Confusion, Flip, Flips, Mistake
from assay.base.statistics import mcnemar


def find_mistakes(runs: Sequence[Answers]) -> tuple[Mistake, ...]:
    """The wrongly answered images of the first run, the most confident first."""
    first = runs[0]
    wrong = np.flatnonzero(~first.correct)
    rows = wrong[np.argsort(-first.confidence[wrong], kind="stable")]
    return as_mistakes(runs, rows, first.predicted[rows], first.probabilities(rows))


def as_mistakes(
    runs: Sequence[Answers], rows: NDArray[np.int64], predicted: NDArray[np.int64], probabilities: NDArray[np.float64]
) -> tuple[Mistake, ...]:
    """Those rows with what is answered for them, int64 ``[M]``, and how sure, ``[M, K]``."""
    first = runs[0]
    runs_wrong = np.sum([~run.correct[rows] for run in runs], axis=0)
    return tuple(
        Mistake(
            int(row),
            first.name(row),
            first.classes[first.labels[row]],
            first.classes[answer],
            float(shares[answer]),
            float(shares[first.labels[row]]),
            int(count),
        )
        for row, answer, shares, count in zip(rows, predicted, probabilities, runs_wrong, strict=True)
    )


def find_confusions(runs: Sequence[Answers]) -> tuple[Confusion, ...]:
    """All pairs of classes that are confused, the most often confused first; equal counts by their share."""
    first, size = runs[0], len(runs[0].classes)
    counts = np.mean([np.bincount(run.labels * size + run.predicted, minlength=size**2) for run in runs], axis=0)
    table = counts.reshape(size, size)
    of = np.bincount(first.labels, minlength=size)
    np.fill_diagonal(table, 0)
    pairs = [
        Confusion(first.classes[label], first.classes[answer], float(table[label, answer]), int(of[label]))
        for label, answer in np.argwhere(table)
    ]
    return tuple(sorted(pairs, key=lambda pair: (-pair.count, -pair.share)))


def find_flips(first: Answers, other: Answers) -> Flips:
    """The images that one of two runs gets right and the other wrong, and whether the numbers differ by chance."""
    test = mcnemar(first.correct, other.correct)
    wrong_confidence = np.where(first.correct, other.confidence, first.confidence)
    rows = np.flatnonzero(first.correct != other.correct)
    rows = rows[np.lexsort((-wrong_confidence[rows], ~first.correct[rows]))]
    images = tuple(
        Flip(
            row,
            first.name(row),
            first.classes[first.labels[row]],
            first.classes[first.predicted[row]],
            float(first.confidence[row]),
            first.classes[other.predicted[row]],
            float(other.confidence[row]),
            bool(first.correct[row]),
        )
        for row in rows.tolist()
    )
    return Flips(first.run, other.run, test.gained, test.lost, test.p, images)
