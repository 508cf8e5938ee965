"""The learning rate over a run, as a figure and as text for a terminal."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from matplotlib.figure import Figure

from assay.analysis.figures.style import open_frame
from assay.analysis.figures.text import plain
from assay.base.palette import BLUE

_EIGHTHS = " ▁▂▃▄▅▆▇█"
_POINTS = 1000
_WIDTH, _HEIGHT = 64, 6  # letters of the curve in a terminal

Rate = Callable[[float], float]
"""from progress in epochs to the learning rate"""


def plot_schedule(rate: Rate, epochs: float, title: str) -> Figure:
    """Draw the learning rate against the epoch."""
    figure = Figure(figsize=(7, 3.5), layout="constrained")
    axes = figure.subplots()
    progress = np.linspace(0, epochs, _POINTS, endpoint=False)
    axes.plot(progress, [rate(epoch) for epoch in progress], color=BLUE)
    axes.set(title=plain(title), xlabel="epoch", ylabel="learning rate", xlim=(0, epochs))
    axes.set_ylim(bottom=0)
    open_frame(axes)
    return figure


def draw_schedule(rate: Rate, epochs: float) -> list[str]:
    """Return the same as lines of text: 64 columns of the mean rate, the largest at the top of 6 lines."""
    progress = (np.arange(_WIDTH * 8) + 0.5) * epochs / (_WIDTH * 8)
    means = np.array([rate(epoch) for epoch in progress]).reshape(_WIDTH, 8).mean(axis=1)
    top = max(float(means.max()), 1e-300)  # the rate may be 0 throughout
    # A rounding error must not fill one more eighth.
    eighths = np.ceil(means / top * _HEIGHT * 8 - 1e-9).astype(int)
    labels = [f"{top:.3g}", *[""] * (_HEIGHT - 2), "0"]
    margin = max(map(len, labels))
    lines = []
    for label, line in zip(labels, reversed(range(_HEIGHT)), strict=True):
        bars = "".join(_EIGHTHS[filled] for filled in np.clip(eighths - 8 * line, 0, 8))
        lines.append(f"{label:>{margin}} {bars}")
    return [*lines, f"{'':>{margin}} 0{f'{epochs:g} epochs':>{_WIDTH - 1}}"]
