"""The style of all figures: title and caption, frames of axes, files."""

from __future__ import annotations

import io
import textwrap
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from assay.analysis.figures.text import plain
from assay.base.atomic import replace_file
from assay.base.palette import DARK_GREY
from assay.base.text import one_line

_CAPTION_LETTERS, _TITLE_LETTERS = 13.5, 9  # per inch of the figure's width, at font sizes 9 and 12


def save_figure(figure: Figure, path: Path) -> None:
    """Write a figure as PNG or SVG, by the file's suffix, atomically."""
    buffer = io.BytesIO()
    with missing_glyphs_ignored():
        figure.savefig(buffer, format=path.suffix.removeprefix("."), dpi=150)
    replace_file(path, buffer.getvalue())


@contextmanager
def missing_glyphs_ignored() -> Iterator[None]:
    """Silence matplotlib where the font lacks a script, whose letters it then draws as boxes."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Glyph .* missing")
        yield


def captioned(width: float, height: float, title: str, caption: str = "") -> Figure:
    """Return an empty figure with a title above and, where one is given, a caption below.

    Args:
        width: of the figure, in inches.
        height: of what will be drawn, in inches; title and caption get room beside it.
        title: is broken into lines.
        caption: likewise.
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


def open_frame(axes: Axes, *, grid: bool = True) -> None:
    """Draw axes with lines at the left and below only, and a faint grid where one is wanted."""
    axes.spines[["top", "right"]].set_visible(False)
    if grid:
        axes.grid(alpha=0.25)


def no_frame(axes: Axes) -> None:
    """Draw axes without lines and ticks, as around a picture; unlike ``axis("off")`` it keeps the labels."""
    axes.set(xticks=[], yticks=[])
    axes.spines[:].set_visible(False)
