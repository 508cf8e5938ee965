"""Whether several runs fail on the same images."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from assay.analysis.errors.answers import Answers
from assay.analysis.errors.mistakes import as_mistakes
from assay.analysis.errors.results import Mistake, WrongInRuns


def poisson_binomial(probabilities: Sequence[float]) -> NDArray[np.float64]:
    """The distribution of how many of n independent events happen, each with a probability of its own.

    Args:
        probabilities: n of them, in [0, 1].

    Returns:
        The probability of 0, 1... n, which is the product of the polynomials (1 - p) + p x.
    """
    counts = np.ones(1)
    for probability in probabilities:
        counts = np.convolve(counts, [1 - probability, probability])
    return counts


def count_wrong(runs: Sequence[Answers]) -> tuple[WrongInRuns, ...]:
    """How many images are wrong in 0, 1... all of the runs, beside what independent runs would give on average."""
    wrong = np.stack([~run.correct for run in runs])
    observed = np.bincount(wrong.sum(axis=0), minlength=len(runs) + 1)
    expected = wrong.shape[1] * poisson_binomial(wrong.mean(axis=1).tolist())
    return tuple(
        WrongInRuns(number, int(images), float(mean))
        for number, (images, mean) in enumerate(zip(observed, expected, strict=True))
    )


def find_always_wrong(runs: Sequence[Answers]) -> tuple[Mistake, ...]:
    """The images that all runs get wrong, the most confident first.

    Their answer is the one that most runs give, among equally many the one of higher mean probability.
    """
    rows = np.flatnonzero(np.all([~run.correct for run in runs], axis=0))
    places = np.arange(len(rows))
    shares = np.mean([run.probabilities(rows) for run in runs], axis=0)
    votes = shares.copy()  # less than one vote apart, so that they decide only between equals
    for run in runs:
        votes[places, run.predicted[rows]] += 1
    predicted = votes.argmax(axis=1)
    order = np.argsort(-shares[places, predicted], kind="stable")
    return as_mistakes(runs, rows[order], predicted[order], shares[order])
