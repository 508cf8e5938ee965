"""The diagrams of errors: calibration, and how many runs fail together; captions say what is seen."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import cycle

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import PercentFormatter

from assay.analysis.errors.results import Calibration, WrongInRuns
from assay.analysis.figures.style import captioned, open_frame
from assay.analysis.figures.text import short
from assay.base.palette import BLUE, GREY, SERIES

_FEW = 10  # answers in a bin, below which its accuracy says little


def plot_calibration(runs: Sequence[Calibration], title: str) -> Figure:
    """Draw the reliability diagram of one or several runs, and below it how many answers each bin holds."""
    caption = (
        f"Above: the answers in {len(runs[0].bins)} equal bins of confidence (Guo et al. 2017); a point stands at the "
        "mean confidence of its bin, and as high as the share of right answers in it, with the 95 % interval of that "
        "share (Wilson 1927). Below the dashed line the "
        f"network is surer than right. Hollow points are of fewer than {_FEW} answers, which say little. "
        "Below: the share of all answers in each bin, on a logarithmic axis. ECE is the expected calibration error, "
        "the mean distance from the dashed line, weighted with the bins' answers."
    )
    figure = captioned(6.5, 6.6, title, caption)
    reliability, histogram = figure.subplots(2, 1, sharex=True, height_ratios=[3, 1])
    reliability.plot([0, 1], [0, 1], "--", color=GREY, linewidth=1)
    for run, color in zip(runs, cycle(SERIES), strict=False):
        _draw_reliability(reliability, run, color)
        total = sum(part.images for part in run.bins)
        edges = [part.low for part in run.bins] + [1.0]
        shares = [part.images / total for part in run.bins]
        histogram.stairs(shares, edges, color=color, fill=len(runs) == 1, linewidth=1.2)
    # A little beyond 0 and 1, or the points there would be cut.
    reliability.set(xlim=(0, 1.02), ylim=(-0.03, 1.03), ylabel="right answers")
    histogram.set(xlabel="confidence", ylabel="answers", yscale="log")
    for axes in (reliability, histogram):
        open_frame(axes)
        axes.xaxis.set_major_formatter(PercentFormatter(1))
        axes.yaxis.set_major_formatter(lambda value, _: f"{100 * value:g}%")
    reliability.legend(frameon=False, fontsize=8, loc="best")
    return figure


def plot_wrong_in_runs(rows: Sequence[WrongInRuns], title: str) -> Figure:
    """Draw how many images are wrong in 0, 1... of the runs, beside what independent errors would give."""
    caption = (
        "Bars: how many images are wrong in so many of the runs. Black lines: how many it would be on average if each "
        "run erred as often as it does, but independently of the others (the Poisson-binomial distribution of the "
        "runs' own error rates). Runs of the same task do not err independently: what the bars have more at the right "
        "are images that are hard, unlike the training images, or wrongly labelled. The axis is logarithmic; a line "
        "at its foot stands for half an image or less."
    )
    figure = captioned(max(6.5, 0.55 * len(rows) + 1), 3.6, title, caption)
    axes = figure.subplots()
    places = [row.runs for row in rows]
    axes.bar(places, [row.images for row in rows], width=0.7, color=BLUE)
    axes.set_xticks(places, [f"{row.runs}\n{row.images:,}" for row in rows], fontsize=8)
    for row in rows:
        height = max(row.if_independent, 0.5)  # the foot of the logarithmic axis
        axes.plot([row.runs - 0.45, row.runs + 0.45], [height] * 2, color="black", linewidth=2)
    axes.plot([], [], color="black", linewidth=2, label="if the runs' errors were independent")
    axes.set(yscale="log", ylim=(0.5, 3 * max(row.images for row in rows)))
    axes.set(xlabel="runs that are wrong, and how many images", ylabel="images")
    axes.yaxis.set_major_formatter(lambda value, _: f"{value:,.0f}" if value >= 1 else "")
    open_frame(axes, grid=False)
    axes.legend(frameon=False, fontsize=8)
    return figure


def _draw_reliability(axes: Axes, run: Calibration, color: str) -> None:
    """Draw a line through the bins with enough answers, and a hollow point for each of the others."""
    many = [part for part in run.bins if part.images >= _FEW]
    few = [part for part in run.bins if 0 < part.images < _FEW]
    label = f"{short(run.run, 40, keep_end=True)}: ECE {run.error:.2%}"
    places, heights = [part.confidence for part in many], [part.accuracy for part in many]
    axes.plot(places, heights, "o-", color=color, markersize=4.5, linewidth=1.2, label=label)
    places, heights = [part.confidence for part in few], [part.accuracy for part in few]
    # Lines are drawn at zorder 2: a bin that says little must not hide one that says much.
    axes.plot(places, heights, "o", color=color, markersize=4.5, markerfacecolor="white", zorder=1.5)
    ends = [(part.confidence, *part.interval) for part in run.bins if part.interval is not None]
    axes.vlines(*zip(*ends, strict=True), color=color, linewidth=1, alpha=0.4, zorder=1)
