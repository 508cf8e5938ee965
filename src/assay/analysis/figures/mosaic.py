"""Mosaics: kernels or feature maps of a layer side by side as one picture."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from numpy.typing import NDArray

from assay.analysis.figures.style import no_frame
from assay.base.palette import GREY

_SMALLEST_SIDE = 24  # pixels of a small picture, so that the gap beside it can be thin


def columns_for(count: int) -> int:
    """Return how many columns make ``count`` squares about four times as wide as high, but one line of up to eight."""
    return min(count, max(8, math.ceil(math.sqrt(4 * count))))


def enlarge(pictures: NDArray[Any]) -> NDArray[Any]:
    """Return small pictures ``[N, h, w, ...]`` with their pixels repeated until each side has at least 24."""
    factor = math.ceil(_SMALLEST_SIDE / min(pictures.shape[1:3]))
    return pictures.repeat(factor, axis=1).repeat(factor, axis=2)


def mosaic(pictures: NDArray[Any], columns: int, *, gap: int, fill: float) -> NDArray[Any]:
    """Lay pictures of equal size side by side, row after row.

    Args:
        pictures: ``[N, h, w]``, or with channels ``[N, h, w, C]``.
        columns: of pictures.
        gap: pixels between two pictures.
        fill: value of the gaps and of the places without a picture, in all channels.

    Returns:
        One picture, ``[H, W]`` or ``[H, W, C]``, of the same dtype.
    """
    count, height, width = pictures.shape[0], pictures.shape[1] + gap, pictures.shape[2] + gap
    shape = math.ceil(count / columns) * height - gap, columns * width - gap, *pictures.shape[3:]
    whole = np.full(shape, fill, pictures.dtype)
    for place, picture in enumerate(pictures):
        top, left = place // columns * height, place % columns * width
        whole[top : top + height - gap, left : left + width - gap] = picture
    return whole


def show_mosaic(axes: Axes, pictures: NDArray[Any], *, per_picture: int = 1, **style: Any) -> None:
    """Draw a mosaic of pictures ``[N, h, w]``, or of colours in [0, 1] ``[N, h, w, 3]``.

    Each channel has ``per_picture`` of them; beside each of several rows stands the number of its first channel.
    """
    columns = columns_for(len(pictures) // per_picture) * per_picture
    large = enlarge(pictures)
    # matplotlib leaves NaN empty; colours have no such value, and white is the figure's background.
    fill = 1.0 if pictures.ndim == 4 else math.nan
    whole = mosaic(large, columns, gap=max(1, large.shape[1] // 12), fill=fill)
    axes.imshow(whole, interpolation="nearest", **style)
    no_frame(axes)
    rows = math.ceil(len(pictures) / columns)
    numbers = [str(row * columns // per_picture) if rows > 1 else "" for row in range(rows)]
    axes.set_yticks((np.arange(rows) + 0.5) * whole.shape[0] / rows, numbers, fontsize=7, color=GREY)
    axes.tick_params(length=0)
