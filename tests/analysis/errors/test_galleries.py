"""What stands above each image, and that any name can be drawn."""

import numpy as np
import pytest
import torch
from statsmodels.stats.proportion import proportion_confint

from assay.analysis.errors.api import summarise
from assay.analysis.errors.diagrams import plot_calibration, plot_wrong_in_runs
from assay.analysis.errors.galleries import galleries
from assay.analysis.errors.output import Output
from assay.analysis.errors.runs import EvaluatedRun
from assay.analysis.figures.style import save_figure
from assay.classifier.evaluation import Evaluation
from assay.data.dataset import MemoryDataset
from quick_suite import rest_slow

ODD = ("$x_1$ <b>&", "two\nlines\x07", "\udcff" + "ä" * 40)


def evaluated(run: str, seed: int, channels: int = 3) -> EvaluatedRun:
    """Forty coloured images of three classes with awkward names."""
    generator = torch.Generator().manual_seed(seed)
    labels = torch.arange(40) % 3
    images = torch.arange(40, dtype=torch.uint8).view(40, 1, 1, 1).expand(40, channels, 4, 4).contiguous()
    names = [f"{number:03d} {ODD[number % 3]}.png" for number in range(40)]
    scores = torch.randn(40, 3, generator=generator).double()
    return EvaluatedRun(run, "test", Evaluation.of_dataset(scores, MemoryDataset(images, labels, names), ODD))


def test_each_image_has_its_answer_label_and_name() -> None:
    run = evaluated("runs/one", 0)
    found = summarise([run])
    (gallery,) = galleries(found)
    first = found.mistakes[0]
    lines = gallery.tiles[0].words.split("\n")
    assert len(lines) == 3
    assert lines[0].endswith(f"? {100 * first.confidence:.0f} %")
    assert lines[1].startswith("label ")
    assert gallery.title == f"runs/one, test: {found.wrong[0]} of 40 images are wrong"
    assert [tile.row for tile in gallery.tiles] == [one.index for one in found.mistakes]


def test_several_runs_say_how_many_are_wrong() -> None:
    found = summarise([evaluated("one", 0), evaluated("two", 1)])
    mistakes, always = galleries(found)
    assert mistakes.tiles[0].words.split("\n")[3] == f"wrong in {found.mistakes[0].runs_wrong} of 2"
    assert always.title == f"test: {found.always_wrong_count} of 40 images are wrong in all 2 runs"


def test_the_pictures_are_those_of_the_rows() -> None:
    gallery = galleries(summarise([evaluated("one", 0)]))[0]
    figure = gallery.plot(9)
    drawn = [image.get_array() for image in figure.axes[0].images]
    assert [int(picture[0, 0, 0]) for picture in drawn] == [tile.row for tile in gallery.tiles[:9]]
    assert "The first 9 of them." in figure._supxlabel.get_text().replace("\n", " ")


def test_a_gallery_of_a_pair() -> None:
    found = summarise([evaluated("one", 0)])
    pair = (ODD[0], ODD[1])
    chosen = [one for one in found.mistakes if (one.label, one.predicted) == pair]
    gallery = galleries(found, pair)[1]
    assert [tile.row for tile in gallery.tiles] == [one.index for one in chosen]
    assert gallery.name == "mistakes-x_1-b-two-lines-"
    assert gallery.title.startswith(f"one, test: {len(chosen)} images of $x_1$ <b>& are taken for two lines")


def test_gained_and_lost_have_a_gallery_each() -> None:
    first, other = evaluated("one", 0), evaluated("two", 1)
    found = summarise([first], other)
    right, others_right = first.evaluation.correct.numpy(), other.evaluation.correct.numpy()
    gained, lost = galleries(found)[1:]
    assert {tile.row for tile in gained.tiles} == set(np.flatnonzero(right & ~others_right).tolist())
    assert {tile.row for tile in lost.tiles} == set(np.flatnonzero(~right & others_right).tolist())
    assert gained.title == f"test: {len(gained.tiles)} images that one gets right and two wrong"
    assert lost.title == f"test: {len(lost.tiles)} images that two gets right and one wrong"


@pytest.mark.parametrize("channels", rest_slow([3, 1]))
def test_any_name_is_drawn_and_written(tmp_path, channels: int) -> None:
    found = summarise([evaluated("ru$ns/\udcff", 0, channels), evaluated("b", 1, channels)])
    files = Output(tmp_path, ["png", "svg"], 3).write(found)
    assert all(file.stat().st_size for file in files)
    svg = (tmp_path / "calibration.svg").read_text()
    assert "<b>" not in svg


def test_the_diagram_shows_the_bins(tmp_path) -> None:
    found = summarise([evaluated("one", 0), evaluated("two", 1)])
    figure = plot_calibration(found.calibration, "title")
    reliability, histogram = figure.axes
    filled = [part for part in found.calibration[0].bins if part.images]
    drawn = {tuple(point) for line in reliability.lines[1:3] for point in line.get_xydata().tolist()}
    assert drawn == {(part.confidence, part.accuracy) for part in filled}
    bars = [segment.tolist() for segment in reliability.collections[0].get_segments()]
    ends = [proportion_confint(round(one.accuracy * one.images), one.images, method="wilson") for one in filled]
    assert np.array(bars)[:, :, 0] == pytest.approx(np.array([[one.confidence] * 2 for one in filled]))
    assert np.array(bars)[:, :, 1] == pytest.approx(np.array(ends))
    assert [text.get_text() for text in reliability.get_legend().get_texts()] == [
        f"{run.run}: ECE {run.error:.2%}" for run in found.calibration
    ]
    assert np.sum(histogram.patches[0].get_data().values) == pytest.approx(1)
    save_figure(figure, tmp_path / "calibration.png")


def test_bars_and_lines_of_agreement() -> None:
    rows = summarise([evaluated("one", 0), evaluated("two", 1)]).wrong_in_runs
    axes = plot_wrong_in_runs(rows, "title").axes[0]
    assert [bar.get_height() for bar in axes.patches] == [row.images for row in rows]
    assert [line.get_ydata()[0] for line in axes.lines[:3]] == [max(row.if_independent, 0.5) for row in rows]
