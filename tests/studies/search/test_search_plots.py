"""The figure of a search shows each finished trial, the best so far, and the fields' shares."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import accumulate
from pathlib import Path

import pytest
from optuna.pruners import NopPruner
from searching import by_rate, look

from assay.analysis.figures.style import save_figure
from assay.recipe.recipe import Recipe
from assay.studies.conduct import Execute
from assay.studies.search.plots import plot_search

Make = Callable[[Callable[[Recipe], Sequence[float]]], Execute]


def test_the_figure_shows_trials_and_importances(tmp_path: Path, pretend: Make) -> None:
    found = look(tmp_path, pretend(by_rate), trials=8, pruner=NopPruner())
    history, importances = plot_search(found).axes
    points, best = history.lines
    accuracies = [trial.accuracy for trial in found.trials]
    assert points.get_ydata().tolist() == accuracies
    assert best.get_ydata().tolist() == list(accumulate(accuracies, max))
    assert [bar.get_width() for bar in importances.patches] == [100 * share for share in found.importances.values()]
    assert (tmp_path / "studies" / "search" / "search.png").stat().st_size > 10_000


@pytest.mark.usefixtures("undrawn")
def test_it_can_be_drawn_without_importances(tmp_path: Path, pretend: Make) -> None:
    found = look(tmp_path, pretend(by_rate), trials=6, pruner=NopPruner())
    figure = plot_search(found)
    assert [text.get_text() for text in figure.axes[1].texts] == ["6 trials have finished; importances take 8 or more"]
    save_figure(figure, tmp_path / "search.svg")
