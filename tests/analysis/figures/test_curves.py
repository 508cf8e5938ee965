"""Learning curves: every measured split, its best epoch, and epochs without a loss."""

import math
from pathlib import Path

from drawn import size_of

from assay.analysis.figures.curves import plot_curves


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
