"""Which images are wrong, and what they are taken for."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from assay.analysis.errors.results import Confusion, Flip, Flips, Mistake
from assay.analysis.errors.runs import EvaluatedRun
from assay.base.statistics import mcnemar


def find_mistakes(runs: Sequence[EvaluatedRun]) -> tuple[Mistake, ...]:
    """Return the wrongly answered images of the first run, the most confident first."""
    first = runs[0].evaluation
    rows = np.array(first.mistakes(), dtype=np.int64)
    return to_mistakes(runs, rows, first.predicted[rows].numpy(), first.scores[rows].softmax(dim=1).numpy())


def to_mistakes(
    runs: Sequence[EvaluatedRun],
    rows: NDArray[np.int64],
    predicted: NDArray[np.int64],
    probabilities: NDArray[np.float64],
) -> tuple[Mistake, ...]:
    """Return a mistake for each of M rows, with the predicted class ``[M]`` and the probabilities ``[M, K]``."""
    names, classes = runs[0].evaluation.names, runs[0].evaluation.classes
    runs_wrong = np.sum([~run.evaluation.correct[rows].numpy() for run in runs], axis=0)
    labels, places = runs[0].evaluation.labels[rows].numpy(), np.arange(len(rows))
    columns = rows, labels, predicted, probabilities[places, predicted], probabilities[places, labels], runs_wrong
    return tuple(
        Mistake(row, names[row], classes[label], classes[answer], confidence, of_label, count)
        for row, label, answer, confidence, of_label, count in zip(*(each.tolist() for each in columns), strict=True)
    )


def find_confusions(runs: Sequence[EvaluatedRun]) -> tuple[Confusion, ...]:
    """Return all pairs of classes that are confused, the most often confused first; equal counts by their share."""
    classes = runs[0].evaluation.classes
    counts = np.mean([run.evaluation.confusion.numpy() for run in runs], axis=0)
    images = runs[0].evaluation.confusion.sum(dim=1).tolist()
    np.fill_diagonal(counts, 0)  # the right answers
    pairs = [
        Confusion(classes[label], classes[answer], float(counts[label, answer]), images[label])
        for label, answer in np.argwhere(counts)
    ]
    return tuple(sorted(pairs, key=lambda pair: (-pair.count, -pair.share)))


def find_flips(run: EvaluatedRun, against: EvaluatedRun) -> Flips:
    """Return the images that one of two runs gets right and the other wrong, with McNemar's test of their numbers."""
    first, other = run.evaluation, against.evaluation
    right, others_right = first.correct.numpy(), other.correct.numpy()
    test = mcnemar(right, others_right)
    wrong_confidence = np.where(right, other.confidence.numpy(), first.confidence.numpy())
    rows = np.flatnonzero(right != others_right)
    rows = rows[np.lexsort((-wrong_confidence[rows], ~right[rows]))]  # the last key is the first one sorted by
    names, classes = first.names, first.classes
    answers = first.labels, first.predicted, first.confidence, other.predicted, other.confidence, first.correct
    images = tuple(
        Flip(row, names[row], classes[label], classes[answer], confidence, classes[others], others_confidence, gained)
        for row, label, answer, confidence, others, others_confidence, gained in zip(
            rows.tolist(), *(column[rows].tolist() for column in answers), strict=True
        )
    )
    return Flips(run.run, against.run, test.gained, test.lost, test.p, images)
