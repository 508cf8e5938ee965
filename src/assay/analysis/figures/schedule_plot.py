"""The learning rate over a run, as a figure and as text for a terminal."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

from assay.analysis.figures.style import open_frame
from assay.analysis.figures.text import plain
from assay.base.palette import BLUE

_EIGHTHS = " ▁▂▃▄▅▆▇█"
_POINTS = 1000

Rate = Callable[[float], float]
"""from progress in epochs to the learning rate"""


def plot_schedule(rate: Rate, epochs: float, title: str) -> Figure:
    """The learning rate against the epoch."""
    figure = Figure(figsize=(7, 3.5), layout="constrained")
    axes = figure.subplots()
    progress = np.linspace(0, epochs, _POINTS, endpoint=False)
    axes.plot(progress, [rate(epoch) for epoch in progress], color=BLUE)
    axes.set(title=plain(title), xlabel="epoch", ylabel="learning rate", xlim=(0, epochs))
    axes.set_ylim(bottom=0)
    open_frame(axes)
    return figure


def draw_schedule(rate: Rate, epochs: float, *, width: int = 64, height: int = 6) -> list[str]:
    """The same as lines of text: columns of the mean rate, the largest at the top.

    Args:
        rate: the learning rate at a progress in epochs.
        epochs: length of the run.
        width: columns of the curve.
        height: lines of the curve.
    """
    progress = (np.arange(width * 8) + 0.5) * epochs / (width * 8)
    means = np.array([rate(epoch) for epoch in progress]).reshape(width, 8).mean(axis=1)
    top = max(float(means.max()), 1e-300)
    labels = [f"{top:.3g}", *[""] * (height - 2), "0"]
    margin = max(map(len, labels))
    rows = [f"{label:>{margin}} {row}" for label, row in zip(labels, _columns(means / top, height), strict=True)]
    return [*rows, f"{'':>{margin}} 0{f'{epochs:g} epochs':>{width - 1}}"]


def _columns(heights: NDArray[np.float64], lines: int) -> Sequence[str]:
    """Bars of the given heights in [0, 1], from the top line to the bottom one."""
    eighths = np.ceil(heights * lines * 8 - 1e-9).astype(int)
    return ["".join(_EIGHTHS[max(0, min(8, value - 8 * line))] for value in eighths) for line in reversed(range(lines))]
