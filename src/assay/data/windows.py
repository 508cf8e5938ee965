"""The order of an epoch over images that are read in parts: groups of rows of Parquet files.

A part is read as a whole, so an order over all images would read the whole set for a few batches. Here the parts are
put in a random order, a number of them after the other is a window, and the images of a window are put in a random
order. A batch holds images of one window, so of a few parts: files that are sorted by class should be packed in a
random order.
"""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Generator, Tensor

from assay.data.images import ChainedImages, EncodedImages, Images, Parts
from assay.data.split import SomeImages


def shuffled(images: Images, generator: Generator) -> Tensor:
    """A random order of the images, int64 ``[N]`` on the CPU; of those in parts, one window after the other."""
    rows = torch.randperm(len(images.names), generator=generator)
    found = _parts(images)
    if found is None:
        return rows
    parts, window = found
    place = torch.randperm(int(parts.max()) + 1, generator=generator)
    return rows[torch.argsort(place[torch.from_numpy(parts)][rows] // window, stable=True)]


def _parts(images: Images) -> tuple[NDArray[np.int64], int] | None:
    """The number of the part that each image lies in, and how many parts a window has; None for images without."""
    match images:
        case SomeImages():
            found = _parts(images.images)
            return None if found is None else (found[0][images.rows], found[1])
        case EncodedImages(parts=Parts(starts, window)):
            return np.repeat(np.arange(len(starts) - 1), np.diff(starts)), window
        case ChainedImages():
            every = [found for part in images.parts if (found := _parts(part)) is not None]
            if len(every) == len(images.parts):
                before = np.cumsum([0, *(int(parts.max()) + 1 for parts, _ in every)])
                parts = [parts + first for (parts, _), first in zip(every, before, strict=False)]
                return np.concatenate(parts), max(window for _, window in every)
    return None
