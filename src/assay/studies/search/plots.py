"""The figure of a search: how the best accuracy rose, and which fields mattered."""

from __future__ import annotations

from itertools import accumulate
from typing import Any

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
    points = [(trial.number, trial.accuracy) for trial in result.trials if trial.accuracy is not None]
    numbers, accuracies = zip(*points, strict=True)
    history.plot(numbers, accuracies, "o", color=PALE_GREY, markersize=4, label="finished trials")
    history.step(numbers, list(accumulate(accuracies, max)), where="post", color=BLUE, label="best so far")
    history.set(xlabel="trial", ylabel="held-out accuracy (%)")
    history.xaxis.set_major_locator(MaxNLocator(integer=True))
    history.legend(frameon=False, loc="lower right")
    importances.set(xlabel="share of the spread (%)", xlim=(0, 100))
    importances.barh(list(result.importances), [100 * share for share in result.importances.values()], color=BLUE)
    importances.invert_yaxis()  # bars go upward, and the largest share comes first
    if result.no_importances:
        centre: dict[str, Any] = {"transform": importances.transAxes, "ha": "center", "va": "center"}
        importances.set_yticks([])
        importances.text(0.5, 0.5, result.no_importances, wrap=True, **centre)
    open_frame(history)
    open_frame(importances, grid=False)
    return figure
