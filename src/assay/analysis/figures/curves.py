"""The learning curves of a run."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from assay.analysis.figures.style import open_frame
from assay.analysis.figures.text import plain
from assay.base.palette import BLUE, GREEN, ORANGE

_SPLITS = {"train": ("train", BLUE), "held_out": ("held-out", ORANGE), "test": ("test", GREEN)}
_MOST_WITH_POINTS = 40  # epochs; the points of more run together


def plot_curves(metrics: Sequence[Mapping[str, Any]], title: str = "") -> Figure:
    """Draw loss and accuracy of every split in a record's rows over the epochs; a point marks each best epoch."""
    figure = Figure(figsize=(10, 4), layout="constrained")
    figure.suptitle(plain(title))
    loss, accuracy = figure.subplots(1, 2)
    for split in _SPLITS:
        if f"{split}_loss" in metrics[0]:
            _plot_curve(loss, metrics, split, "loss", min)
            _plot_curve(accuracy, metrics, split, "accuracy", max)
    loss.set(xlabel="epoch", ylabel="cross-entropy (nats)", ylim=(0, None))
    accuracy.set(xlabel="epoch", ylabel="accuracy (%)")
    for axes in (loss, accuracy):
        open_frame(axes)
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
        axes.legend(frameon=False)
    return figure


def _plot_curve(
    axes: Axes, metrics: Sequence[Mapping[str, Any]], split: str, measure: str, best_of: Callable[[list[float]], float]
) -> None:
    name, color = _SPLITS[split]
    scale = 100 if measure == "accuracy" else 1
    epochs = [row["epoch"] for row in metrics]
    # A diverged epoch has None; NaN leaves a gap in the line.
    values = [math.nan if row[f"{split}_{measure}"] is None else scale * row[f"{split}_{measure}"] for row in metrics]
    finite = [value for value in values if math.isfinite(value)]
    label = f"{name} (best {best_of(finite):.2f})" if finite else name
    axes.plot(epochs, values, color=color, label=label, marker="." if len(epochs) < _MOST_WITH_POINTS else None)
    if finite:
        place = values.index(best_of(finite))
        axes.plot(epochs[place], values[place], "o", color=color, markersize=8, markerfacecolor="white")
