"""A first look at images, from their headers alone: sizes, grayscale or colour, unreadable ones."""

from __future__ import annotations

import json
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from itertools import chain
from typing import Any

import numpy as np
from numpy.typing import NDArray

from assay.data.cache import FINGERPRINTS, Fingerprint, cached
from assay.data.far import REQUESTS, are_far
from assay.data.images import ArrayImages, BadImageError, ChainedImages, EncodedImages, Images, orientation, quiet
from assay.data.places import UnreachableError

_PART = 64  # images that a thread looks at
_Header = tuple[int, int, bool, str, bool]
_GRAY_MODES = ("1", "L", "I", "I;16", "I;16L", "I;16B", "I;16N")


@dataclass(frozen=True)
class Survey:
    """For each image: its sides in pixels once upright, whether it is grayscale, and why it is unreadable."""

    widths: NDArray[np.int64]
    heights: NDArray[np.int64]
    gray: NDArray[np.bool_]
    reasons: Sequence[str]
    """empty text for readable images"""

    @property
    def readable(self) -> NDArray[np.bool_]:
        """Whether each image has a readable header, bool ``[N]``."""
        return self.widths > 0

    def errors(self, images: Images) -> list[BadImageError]:
        """The unreadable images."""
        return [BadImageError(images.names[int(row)], self.reasons[int(row)]) for row in np.flatnonzero(~self.readable)]


def survey(images: Images, fingerprint: Fingerprint = FINGERPRINTS["on"]) -> Survey:
    """Read every header (once: the result is cached by the fingerprint). Bad images are noted, not raised."""
    if isinstance(images, ChainedImages):
        parts = [survey(part, fingerprint) for part in images.parts]
        widths, heights, gray = (
            np.concatenate(column)
            for column in zip(*((part.widths, part.heights, part.gray) for part in parts), strict=True)
        )
        return Survey(widths, heights, gray, [reason for part in parts for reason in part.reasons])
    if isinstance(images, ArrayImages):
        count, height, width = images.pixels.shape[:3]
        gray = np.full(count, images.pixels.ndim == 3)
        return Survey(np.full(count, width), np.full(count, height), gray, [""] * count)
    key = fingerprint(images, "survey")
    arrays = cached(key, lambda: _read_headers(images), keep=lambda found: not found["passing"].any())
    reasons = json.loads(arrays["reasons"].tobytes().decode())
    return Survey(arrays["widths"], arrays["heights"], arrays["gray"].astype(bool), reasons)


def _read_headers(images: Images) -> dict[str, NDArray[Any]]:
    parts = [range(start, start + _PART)[: len(images.names) - start] for start in range(0, len(images.names), _PART)]
    with quiet(), ThreadPoolExecutor(REQUESTS if are_far(images) else 1) as threads:
        rows = list(chain.from_iterable(threads.map(partial(_headers, images), parts)))
    if isinstance(images, EncodedImages) and images.parts:
        images.parts.forget()  # this process may read no other image: training has workers for that
    widths, heights, gray, reasons, passing = zip(*rows, strict=True) if rows else ((), (), (), (), ())
    return {
        "widths": np.array(widths, dtype=np.int64),
        "heights": np.array(heights, dtype=np.int64),
        "gray": np.array(gray, dtype=np.uint8),
        "passing": np.array(passing, dtype=np.uint8),
        "reasons": np.frombuffer(json.dumps(reasons).encode(), dtype=np.uint8),  # the cache keeps arrays only
    }


def _headers(images: Images, rows: range) -> list[_Header]:
    return [_header(images, row) for row in rows]


def _header(images: Images, row: int) -> _Header:
    """Width, height, whether it is gray; or why it cannot be read, and whether a retry may succeed.

    A retry may where the system refused to read (a permission, a network): such errors have a number of the
    system's, and damaged bytes do not. What may pass is not cached.
    """
    try:
        with images.open(row) as image:
            turned = orientation(image) in (5, 6, 7, 8)  # EXIF orientations on their side
            width, height = image.size[::-1] if turned else image.size
            return width, height, image.mode in _GRAY_MODES and not image.has_transparency_data, "", False
    except UnreachableError:
        raise
    except Exception as error:
        cause = error.__context__ if isinstance(error, BadImageError) else error
        may_pass = isinstance(cause, OSError) and cause.errno is not None
        reason = error.reason if isinstance(error, BadImageError) else " ".join(str(error).split())
        return 0, 0, True, reason or type(error).__name__, may_pass
