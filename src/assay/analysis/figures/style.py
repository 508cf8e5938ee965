"""The style of all figures: title and caption, frames of axes, files."""

from __future__ import annotations

import io
import math
import textwrap
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from assay.analysis.figures.text import plain
from assay.base.atomic import replace_file
from assay.base.palette import DARK_GREY
from assay.base.text import one_line

_CAPTION_LETTERS, _TITLE_LETTERS = 13.5, 9  # per inch of the figure's width, at font sizes 9 and 12


def save_figure(figure: Figure, path: Path) -> None:
    """Write a figure as PNG or SVG, by the file's suffix, atomically."""
    replace_file(path, figure_as(path.suffix.removeprefix("."), figure))


def figure_as(kind: str, figure: Figure) -> bytes:
    """Return the content of a figure's file, ``png`` or ``svg``; where all stands is found once for both."""
    buffer = io.BytesIO()
    with missing_glyphs_ignored():
        figure.savefig(buffer, format=kind, dpi=150)
    figure.set_layout_engine(None)
    return buffer.getvalue()


@contextmanager
def missing_glyphs_ignored() -> Iterator[None]:
    """Silence matplotlib where the font lacks a script, whose letters it then draws as boxes."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Glyph .* missing")
        yield


def captioned(width: float, height: float, title: str, caption: str = "") -> Figure:
    """Return an empty figure with a title above and, where one is given, a caption below, both broken into lines.

    Its width is in inches, and so is the height of what will be drawn; title and caption get room beside it.
    """
    lines = textwrap.wrap(one_line(caption), int(width * _CAPTION_LETTERS))
    figure = Figure(figsize=(width, height + 0.5 + 0.2 * len(lines)), layout="constrained")
    engine = figure.get_layout_engine()
    assert engine is not None
    engine.set(h_pad=0.08)  # type: ignore[call-arg] # inches, between title, axes and caption
    title_lines = textwrap.wrap(plain(one_line(title)), int(width * _TITLE_LETTERS))
    figure.suptitle("\n".join(title_lines), fontsize=12)
    if caption:
        figure.supxlabel(plain("\n".join(lines)), fontsize=9, x=0.01, ha="left", color=DARK_GREY)
    return figure


def panels(
    count: int, columns: int, size: tuple[float, float], title: str, caption: str
) -> tuple[Figure, NDArray[Any]]:
    """Return a captioned figure and its grid of axes; those beyond the first ``count`` are hidden.

    Args:
        count: panels that will be drawn; of none there is one, hidden.
        columns: panels in a line, at most.
        size: width and height of a panel, in inches.
        title: as in ``captioned``.
        caption: likewise.
    """
    columns = max(min(columns, count), 1)
    lines = max(math.ceil(count / columns), 1)
    # At least 6.5 inches wide, or a few panels would break the title into many lines.
    figure = captioned(max(size[0] * columns, 6.5), size[1] * lines, title, caption)
    grid: NDArray[Any] = figure.subplots(lines, columns, squeeze=False)
    for axes in grid.flat[count:]:
        axes.axis("off")
    return figure, grid


def open_frame(axes: Axes, *, grid: bool = True) -> None:
    """Draw axes with lines at the left and below only, and a faint grid where one is wanted."""
    axes.spines[["top", "right"]].set_visible(False)
    if grid:
        axes.grid(alpha=0.25)


def no_frame(axes: Axes) -> None:
    """Draw axes without lines and ticks, as around a picture; unlike ``axis("off")`` it keeps the labels."""
    axes.set(xticks=[], yticks=[])
    axes.spines[:].set_visible(False)
