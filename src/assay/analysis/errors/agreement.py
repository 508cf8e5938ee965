"""Whether several runs fail on the same images."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from assay.analysis.errors.mistakes import to_mistakes
from assay.analysis.errors.results import Mistake, WrongInRuns
from assay.analysis.errors.runs import EvaluatedRun


def poisson_binomial(probabilities: Sequence[float]) -> NDArray[np.float64]:
    """Return the probabilities that 0, 1... n independent events happen, of which each has a probability of its own.

    They are the coefficients of the product of the polynomials (1 - p) + p x.
    """
    counts = np.ones(1)
    for probability in probabilities:
        counts = np.convolve(counts, [1 - probability, probability])
    return counts


def count_wrong(runs: Sequence[EvaluatedRun]) -> tuple[WrongInRuns, ...]:
    """Count the images that are wrong in 0, 1... all runs, beside what independent runs would give on average."""
    wrong = np.stack([~run.evaluation.correct.numpy() for run in runs])
    observed = np.bincount(wrong.sum(axis=0), minlength=len(runs) + 1)
    expected = wrong.shape[1] * poisson_binomial(wrong.mean(axis=1).tolist())
    return tuple(map(WrongInRuns, range(len(runs) + 1), observed.tolist(), expected.tolist()))


def find_always_wrong(runs: Sequence[EvaluatedRun]) -> tuple[Mistake, ...]:
    """Return the images that all runs get wrong, the most confident first.

    Their answer is the one that most runs give; of equally frequent answers the one with the higher mean probability.
    """
    evaluations = [run.evaluation for run in runs]
    rows = np.flatnonzero(np.all([~one.correct.numpy() for one in evaluations], axis=0))
    places = np.arange(len(rows))
    shares = np.mean([one.scores[rows].softmax(dim=1).numpy() for one in evaluations], axis=0)
    votes = shares.copy()  # a probability is at most one vote, so it decides only between equal numbers of votes
    for one in evaluations:
        votes[places, one.predicted[rows].numpy()] += 1
    predicted = votes.argmax(axis=1)
    order = np.argsort(-shares[places, predicted], kind="stable")
    return to_mistakes(runs, rows[order], predicted[order], shares[order])
