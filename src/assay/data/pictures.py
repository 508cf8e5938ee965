"""Images to look at: the pixels of some rows of a dataset, for figures and pages."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image

from assay.data.dataset import Dataset


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
