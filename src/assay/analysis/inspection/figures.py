"""What the figures share: a title above, a caption below, and many small pictures laid out as one."""

from __future__ import annotations

import math
import textwrap
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from assay.analysis.figures.text import one_line, plain

_LETTERS_PER_INCH = 13.5
_SMALLEST_SIDE = 24  # pixels of a small picture, so that the gap beside it can be thin


def captioned(width: float, height: float, title: str, caption: str) -> Figure:
    """An empty figure of that size in inches with a title, and below it room for a caption of a few lines."""
    lines = textwrap.wrap(one_line(caption), int(width * _LETTERS_PER_INCH))
    figure = Figure(figsize=(width, height + 0.5 + 0.2 * len(lines)), layout="constrained")
    engine = figure.get_layout_engine()
    assert engine is not None
    engine.set(h_pad=0.08)  # type: ignore[call-arg] # of the constrained layout
    figure.suptitle("\n".join(textwrap.wrap(plain(one_line(title)), int(width * 9))), fontsize=12)
    figure.supxlabel(plain("\n".join(lines)), fontsize=9, x=0.01, ha="left", color="#333333")
    return figure


def short(text: str, most: int) -> str:
    """A name as a figure shows it in one line; of one that is too long the end."""
    name = one_line(text)
    return plain(name if len(name) <= most else f"…{name[1 - most :]}")


def columns_for(count: int) -> int:
    """How many columns make so many squares about four times as wide as high, but one line of up to eight."""
    return min(count, max(8, math.ceil(math.sqrt(4 * count))))


def mosaic(pictures: NDArray[Any], columns: int) -> NDArray[np.float64]:
    """Pictures of equal size side by side, row after row, with gaps between them.

    Small ones are enlarged by repeating pixels, so that the gap stays thin beside them.

    Args:
        pictures: ``[N, h, w]``, or ``[N, h, w, 3]`` in [0, 1].
        columns: of pictures.

    Returns:
        One picture; gaps are NaN, which matplotlib leaves empty, or white in colours.
    """
    factor = math.ceil(_SMALLEST_SIDE / min(pictures.shape[1:3]))
    large = pictures.repeat(factor, axis=1).repeat(factor, axis=2)
    gap = max(1, large.shape[1] // 12)
    height, width = large.shape[1] + gap, large.shape[2] + gap
    rows = math.ceil(len(large) / columns)
    empty = 1.0 if pictures.ndim == 4 else math.nan
    whole = np.full((rows * height - gap, columns * width - gap, *pictures.shape[3:]), empty)
    for number, picture in enumerate(large):
        top, left = number // columns * height, number % columns * width
        whole[top : top + picture.shape[0], left : left + picture.shape[1]] = picture
    return whole


def show_mosaic(axes: Axes, pictures: NDArray[Any], *, per_picture: int = 1, **style: Any) -> None:
    """Draw a mosaic; beside each of several rows stands the number of its first channel.

    Args:
        axes: to draw into.
        pictures: as for ``mosaic``.
        per_picture: how many of them belong to one channel.
        style: what matplotlib's ``imshow`` takes.
    """
    columns = columns_for(len(pictures) // per_picture) * per_picture
    whole = mosaic(pictures, columns)
    rows = math.ceil(len(pictures) / columns)
    axes.imshow(whole, interpolation="nearest", **style)
    places = (np.arange(rows) + 0.5) * whole.shape[0] / rows
    axes.set_xticks([])
    numbers = [str(row * columns // per_picture) if rows > 1 else "" for row in range(rows)]
    axes.set_yticks(places, numbers, fontsize=7, color="#777777")
    axes.tick_params(length=0)
    axes.spines[:].set_visible(False)


def show_picture(axes: Axes, picture: NDArray[np.uint8], **style: Any) -> None:
    """Draw a picture ``[H, W, C]`` without a frame."""
    grey = picture.shape[-1] == 1
    axes.imshow(picture[..., 0] if grey else picture, cmap="gray" if grey else None, vmin=0, vmax=255, **style)
    axes.axis("off")
