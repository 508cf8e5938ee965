"""The confusion matrix: shares and counts, for any number of classes and any names."""

from pathlib import Path

import pytest
from drawn import NAMES, evaluation, letters, size_of
from matplotlib.cbook import is_math_text

from assay.analysis.figures.confusion import plot_confusion
from quick_suite import rest_slow


def test_confusion_is_in_percent_of_the_label_with_counts() -> None:
    figure = plot_confusion(evaluation(letters(3), count=30, wrong=5), "the title")
    axes, bar = figure.axes
    assert axes.get_title() == "the title"
    assert (axes.get_xlabel(), axes.get_ylabel()) == ("predicted", "label")
    assert bar.get_ylabel() == "percent of the label's images"
    assert axes.images[0].get_array().tolist() == [[80, 20, 0], [0, 80, 20], [10, 0, 90]]
    counts = {text.get_position(): text.get_text() for text in axes.texts}
    assert counts == {(0, 0): "8", (1, 0): "2", (1, 1): "8", (2, 1): "2", (0, 2): "1", (2, 2): "9"}
    assert [label.get_text() for label in axes.get_xticklabels()] == list(letters(3))


def test_confusion_of_a_class_without_images() -> None:
    without = evaluation(letters(4), count=3)
    assert plot_confusion(without).axes[0].images[0].get_array()[3].tolist() == [0, 0, 0, 0]


@pytest.mark.parametrize(("classes", "has_counts"), rest_slow([(21, False), (20, True), (100, False)]))
def test_confusion_of_many_classes(classes: int, has_counts: bool, tmp_path: Path) -> None:
    figure = plot_confusion(evaluation(letters(classes), count=200))
    assert bool(figure.axes[0].texts) is has_counts
    assert len(figure.axes[0].get_yticks()) == classes
    assert max(size_of(figure, tmp_path)) < 2400


@pytest.mark.parametrize("name", [*NAMES, "$a_$", "$x$"])
def test_names_are_no_formulas_in_the_confusion_matrix(name: str, tmp_path: Path) -> None:
    figure = plot_confusion(evaluation((name, "other"), count=4))
    shown = figure.axes[0].get_yticklabels()[0].get_text()
    assert shown.replace(r"\$", "$") == name
    assert not is_math_text(shown)
    size_of(figure, tmp_path)
