"""A study's figures: each row's difference to the control, and its accuracy against its cost."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patheffects import withStroke
from matplotlib.ticker import FuncFormatter, LogLocator, NullLocator
from matplotlib.transforms import Bbox, BboxBase
from numpy.typing import NDArray

from assay.analysis.figures.style import captioned, missing_glyphs_ignored, open_frame
from assay.analysis.figures.text import plain, wrapped
from assay.base.palette import BLUE, GREEN, PALE_GREY, RED
from assay.base.registry import choose
from assay.base.statistics import Estimate
from assay.studies.comparison import Comparison
from assay.studies.forms.columns import accuracy, difference, marked_verdict, quantity
from assay.studies.forms.words import in_short
from assay.studies.table import Line, Table
from assay.studies.verdict import CANNOT_TELL, HELPS, HURTS, NO_DIFFERENCE

_CORNERS = np.array([[-1, -1], [1, 1]])  # of a box, from its centre, in half-widths
_PUBLISHED = "#444444"
_COLORS = {
    HELPS: GREEN,
    HURTS: RED,
    NO_DIFFERENCE: BLUE,
    CANNOT_TELL: PALE_GREY,
    "not compared": PALE_GREY,
    "control": "black",
    "": BLUE,
}
_COSTS: dict[str, tuple[Callable[[Line], float | None], Callable[[float], str], str]] = {
    "seconds": (lambda line: line.seconds, "{:,g}".format, "seconds of training, one run"),
    "flops": (lambda line: line.flops, quantity, "FLOPs of one image's forward pass"),
}
_MOST_ROWS, _MOST_NAMES = 100, 40  # in a figure: more cannot be read, and take minutes to be drawn
_SHIFTS = [sign * step for step in range(0, 141, 5) for sign in (1, -1)]  # of a label up or down, in points (1/72 inch)


def plot_forest(table: Table) -> Figure:
    """Draw each row's difference to the control with its 95 % interval, and the published one as a hollow diamond.

    Rows of which nothing can be told are grey. Without a control the accuracies are drawn instead. Of more than 100
    rows the 100 are drawn that differ most, or that are the most accurate.
    """
    control = table.setting.control
    rows = [line for line in table.lines if line.verdict != "control"]
    lines = _foremost(rows, _MOST_ROWS)
    figure, axes = _figure(table, 10, 1.2 + 0.42 * max(len(lines), 2), len(rows) - len(lines))
    values: list[tuple[Estimate | Comparison | None, float | None]] = [
        (line.estimate, line.row.published) if control is None else (line.difference, line.published_difference)
        for line in lines
    ]
    for place, (line, (measured, published)) in enumerate(zip(lines, values, strict=True)):
        if measured is not None and measured.n:
            color = _COLORS[line.verdict]
            axes.errorbar(measured.mean, place, xerr=_error(measured), fmt="o", color=color, capsize=3)
        if published is not None:
            axes.plot(published, place, "D", color=_PUBLISHED, markerfacecolor="none", markersize=6, zorder=3)
    if control is not None:
        axes.axvline(0, color="black", linewidth=0.8, zorder=0)
    label = "accuracy (%)" if control is None else plain(f"difference to {control} (percentage points)")
    axes.set_yticks(range(len(lines)), [wrapped(line.name, 38) for line in lines])
    # From the bottom up: the first row is at the top.
    axes.set(ylim=(max(len(lines), 1) - 0.5, -0.5), xlabel=label)
    right = axes.secondary_yaxis("right")
    right.set_yticks(range(len(lines)), [_beside(line, table) for line in lines])
    right.tick_params(length=0, labelsize=8)
    right.spines["right"].set_visible(False)
    _legend(axes, lines, published=any(published is not None for _, published in values))
    return figure


def plot_cost(table: Table, cost: str = "seconds") -> Figure:
    """Draw accuracy with its 95 % interval against cost; a dagger marks a verdict that rests on one seed.

    Of more than 40 rows the 40 have names that differ most from their control, or that are the most accurate.

    Args:
        table: rows without a finished run are left out.
        cost: ``seconds`` of one run's training, or ``flops`` of one image's forward pass.

    Raises:
        ValueError: an unknown cost.
    """
    read, written, label = choose("cost", cost, _COSTS)
    lines = [line for line in table.lines if line.runs]
    costs = [float(read(line) or 0) for line in lines]
    figure, axes = _figure(table, 9, 5)
    for line, place in zip(lines, costs, strict=True):
        color = _COLORS[line.verdict]
        axes.errorbar(place, line.estimate.mean, yerr=_error(line.estimate), fmt="o", color=color, linewidth=1)
    _scale(axes, costs)
    axes.xaxis.set_major_formatter(FuncFormatter(lambda number, _: written(number)))
    axes.set(xlabel=label, ylabel="accuracy (%)")
    _legend(axes, lines, published=False)
    with missing_glyphs_ignored():
        points = {line.name: (x, line.estimate.mean) for x, line in zip(costs, lines, strict=True)}
        _label_points(figure, axes, points, _foremost(lines, _MOST_NAMES))
    return figure


def _foremost(lines: Sequence[Line], most: int) -> list[Line]:
    """The lines, or of more than ``most`` those that differ most, or without a control are the most accurate."""
    size = {
        line.name: line.estimate.mean / 100 if line.difference is None else 1 + abs(line.difference.mean)
        for line in lines
        if line.runs
    }
    names = sorted(size, key=lambda name: -size[name])[:most]
    return [line for line in lines if line.name in names] if len(lines) > most else list(lines)


def _figure(table: Table, width: float, height: float, left_out: int = 0) -> tuple[Figure, Axes]:
    """Return a figure whose caption states the setting and explains whiskers, colours and daggers if they are drawn."""
    explanations = {
        "whiskers: 95 % intervals, not corrected": any(line.runs > 1 for line in table.lines),
        f"colours: verdicts, corrected for {table.compared} row{'s' * (table.compared != 1)}": table.compared > 0,
        "†: from one shared seed": any(line.test == "mcnemar" for line in table.lines),
    }
    caption = [in_short(table.setting), *(words for words, drawn in explanations.items() if drawn)]
    caption += [f"the table has {left_out:,} more rows"] if left_out else []
    figure = captioned(width, height, f"{table.setting.study}: {table.setting.purpose}", "; ".join(caption))
    axes = figure.subplots()
    open_frame(axes)
    return figure, axes


def _beside(line: Line, table: Table) -> str:
    """The text at the right of a row."""
    if not line.runs or line.verdict == "not compared":
        return line.verdict
    if table.setting.control is None:
        return accuracy(line.estimate)
    return f"{difference(line.difference)}\n{marked_verdict(line, table)}"


def _error(about: Estimate | Comparison) -> list[list[float]] | None:
    return None if math.isnan(about.half_width) else [[about.half_width], [about.half_width]]


def _legend(axes: Axes, lines: Sequence[Line], *, published: bool) -> None:
    """Put a legend of the verdicts and marks that are drawn above the axes."""
    entries = [
        Line2D([], [], color=color, marker="o", label=verdict or "measured")
        for verdict, color in _COLORS.items()
        if any(line.verdict == verdict and line.runs for line in lines)
    ]
    if published:
        hollow: dict[str, Any] = {"color": _PUBLISHED, "marker": "D", "linestyle": "", "markerfacecolor": "none"}
        entries.append(Line2D([], [], label="published", **hollow))
    if entries:
        above: dict[str, Any] = {"loc": "lower left", "bbox_to_anchor": (0, 1), "ncols": len(entries)}
        axes.legend(handles=entries, frameon=False, fontsize=8, **above)


def _scale(axes: Axes, costs: Sequence[float]) -> None:
    """Scale the axis: logarithmic from a factor of five on, else wide enough that noise does not fill it."""
    if not costs:
        return
    low, high = min(costs), max(costs)
    if low > 0 and high > 5 * low:
        axes.set_xscale("log")
        axes.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
        axes.xaxis.set_minor_locator(NullLocator())
        axes.margins(x=0.12)
    else:
        room = max(0.12 * (high - low), 0.15 * high)
        axes.set_xlim(max(low - room, 0), high + room)


def _label_points(figure: Figure, axes: Axes, points: Mapping[str, tuple[float, float]], lines: Sequence[Line]) -> None:
    """Write the names of some rows beside their points, at the nearest free place."""
    FigureCanvasAgg(figure)  # without a canvas a text has no size
    figure.draw_without_rendering()  # the layout fixes where data lie in pixels
    scale = figure.dpi / 72
    taken = [
        Bbox.from_extents(*(axes.transData.transform(point) + 4 * scale * _CORNERS).flat) for point in points.values()
    ]
    halo = [withStroke(linewidth=2, foreground="white")]
    # From the top down, so that neighbours in height are placed one after another.
    for line in sorted(lines, key=lambda line: -points[line.name][1]):
        point = points[line.name]
        name = f"{line.name} †" if line.test == "mcnemar" else line.name
        label = axes.annotate(
            wrapped(name, 30), point, (0, 0), textcoords="offset points", va="center", fontsize=8,
            path_effects=halo, in_layout=False,
        )  # fmt: skip
        centre = np.asarray(axes.transData.transform(point))
        offset, box = _free_place(centre, np.asarray(label.get_window_extent().size), scale, axes.bbox, taken)
        taken.append(box)
        label.set(position=offset, ha="left" if offset[0] > 0 else "right")
        if abs(offset[1]) > 10:
            thread = {"arrowstyle": "-", "color": PALE_GREY, "linewidth": 0.5, "shrinkA": 0, "shrinkB": 0}
            axes.annotate("", point, offset, textcoords="offset points", arrowprops=thread, in_layout=False)


def _free_place(
    centre: NDArray[np.float64], size: NDArray[np.float64], scale: float, within: BboxBase, taken: Sequence[Bbox]
) -> tuple[tuple[float, float], Bbox]:
    """Return a label's offset in points (1/72 inch) and its box in pixels; the last place tried if none is free."""
    # The nearest places come first, and of each height the right one before the left.
    for shift, side in itertools.product(_SHIFTS, (1, -1)):
        offset = side * (7 if abs(shift) <= 10 else 16), shift
        middle = centre + scale * np.array(offset) + (side * size[0] / 2, 0)
        box = Bbox.from_extents(*(middle + size / 2 * _CORNERS).flat)
        if within.fully_containsx(box.x0) and within.fully_containsx(box.x1) and not box.count_overlaps(taken):
            break
    return offset, box
