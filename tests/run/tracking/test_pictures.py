"""The pictures of the log show the weights and the mistakes."""

import numpy as np
import pytest
import torch
from torch import nn

from assay.classifier.evaluation import Evaluation
from assay.data.dataset import MemoryDataset
from assay.run.tracking import pictures
from assay.run.tracking.pictures import draw_kernels, draw_mistakes

DRAW = torch.Generator().manual_seed(4)


def network(inputs: int, outputs: int, side: int) -> nn.Sequential:
    convolution = nn.Conv2d(inputs, outputs, side)
    convolution.weight.data = torch.randn(outputs, inputs, side, side, generator=DRAW)
    return nn.Sequential(nn.Identity(), convolution, nn.Conv2d(outputs, 2, 1))


def test_a_filter_over_colours_is_a_coloured_picture() -> None:
    model = network(3, 2, 3)
    grid = draw_kernels(model)
    assert grid is not None
    assert grid.shape == (3, 24, 50)  # two kernels of 24 pixels, and a gap of 2 between them
    weights = model[1].weight.detach().numpy()
    for number, filters in enumerate(weights):
        wanted = 0.5 + 0.5 * filters / np.abs(filters).max()
        for row in range(3):
            for column in range(3):
                pixel = grid[:, 8 * row + 4, 26 * number + 8 * column + 4]
                np.testing.assert_allclose(pixel, wanted[:, row, column], rtol=1e-6)


@pytest.mark.parametrize(("inputs", "shown"), [(1, 1), (2, 2), (6, 4)])
def test_other_filters_are_grey_pictures_side_by_side(inputs: int, shown: int) -> None:
    model = network(inputs, 3, 5)
    grid = draw_kernels(model)
    assert grid is not None
    weights = model[1].weight.detach().numpy()
    columns = max(8, 4 * shown)
    for number in range(3 * shown):
        filters = weights[number // shown]
        wanted = 0.5 + 0.5 * filters[number % shown] / np.abs(filters).max()
        top, left = 27 * (number // columns), 27 * (number % columns)
        picture = grid[:, top + 2 : top + 25 : 5, left + 2 : left + 25 : 5]
        np.testing.assert_allclose(picture, np.broadcast_to(wanted, (3, 5, 5)), rtol=1e-6)


def test_kernels_that_are_zero_or_no_numbers_are_grey() -> None:
    model = network(1, 2, 3)
    model[1].weight.data[0] = 0
    model[1].weight.data[1] = float("nan")
    grid = draw_kernels(model)
    assert grid is not None
    assert grid.unique().tolist() == [0.5, 1.0]


def test_at_most_64_filters_and_no_picture_without_a_convolution() -> None:
    grid = draw_kernels(network(3, 100, 3))
    assert grid is not None
    assert grid.shape == (3, 8 * 26 - 2, 8 * 26 - 2)
    assert draw_kernels(nn.Linear(3, 2)) is None


def evaluation(wrong: int, channels: int, classes: tuple[str, ...] = ("cat", "dog"), side: int = 8) -> Evaluation:
    """20 images of which the first are taken for the next class, each surer than the one before."""
    labels = torch.zeros(20, dtype=torch.int64)
    answers = (torch.arange(20) < wrong).long()
    scores = nn.functional.one_hot(answers, len(classes)) * torch.arange(1, 21)[:, None] / 2
    images = torch.arange(20).view(20, 1, 1, 1).expand(20, channels, side, side).to(torch.uint8) * 10
    return Evaluation.of_dataset(scores.float(), MemoryDataset(images, labels, [str(n) for n in range(20)]), classes)


def texts(monkeypatch: pytest.MonkeyPatch, wanted: Evaluation) -> tuple[np.ndarray, list[str]]:
    written: list[str] = []
    original = pictures._write

    def spy(sheet, top, text, color):
        written.append(text)
        original(sheet, top, text, color)

    monkeypatch.setattr(pictures, "_write", spy)
    return np.asarray(draw_mistakes(wanted)), written


@pytest.mark.parametrize("channels", [1, 3])
def test_the_surest_mistakes_come_first(channels: int, monkeypatch: pytest.MonkeyPatch) -> None:
    sheet, written = texts(monkeypatch, evaluation(15, channels))
    assert sheet.shape == (40 + 4 * 136, 3 * 118, 3)
    assert written[0] == "15 mistakes in 20 images, the 12 surest"
    assert written[2:4] == ["100 % dog", "true: cat"]
    middles = sheet[40 + 48 :: 136, 4 + 48 :: 118, 0]
    assert middles.flatten().tolist() == [10 * number for number in range(14, 2, -1)]


def test_without_mistakes_the_picture_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    sheet, written = texts(monkeypatch, evaluation(0, 3))
    assert sheet.shape == (40, 354, 3)
    assert written[0] == "0 mistakes in 20 images"


def test_names_may_hold_anything(monkeypatch: pytest.MonkeyPatch) -> None:
    names = ("one\ntwo\0\udcff", "$x_1$ <b>猫 and more than fits")
    _, written = texts(monkeypatch, evaluation(1, 3, names, side=300))
    assert written[2:] == ["62 % $x_1$ <b>猫 …", "true: one two \\ud…"]


def test_scores_that_are_no_numbers() -> None:
    broken = evaluation(5, 3)
    broken.scores.fill_(float("nan"))
    assert draw_mistakes(broken).width == 354
