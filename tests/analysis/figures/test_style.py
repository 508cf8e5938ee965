"""Titles of all figures, and their files."""

from pathlib import Path

from drawn import evaluation, letters, size_of

from assay.analysis.figures.confusion import plot_confusion
from assay.analysis.figures.curves import plot_curves
from assay.analysis.figures.gallery import plot_mistakes, plot_samples
from assay.analysis.figures.style import save_figure


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
