"""Labels that were swapped on purpose are found; what is found is what cleanlab says."""

import sys

import numpy as np
import pytest
from cleanlab.filter import find_label_issues as by_cleanlab
from scipy.special import softmax
from sklearn.datasets import load_digits
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import cross_val_predict

from assay.analysis.errors.api import find_errors
from assay.analysis.errors.label_errors import find_label_issues

SWAPPED = 30


@pytest.fixture(scope="module")
def swapped():
    """Digits of which 30 labels are wrong: the labels, held-out probabilities of a linear model, the wrong rows."""
    pixels, labels = load_digits(return_X_y=True)
    pixels, labels = pixels[:600] / 16, labels[:600].copy()
    generator = np.random.default_rng(0)
    rows = generator.choice(600, SWAPPED, replace=False)
    labels[rows] = (labels[rows] + generator.integers(1, 10, SWAPPED)) % 10
    probabilities = cross_val_predict(LogisticRegression(C=0.3), pixels, labels, cv=4, method="predict_proba")
    return labels, probabilities, rows


def test_most_swapped_labels_are_found_and_little_else(make_evaluated, swapped) -> None:
    labels, probabilities, rows = swapped
    found = find_label_issues([make_evaluated("one", probabilities, labels)])
    named = {one.index for one in found.items}
    assert len(named & set(rows.tolist())) > 2 / 3 * SWAPPED
    assert len(named - set(rows.tolist())) <= 0.02 * len(labels)
    assert (found.split, found.images, found.found) == ("test", 600, len(found.items))
    first = found.items[0]
    assert first.given == "abcdefghij"[labels[first.index]]
    assert first.suggested == "abcdefghij"[probabilities[first.index].argmax()]
    assert first.confidence == pytest.approx(probabilities[first.index].max(), rel=1e-4)
    assert first.probability_of_given == pytest.approx(probabilities[first.index, labels[first.index]], rel=1e-4)


def test_it_is_what_cleanlab_says_of_the_mean_over_runs(make_evaluated, swapped) -> None:
    labels, probabilities, _ = swapped
    blurred = softmax(np.log(probabilities) / 2, axis=1)
    runs = [make_evaluated("one", probabilities, labels), make_evaluated("two", blurred, labels)]
    expected = by_cleanlab(labels, (probabilities + blurred) / 2, return_indices_ranked_by="self_confidence", n_jobs=1)
    assert [one.index for one in find_label_issues(runs).items] == expected.tolist()
    assert len(expected) > 10


def test_no_doubt_where_all_is_right(make_evaluated) -> None:
    answers = make_evaluated("one", [[0.9, 0.1], [0.1, 0.9]] * 5, [0, 1] * 5)
    assert find_label_issues([answers]).items == ()


def test_a_class_without_an_image(make_evaluated) -> None:
    answers = make_evaluated("one", [[0.8, 0.1, 0.1], [0.1, 0.1, 0.8], [0.05, 0.05, 0.9]] * 8, [0, 2, 2] * 8)
    assert find_label_issues([answers]).items == ()


def test_without_cleanlab_the_complaint_says_how_to_install_it(monkeypatch: pytest.MonkeyPatch, tmp_path) -> None:
    monkeypatch.setitem(sys.modules, "cleanlab.filter", None)
    with pytest.raises(ValueError, match=r"pip install 'assay\[label-errors\]'"):
        find_errors([tmp_path / "nowhere"], label_errors=True)
