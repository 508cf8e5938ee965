"""The figure of a search: how the best accuracy rose, and which fields mattered."""

from __future__ import annotations

from itertools import accumulate

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from assay.analysis.figures.style import open_frame
from assay.base.palette import BLUE, PALE_GREY
from assay.studies.search.result import SearchResult


def plot_search(result: SearchResult) -> Figure:
    """Plot the finished trials, of which there is at least one, beside the fields' importances."""
    figure = Figure(figsize=(11, 4), layout="constrained")
    figure.suptitle("Search on the held-out split: the best figure is optimistic, for it was chosen")
    history, importances = figure.subplots(1, 2, width_ratios=[3, 2])
    _plot_history(history, result)
    _plot_importances(importances, result)
    for axes in (history, importances):
        open_frame(axes, grid=axes is history)
    return figure


def _plot_history(axes: Axes, result: SearchResult) -> None:
    points = [(trial.number, trial.accuracy) for trial in result.trials if trial.accuracy is not None]
    numbers, accuracies = zip(*points, strict=True)
    axes.plot(numbers, accuracies, "o", color=PALE_GREY, markersize=4, label="finished trials")
    axes.step(numbers, list(accumulate(accuracies, max)), where="post", color=BLUE, label="best so far")
    axes.set(xlabel="trial", ylabel="held-out accuracy (%)")
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.legend(frameon=False, loc="lower right")


def _plot_importances(axes: Axes, result: SearchResult) -> None:
    axes.set(xlabel="share of the spread (%)", xlim=(0, 100))
    axes.barh(list(result.importances), [100 * share for share in result.importances.values()], color=BLUE)
    axes.invert_yaxis()
    if result.no_importances:
        axes.set_yticks([])
        axes.text(0.5, 0.5, result.no_importances, transform=axes.transAxes, ha="center", va="center", wrap=True)
