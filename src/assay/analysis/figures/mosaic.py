"""Mosaics: kernels or feature maps of a layer side by side as one picture."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from numpy.typing import NDArray

from assay.analysis.figures.style import no_frame
from assay.base.palette import GREY
from assay.data.pictures import enlarge, mosaic


def columns_for(count: int) -> int:
    """Return how many columns make ``count`` squares about four times as wide as high, but one line of up to eight."""
    return min(count, max(8, math.ceil(math.sqrt(4 * count))))


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
