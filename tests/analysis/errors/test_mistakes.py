"""Mistakes, confused pairs and flips, worked by hand and against scikit-learn and scipy."""

import numpy as np
import pytest
from scipy.stats import binomtest
from sklearn.metrics import confusion_matrix

from assay.analysis.errors.mistakes import find_confusions, find_flips, find_mistakes


@pytest.fixture
def pair(make_evaluated):
    """Two runs of four images: the second is wrong, the third by both, the last by one only."""
    labels = [0, 1, 2, 0]
    names = ["x.png", "y.png", "z.png", "w.png"]
    first = [[0.8, 0.1, 0.1], [0.6, 0.3, 0.1], [0.05, 0.9, 0.05], [0.5, 0.3, 0.2]]
    second = [[0.7, 0.2, 0.1], [0.1, 0.8, 0.1], [0.3, 0.5, 0.2], [0.1, 0.2, 0.7]]
    return make_evaluated("one", first, labels, names), make_evaluated("two", second, labels, names)


def test_the_most_confident_mistake_is_first(pair) -> None:
    mistakes = find_mistakes(pair)
    assert [(one.index, one.name, one.label, one.predicted, one.runs_wrong) for one in mistakes] == [
        (2, "z.png", "c", "b", 2),
        (1, "y.png", "b", "a", 1),
    ]
    assert [one.confidence for one in mistakes] == pytest.approx([0.9, 0.6])
    assert [one.probability_of_label for one in mistakes] == pytest.approx([0.05, 0.3])


def test_confusions_are_directed_and_their_mean_over_runs_is_taken(pair) -> None:
    found = [(one.label, one.predicted, one.count, one.of, one.share) for one in find_confusions(pair)]
    assert found == [("c", "b", 1.0, 1, 1.0), ("b", "a", 0.5, 1, 0.5), ("a", "c", 0.5, 2, 0.25)]


def test_confusions_equal_scikit_learns(make_evaluated) -> None:
    generator = np.random.default_rng(0)
    labels = generator.integers(0, 5, 400)
    runs = [make_evaluated(str(seed), generator.dirichlet(np.ones(5), 400), labels) for seed in range(3)]
    expected = np.mean([confusion_matrix(labels, run.evaluation.predicted, labels=range(5)) for run in runs], axis=0)
    np.fill_diagonal(expected, 0)
    found = np.zeros((5, 5))
    confusions = find_confusions(runs)
    for one in confusions:
        found["abcde".index(one.label), "abcde".index(one.predicted)] = one.count
    assert np.allclose(found, expected)
    counts = [one.count for one in confusions]
    assert counts == sorted(counts, reverse=True)


def test_flips_go_both_ways(pair) -> None:
    flips = find_flips(*pair)
    assert (flips.run, flips.other, flips.gained, flips.lost, flips.p) == ("one", "two", 1, 1, 1.0)
    assert [(one.name, one.label, one.predicted, one.other_predicted, one.gained) for one in flips.images] == [
        ("w.png", "a", "a", "c", True),
        ("y.png", "b", "a", "b", False),
    ]
    assert flips.images[0].confidence == pytest.approx(0.5)
    assert flips.images[0].other_confidence == pytest.approx(0.7)


def test_the_surest_wrong_answers_flip_first_and_the_test_is_exact(make_evaluated) -> None:
    right, wrong = [0.9, 0.1], [[0.4, 0.6], [0.1, 0.9], [0.3, 0.7]]
    first = make_evaluated("one", [right, right, right, wrong[0], right], [0] * 5)
    other = make_evaluated("two", [*wrong, right, right], [0] * 5)
    flips = find_flips(first, other)
    assert [one.index for one in flips.images] == [1, 2, 0, 3]
    assert (flips.gained, flips.lost) == (3, 1)
    assert flips.p == pytest.approx(binomtest(3, 4).pvalue)
