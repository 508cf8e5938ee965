"""Galleries: the right images with the right words, for any names and any images."""

from pathlib import Path

import pytest
import torch
from drawn import NAMES, evaluation, letters, size_of

from assay.analysis.figures.gallery import plot_mistakes, plot_samples


@pytest.mark.parametrize("channels", [1, 3])
def test_mistakes_come_the_most_confident_first(channels: int, tmp_path: Path) -> None:
    measured = evaluation(letters(3), channels=channels, wrong=10)
    figure = plot_mistakes(measured, "the title")
    filled = [axes for axes in figure.axes if axes.images]
    assert figure.get_suptitle() == "the title"
    assert len(figure.axes) == 16  # two lines of eight
    assert len(filled) == 10
    answer, label, name = filled[0].get_title().splitlines()
    assert (answer.partition("?")[0], label, name) == ("class 1", "label class 0", "9.png")
    assert filled[-1].get_title().endswith("0.png")
    expected = measured.dataset.images[9].permute(1, 2, 0).squeeze(-1)
    assert torch.equal(torch.from_numpy(filled[0].images[0].get_array().data.copy()), expected)
    size_of(figure, tmp_path)


def test_at_most_so_many_mistakes_are_shown() -> None:
    figure = plot_mistakes(evaluation(letters(3), wrong=50), most=20)
    assert sum(bool(axes.images) for axes in figure.axes) == 20


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
    assert len(figure.axes) == 15
    assert [axes.get_ylabel() for axes in figure.axes[::5]] == list(letters(3))
    assert [bool(axes.images) for axes in figure.axes] == [True, True, True, True, False] * 3
    second = measured.dataset.images[3].permute(1, 2, 0).squeeze(-1)
    assert torch.equal(torch.from_numpy(figure.axes[1].images[0].get_array().data.copy()), second)
    size_of(figure, tmp_path)


def test_samples_of_many_classes_show_the_first_ones(tmp_path: Path) -> None:
    measured = evaluation(letters(100), count=100)
    figure = plot_samples(measured, each=2)
    assert len(figure.axes) == 40
    assert figure.axes[-2].get_ylabel() == "class 19"
    size_of(figure, tmp_path)


def test_names_are_no_formulas_in_the_galleries(tmp_path: Path) -> None:
    measured = evaluation(NAMES, count=24, wrong=8, names="$x_$/{}^$.png")
    size_of(plot_mistakes(measured), tmp_path)
    size_of(plot_samples(measured), tmp_path)
