"""Figures: the right panels with the right words, for any number of classes, any names, any images."""

import math
from pathlib import Path

import pytest
import torch
from matplotlib.cbook import is_math_text
from PIL import Image

from assay.analysis.figures.confusion import plot_confusion
from assay.analysis.figures.curves import plot_curves
from assay.analysis.figures.gallery import plot_mistakes, plot_samples
from assay.analysis.figures.style import save_figure
from assay.classifier.evaluation import Evaluation
from assay.data.dataset import MemoryDataset

NAMES = ("$a_$b$", "snake_case", "50 % {x", "back\\slash", "^_^", "a name that is far too long to fit")


def evaluation(
    classes: tuple[str, ...], *, count: int = 60, channels: int = 3, wrong: int = 10, names: str = "{}.png"
) -> Evaluation:
    """``count`` images of which the first ``wrong`` are taken for the next class."""
    generator = torch.Generator().manual_seed(0)
    images = torch.randint(0, 256, (count, channels, 6, 6), dtype=torch.uint8, generator=generator)
    labels = torch.arange(count) % len(classes)
    answers = (labels + (torch.arange(count) < wrong)) % len(classes)
    scores = 2.0 * torch.nn.functional.one_hot(answers, len(classes)) + torch.arange(count)[:, None] * 0.0
    scores[range(count), answers] += torch.arange(count) / count  # later ones are more confident
    dataset = MemoryDataset(images, labels, [names.format(number) for number in range(count)])
    return Evaluation.of_dataset(scores, dataset, classes)


def letters(count: int) -> tuple[str, ...]:
    return tuple(f"class {number}" for number in range(count))


def size_of(figure, folder: Path) -> tuple[int, int]:
    """Draws the figure; its width and height."""
    save_figure(figure, folder / "figure.png")
    with Image.open(folder / "figure.png") as image:
        image.load()
        return image.size


def test_curves_of_every_measured_split() -> None:
    rows = [
        {
            "epoch": epoch,
            "lr": 0.1,
            "train_loss": 1 / epoch,
            "train_accuracy": 0.5,
            "held_out_loss": 2.0 - (epoch == 2),
            "held_out_accuracy": 0.25 * epoch,
        }
        for epoch in (1, 2, 3)
    ]
    figure = plot_curves(rows, "the title")
    loss, accuracy = figure.axes
    assert figure.get_suptitle() == "the title"
    assert (loss.get_ylabel(), accuracy.get_ylabel()) == ("cross-entropy (nats)", "accuracy (%)")
    assert [text.get_text() for text in loss.get_legend().get_texts()] == ["train (best 0.33)", "held-out (best 1.00)"]
    words = [text.get_text() for text in accuracy.get_legend().get_texts()]
    assert words == ["train (best 50.00)", "held-out (best 75.00)"]
    line, best = loss.lines[2:]
    assert list(line.get_ydata()) == [2, 1, 2]
    assert (list(best.get_xdata()), list(best.get_ydata())) == ([2], [1])


def test_curves_of_a_diverged_run(tmp_path: Path) -> None:
    rows = [
        {"epoch": 1, "train_loss": 3.0, "train_accuracy": 0.1},
        {"epoch": 2, "train_loss": None, "train_accuracy": 0.1},
    ]
    loss, _ = plot_curves(rows).axes
    assert math.isnan(loss.lines[0].get_ydata()[1])
    assert loss.get_legend().get_texts()[0].get_text() == "train (best 3.00)"
    only = plot_curves(rows[1:])
    assert only.axes[0].get_legend().get_texts()[0].get_text() == "train"
    size_of(only, tmp_path)


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


@pytest.mark.parametrize(("classes", "has_counts"), [(20, True), (21, False), (100, False)])
def test_confusion_of_many_classes(classes: int, has_counts: bool, tmp_path: Path) -> None:
    figure = plot_confusion(evaluation(letters(classes), count=200))
    assert bool(figure.axes[0].texts) is has_counts
    assert len(figure.axes[0].get_yticks()) == classes
    assert max(size_of(figure, tmp_path)) < 2400


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
    assert figure.get_suptitle() == "the title: no mistakes"
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


@pytest.mark.parametrize("name", [*NAMES, "$a_$", "$x$"])
def test_names_are_no_formulas_in_the_confusion_matrix(name: str, tmp_path: Path) -> None:
    figure = plot_confusion(evaluation((name, "other"), count=4))
    shown = figure.axes[0].get_yticklabels()[0].get_text()
    assert shown.replace(r"\$", "$") == name
    assert not is_math_text(shown)
    size_of(figure, tmp_path)


def test_titles_are_no_formulas(tmp_path: Path) -> None:
    title = "runs/$a_$/x: 90 % right"
    measured = evaluation(letters(2), count=8, wrong=2)
    size_of(plot_mistakes(measured, title), tmp_path)
    size_of(plot_confusion(measured, title), tmp_path)
    size_of(plot_samples(measured, title, each=1), tmp_path)
    size_of(plot_curves([{"epoch": 1, "train_loss": 1.0, "train_accuracy": 0.5}], title), tmp_path)


def test_a_figure_may_be_a_drawing(tmp_path: Path) -> None:
    save_figure(plot_confusion(evaluation(letters(2), count=4)), tmp_path / "figure.svg")
    assert "<svg" in (tmp_path / "figure.svg").read_text()
    assert [path.name for path in tmp_path.iterdir()] == ["figure.svg"]
