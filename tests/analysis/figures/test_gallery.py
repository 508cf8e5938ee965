"""Galleries: the right images with the right words, for any names and any images."""

from pathlib import Path

import numpy as np
import pytest
import torch
from drawn import NAMES, evaluation, letters, size_of
from matplotlib.figure import Figure

from assay.analysis.figures.gallery import plot_mistakes, plot_samples, put_picture


@pytest.mark.parametrize("channels", [1, 3])
def test_mistakes_come_the_most_confident_first(channels: int, tmp_path: Path) -> None:
    measured = evaluation(letters(3), channels=channels, wrong=10)
    figure = plot_mistakes(measured, "the title")
    (axes,) = figure.axes
    assert figure.get_suptitle() == "the title"
    assert len(axes.images) == len(axes.texts) == 10
    answer, label, name = axes.texts[0].get_text().splitlines()
    assert (answer.partition("?")[0], label, name) == ("class 1", "label class 0", "9.png")
    assert axes.texts[-1].get_text().endswith("0.png")
    expected = measured.dataset.images[9].permute(1, 2, 0).squeeze(-1)
    assert torch.equal(torch.from_numpy(axes.images[0].get_array().data.copy()), expected)
    size_of(figure, tmp_path)


def test_each_picture_has_a_square_below_its_words_eight_to_a_line() -> None:
    figure = plot_mistakes(evaluation(letters(3), wrong=10))
    (axes,) = figure.axes
    assert (axes.get_xlim(), axes.get_ylim()[1], axes.get_aspect()) == ((0, 8), 0, 1)
    for number, (image, words) in enumerate(zip(axes.images, axes.texts, strict=True)):
        left, right, bottom, top = image.get_extent()
        x, y = words.get_position()
        assert right - left == pytest.approx(bottom - top)
        assert (left + right) / 2 == pytest.approx(number % 8 + 0.5)
        assert (x, y) == pytest.approx(((left + right) / 2, top), abs=0.05)
        assert bottom < axes.get_ylim()[0]
    assert axes.images[8].get_extent()[3] > axes.images[0].get_extent()[2]  # the next line


def test_a_picture_keeps_its_aspect() -> None:
    axes = Figure().subplots()
    put_picture(axes, np.zeros((4, 8, 3), dtype=np.uint8), 2, 1)
    left, right, bottom, top = axes.images[0].get_extent()
    assert right - left == pytest.approx(2 * (bottom - top))
    assert ((left + right) / 2, (bottom + top) / 2) == pytest.approx((2.5, 1.5))
    assert right - left < 1


def test_at_most_so_many_mistakes_are_shown() -> None:
    figure = plot_mistakes(evaluation(letters(3), wrong=50), most=20)
    assert len(figure.axes[0].images) == 20


def test_no_mistakes_at_all(tmp_path: Path) -> None:
    figure = plot_mistakes(evaluation(letters(3), wrong=0), "the title")
    assert figure.get_suptitle() == "the title\nno mistakes"
    assert not any(axes.images for axes in figure.axes)
    size_of(figure, tmp_path)


@pytest.mark.parametrize("channels", [1, 3])
def test_samples_are_the_first_of_each_class(channels: int, tmp_path: Path) -> None:
    measured = evaluation(letters(3), count=12, channels=channels)
    figure = plot_samples(measured, "the title", each=5)
    assert figure.get_suptitle() == "the title"
    (axes,) = figure.axes
    assert [label.get_text() for label in axes.get_yticklabels()] == list(letters(3))
    assert (axes.get_xlim(), axes.get_ylim()) == ((0, 5), (3, 0))
    assert len(axes.images) == 12  # four of each class, in a row that has room for five
    left, right, bottom, top = axes.images[5].get_extent()
    assert ((left + right) / 2, (top + bottom) / 2) == pytest.approx((1.5, 1.5))
    second = measured.dataset.images[3].permute(1, 2, 0).squeeze(-1)
    assert torch.equal(torch.from_numpy(axes.images[1].get_array().data.copy()), second)
    size_of(figure, tmp_path)


def test_samples_of_many_classes_show_the_first_ones(tmp_path: Path) -> None:
    measured = evaluation(letters(100), count=100)
    figure = plot_samples(measured, each=2)
    (axes,) = figure.axes
    assert len(axes.images) == 20
    assert axes.get_yticklabels()[-1].get_text() == "class 19"
    size_of(figure, tmp_path)


def test_names_are_no_formulas_in_the_galleries(tmp_path: Path) -> None:
    measured = evaluation(NAMES, count=24, wrong=8, names="$x_$/{}^$.png")
    size_of(plot_mistakes(measured), tmp_path)
    size_of(plot_samples(measured), tmp_path)
