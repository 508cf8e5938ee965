"""The figures of the errors; each says in its caption what is seen."""

from __future__ import annotations

import math
from collections.abc import Sequence

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import PercentFormatter

from assay.analysis.errors.galleries import Gallery
from assay.analysis.errors.results import Calibration, WrongInRuns
from assay.analysis.inspection.figures import captioned, short, show_picture

_COLUMNS = 8
_LETTERS = 21  # that fit above an image
_FEW = 10  # answers in a bin, below which its accuracy says little
_COLORS = ("#2f6fb0", "#d9822b", "#3a8f5c", "#8e5ea2", "#b3261e", "#5f6b7a", "#c7a008", "#4fb3bf")
_GREY = "#777777"


def plot_gallery(gallery: Gallery, most: int) -> Figure:
    """The first images of a gallery side by side, eight to a line, each with its words above."""
    tiles = gallery.tiles[:most]
    rest = f" The first {most:,} of them." if len(gallery.tiles) > most else ""
    columns = min(_COLUMNS, len(tiles))
    size = 8 if max(len(line) for tile in tiles for line in tile.words.split("\n")) <= _LETTERS else 7
    lines = math.ceil(len(tiles) / columns)
    above = 0.16 * (tiles[0].words.count("\n") + 1)
    figure = captioned(max(1.45 * columns, 6.5), (1.45 + above) * lines, gallery.title, gallery.caption + rest)
    grid = figure.subplots(lines, columns, squeeze=False)
    for axes in grid.flat:
        axes.axis("off")
    for axes, tile, picture in zip(
        grid.flat, tiles, gallery.pictures.pixels([tile.row for tile in tiles]), strict=False
    ):
        show_picture(axes, picture)
        axes.set_title(tile.words, fontsize=size, color=tile.color)
    return figure


def plot_calibration(runs: Sequence[Calibration], title: str) -> Figure:
    """The reliability diagram of one or several runs, and below it how many answers each bin holds."""
    caption = (
        f"Above: the answers in {len(runs[0].bins)} equal bins of confidence (Guo et al. 2017); a point stands at the "
        "mean confidence of its bin, and as high as the share of right answers in it. Below the dashed line the "
        f"network is surer than right. Hollow points are of fewer than {_FEW} answers, which say little. "
        "Below: the share of all answers in each bin, on a logarithmic axis. ECE is the expected calibration error, "
        "the mean distance from the dashed line, weighted with the bins' answers."
    )
    figure = captioned(6.5, 6.6, title, caption)
    reliability, histogram = figure.subplots(2, 1, sharex=True, height_ratios=[3, 1])
    reliability.plot([0, 1], [0, 1], "--", color=_GREY, linewidth=1)
    for number, run in enumerate(runs):
        _draw_reliability(reliability, run, _COLORS[number % len(_COLORS)])
        total = sum(part.images for part in run.bins)
        edges = [part.low for part in run.bins] + [1.0]
        shares = [part.images / total for part in run.bins]
        histogram.stairs(shares, edges, color=_COLORS[number % len(_COLORS)], fill=len(runs) == 1, linewidth=1.2)
    reliability.set(xlim=(0, 1.02), ylim=(-0.03, 1.03), ylabel="right answers")
    histogram.set(xlabel="confidence", ylabel="answers", yscale="log")
    for axes in (reliability, histogram):
        axes.grid(alpha=0.25)
        axes.spines[["top", "right"]].set_visible(False)
        axes.xaxis.set_major_formatter(PercentFormatter(1))
        axes.yaxis.set_major_formatter(lambda value, _: f"{100 * value:g}%")
    reliability.legend(frameon=False, fontsize=8, loc="best")
    return figure


def plot_wrong_in_runs(rows: Sequence[WrongInRuns], title: str) -> Figure:
    """How many images are wrong in 0, 1... of the runs, beside what independent errors would give."""
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
    axes.bar(places, [row.images for row in rows], width=0.7, color=_COLORS[0])
    axes.set_xticks(places, [f"{row.runs}\n{row.images:,}" for row in rows], fontsize=8)
    for row in rows:
        height = max(row.if_independent, 0.5)
        axes.plot([row.runs - 0.45, row.runs + 0.45], [height] * 2, color="black", linewidth=2)
    axes.plot([], [], color="black", linewidth=2, label="if the runs' errors were independent")
    axes.set(
        yscale="log", ylim=(0.5, 3 * max(row.images for row in rows)), xlabel="runs that are wrong, and how many images"
    )
    axes.set_ylabel("images")
    axes.yaxis.set_major_formatter(lambda value, _: f"{value:,.0f}" if value >= 1 else "")
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(frameon=False, fontsize=8)
    return figure


def _draw_reliability(axes: Axes, run: Calibration, color: str) -> None:
    """A line through the bins that say something, and a hollow point for each of the others."""
    many = [part for part in run.bins if part.images >= _FEW]
    few = [part for part in run.bins if 0 < part.images < _FEW]
    label = f"{short(run.run, 40)}: ECE {run.error:.2%}"
    places, heights = [part.confidence for part in many], [part.accuracy for part in many]
    axes.plot(places, heights, "o-", color=color, markersize=4.5, linewidth=1.2, label=label)
    places, heights = [part.confidence for part in few], [part.accuracy for part in few]
    axes.plot(places, heights, "o", color=color, markersize=4.5, markerfacecolor="white", zorder=1.5)
