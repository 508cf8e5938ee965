"""The figure of a sweep over learning rates."""

from __future__ import annotations

from matplotlib.figure import Figure

from assay.analysis.figures.style import open_frame
from assay.analysis.figures.text import plain
from assay.base.palette import BLUE, GREEN, ORANGE
from assay.training.lr_finder import Sweep


def plot_sweep(sweep: Sweep, title: str = "") -> Figure:
    """Draw the loss over the learning rate; lines mark where it falls fastest and a tenth of where it is lowest."""
    figure = Figure(figsize=(7, 4.5), layout="constrained")
    axes = figure.subplots()
    axes.plot(sweep.rates, sweep.losses, color="#b9c6d3", linewidth=1, label="of each batch")
    axes.plot(sweep.rates, sweep.smoothed, color=BLUE, linewidth=2, label="smoothed")
    axes.axvline(sweep.steepest, color=ORANGE, linestyle="--", label=f"steepest: {sweep.steepest:.2g}")
    axes.axvline(sweep.tenth, color=GREEN, linestyle="--", label=f"a tenth of the lowest: {sweep.tenth:.2g}")
    # The last losses may be out of all proportion: the sweep ends because of them.
    axes.set_ylim(0.9 * min(sweep.smoothed), 1.5 * max(sweep.smoothed[: sweep.smoothed.index(min(sweep.smoothed)) + 1]))
    axes.set(xscale="log", xlabel="learning rate", ylabel="loss", title=plain(title))
    open_frame(axes)
    axes.legend(frameon=False)
    return figure
