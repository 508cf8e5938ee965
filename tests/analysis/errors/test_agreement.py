"""How many runs are wrong together, against brute force over all outcomes."""

import itertools
import math

import numpy as np
import pytest

from assay.analysis.errors.agreement import count_wrong, find_always_wrong, poisson_binomial


def by_brute_force(probabilities: list[float]) -> list[float]:
    """The sum over all 2^n outcomes."""
    total = [0.0] * (len(probabilities) + 1)
    for outcome in itertools.product([False, True], repeat=len(probabilities)):
        chances = [p if happens else 1 - p for p, happens in zip(probabilities, outcome, strict=True)]
        total[sum(outcome)] += math.prod(chances)
    return total


@pytest.mark.parametrize("probabilities", [[], [0.3], [0.0, 1.0], [0.1, 0.5, 0.25, 0.9, 0.033], [0.2] * 9])
def test_poisson_binomial_equals_brute_force(probabilities: list[float]) -> None:
    assert poisson_binomial(probabilities).tolist() == pytest.approx(by_brute_force(probabilities))


def test_equal_probabilities_give_the_binomial() -> None:
    expected = [math.comb(6, k) * 0.15**k * 0.85 ** (6 - k) for k in range(7)]
    assert poisson_binomial([0.15] * 6).tolist() == pytest.approx(expected)


def test_counts_beside_what_independence_gives(make_evaluated) -> None:
    right, wrong = [0.9, 0.1], [0.2, 0.8]
    first = make_evaluated("one", [wrong, wrong, right, right], [0] * 4)
    second = make_evaluated("two", [wrong, right, right, right], [0] * 4)
    rows = count_wrong([first, second])
    assert [(row.runs, row.images) for row in rows] == [(0, 2), (1, 1), (2, 1)]
    expected = [4 * 0.5 * 0.75, 4 * (0.5 * 0.75 + 0.5 * 0.25), 4 * 0.5 * 0.25]
    assert [row.if_independent for row in rows] == pytest.approx(expected)


def test_what_is_always_wrong_has_the_answer_of_most_runs(make_evaluated) -> None:
    """Of the second image three runs say b, though a has the higher mean; of the third it is a tie."""
    labels = [0, 2, 2]
    runs = [
        make_evaluated("one", [[0.9, 0.05, 0.05], [0.4, 0.5, 0.1], [0.5, 0.3, 0.2]], labels),
        make_evaluated("two", [[0.1, 0.8, 0.1], [0.4, 0.5, 0.1], [0.1, 0.8, 0.1]], labels),
        make_evaluated("three", [[0.1, 0.8, 0.1], [0.95, 0.025, 0.025], [0.6, 0.3, 0.1]], labels),
        make_evaluated("four", [[0.1, 0.8, 0.1], [0.4, 0.5, 0.1], [0.2, 0.7, 0.1]], labels),
    ]
    found = find_always_wrong(runs)
    assert [(one.index, one.predicted, one.runs_wrong) for one in found] == [(2, "b", 4), (1, "b", 4)]
    assert found[0].confidence == pytest.approx(np.mean([0.3, 0.8, 0.3, 0.7]))
    assert found[0].probability_of_label == pytest.approx(np.mean([0.2, 0.1, 0.1, 0.1]))
    assert found[1].confidence == pytest.approx(np.mean([0.5, 0.5, 0.025, 0.5]))


def test_runs_without_a_common_mistake(make_evaluated) -> None:
    runs = [make_evaluated("one", [[0.9, 0.1]], [0]), make_evaluated("two", [[0.1, 0.9]], [0])]
    assert find_always_wrong(runs) == ()
