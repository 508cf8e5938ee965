"""Images to look at: the pixels of some rows of a dataset, for figures and pages."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image

from assay.data.dataset import Dataset

_SMALLEST_SIDE = 24  # pixels of a small picture, so that the gap beside it can be thin


def read_pictures(dataset: Dataset, rows: Sequence[int]) -> NDArray[np.uint8]:
    """Read the images of those rows, uint8 ``[len(rows), H, W, C]`` with C 1 (grey) or 3 (RGB); rows may be empty."""
    if not rows:
        return np.zeros((0, 1, 1, 1), np.uint8)
    batch = torch.tensor(list(rows), device=dataset.labels.device)
    pixels: NDArray[np.uint8] = next(iter(dataset.read([batch]))).permute(0, 2, 3, 1).cpu().numpy()
    return pixels


def to_image(picture: NDArray[np.uint8]) -> Image.Image:
    """Make a Pillow image of a picture ``[H, W, C]`` with C 1 (grey), 3 (RGB) or 4 (RGBA)."""
    # Pillow takes grey pixels without an axis of channels only.
    return Image.fromarray(picture[..., 0] if picture.shape[-1] == 1 else picture)


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
