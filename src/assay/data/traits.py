"""What the checks compare of each image of a set: some tens of bytes in memory, and a thumbnail on disk."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from assay.data import duplicates
from assay.data.decode import map_in_workers, worth
from assay.data.duplicates import CELLS, ImageRef
from assay.data.far import opened_ahead
from assay.data.images import BadImageError, EncodedImages, Images, quiet, to_pixels
from assay.data.spilled import Spilled
from assay.data.split import SPLITS, Source, Split

_CHUNK = 64  # images that a worker decodes and sends at a time
_CHUNK_OF_PART = 1024  # of images that are read together, so that few workers read the same part

TRAITS = np.dtype(
    [
        ("split", np.uint8),  # its place in SPLITS
        ("row", np.uint32),  # in the split
        ("digest", np.uint8, 16),
        ("size", np.uint32, 2),  # width and height in pixels, upright
        ("mode", "S8"),  # Pillow's
        ("flat", np.bool_),
    ]
)
"""of a readable image: 38 bytes"""

TraitsPart = tuple[NDArray[Any], NDArray[np.uint8], list[BadImageError]]
"""the traits ``[N]`` of readable images, their thumbnails ``[N, 16, 16, 3]``, and the errors of the others"""


@dataclass(frozen=True)
class Traits:
    """The readable images of a source, in the order of its splits and their rows.

    Attributes:
        source: the splits.
        table: of ``TRAITS``, ``[N]``.
        thumbnails: uint8 ``[N, 16, 16, 3]``.
        bad: the errors of the images that are not readable.
    """

    source: Source
    table: NDArray[Any]
    thumbnails: Spilled
    bad: Sequence[BadImageError]

    def ref(self, number: int) -> ImageRef:
        """Where the image at ``number`` in the table lies: it is looked up, so that no memory keeps it of each."""
        image = self.table[number]
        name, row = SPLITS[image["split"]], int(image["row"])
        split = self.source.splits[name]
        return ImageRef(name, split.images.names[row], self.source.classes[split.labels[row]])

    def of(self, split: str) -> NDArray[Any]:
        """The part of the table that is of a split."""
        ours: NDArray[Any] = self.table[self.table["split"] == SPLITS.index(split)]
        return ours


def traits_of(source: Source, workers: int) -> Traits:
    """Decode every image; ``workers`` processes do it, or 0 for this one."""
    table = np.zeros(sum(len(split) for split in source.splits.values()), TRAITS)
    thumbnails, bad, count = Spilled((CELLS, CELLS, 3), np.uint8), list[BadImageError](), 0
    for number, name in enumerate(SPLITS):
        if name not in source.splits:
            continue
        for traits, cells, errors in traits_in_parts(source.splits[name], workers):
            traits["split"] = number
            table[count : count + len(traits)] = traits
            thumbnails.append(cells)
            bad += errors
            count += len(traits)
    return Traits(source, table[:count], thumbnails, bad)


def traits_in_parts(split: Split, workers: int) -> Iterator[TraitsPart]:
    """Decode every image of a split, some at a time, in the order of its rows."""
    parts = _chunks(split)
    return map_in_workers(partial(_traits_of_rows, split.images), parts, worth(workers, parts))


def _chunks(split: Split) -> list[range]:
    """The rows in the parts that a worker decodes at a time; of images that are read together, together."""
    stored, rows = split.stored()
    parts = stored.parts if isinstance(stored, EncodedImages) else None
    most = _CHUNK if parts is None else _CHUNK_OF_PART
    borders = [0, len(rows)] if parts is None else np.searchsorted(rows, parts.starts).tolist()
    return [
        range(start, min(start + most, end)) for first, end in pairwise(borders) for start in range(first, end, most)
    ]


def _traits_of_rows(images: Images, rows: range) -> TraitsPart:
    """Runs in a worker."""
    traits, cells = np.zeros(len(rows), TRAITS), np.empty((len(rows), CELLS, CELLS, 3), np.uint8)
    bad, count = list[BadImageError](), 0
    with quiet():
        for row, open_image in zip(rows, opened_ahead(images, rows), strict=True):
            try:
                traits[count], cells[count] = _traits(open_image, row, images.names[row])
                count += 1
            except BadImageError as error:
                bad.append(error)
    return traits[:count], cells[:count], bad


def _traits(open_image: Callable[[], Image.Image], row: int, name: str) -> tuple[tuple[Any, ...], NDArray[np.uint8]]:
    """A row of the table, without its split, and the thumbnail."""
    with open_image() as image:
        mode = image.mode
        pixels = to_pixels(image, name, channels=3).transpose(1, 2, 0)
    height, width = pixels.shape[:2]
    flat = bool((pixels == pixels[0, 0]).all())
    digest = np.frombuffer(duplicates.digest(pixels), np.uint8)
    return (0, row, digest, (width, height), mode.encode(), flat), duplicates.thumbnail(pixels)
