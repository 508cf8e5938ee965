"""Images that show nearly the same, in groups that no cut parts: near duplicates in two splits would be a leak."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from itertools import chain

import numpy as np
from numpy.typing import NDArray

from assay.data import duplicates
from assay.data.cache import FINGERPRINTS, Arrays, Fingerprint, cached
from assay.data.decode import chunks, map_in_workers, worth
from assay.data.images import BadImageError, Images, quiet, to_pixels
from assay.data.split import Source

_CHUNK = 64  # images that a worker decodes and sends at a time

_Look = tuple[NDArray[np.uint8], NDArray[np.uint8], str]
"""an image's digest ``[16]`` and thumbnail ``[16, 16, 3]``, and its name if it is bad"""


def group_near_duplicates(source: Source, workers: int, fingerprint: Fingerprint = FINGERPRINTS["on"]) -> Source:
    """The source with the groups of its train and held-out images: exact copies, and near duplicates.

    Near duplicates are those of ``assay check``; two images that are no pair come into one group where pairs connect
    them. Each image is decoded once: what is compared is kept in the cache.

    Args:
        source: the splits as they are stored.
        workers: decoding processes; 0 decodes in this one.
        fingerprint: tells whether what is cached is that of the stored images.
    """
    splits = [split for name, split in source.splits.items() if name != "test"]  # of which folds and others are cut
    looks = [_look_at(split.images, workers, fingerprint) for split in splits]
    digests, thumbnails = (np.concatenate([look[kind] for look in looks]) for kind in ("digests", "thumbnails"))
    numbers = duplicates.group_numbers(digests, thumbnails)
    parts = iter(np.split(numbers, np.cumsum([len(split) for split in splits])))
    grouped = {name: replace(split, groups=next(parts)) for name, split in source.splits.items() if name != "test"}
    return replace(source, splits={**source.splits, **grouped})


def _look_at(images: Images, workers: int, fingerprint: Fingerprint) -> Arrays:
    """Digests, uint8 ``[N, 16]``, and thumbnails, uint8 ``[N, 16, 16, 3]``; kept only if no image is bad."""
    bad: list[str] = []

    def compute() -> Arrays:
        parts = chunks(len(images.names), _CHUNK)
        found = map_in_workers(partial(_look_at_rows, images), parts, worth(workers, parts))
        digests, thumbnails, names = zip(*chain.from_iterable(found), strict=True)
        bad.extend(filter(None, names))
        return {"digests": np.stack(digests), "thumbnails": np.stack(thumbnails)}

    return cached(fingerprint(images, "duplicates"), compute, keep=lambda _: not bad)


def _look_at_rows(images: Images, rows: range) -> list[_Look]:
    """Runs in a worker."""
    with quiet():
        return [_look(images, row) for row in rows]


def _look(images: Images, row: int) -> _Look:
    name = images.names[row]
    try:
        with images.open(row) as image:
            pixels = to_pixels(image, name, channels=3).transpose(1, 2, 0)
    except BadImageError:  # like no other; it is reported where the images are read to train by
        pixels = np.frombuffer(name.encode(errors="surrogateescape"), dtype=np.uint8)[:, None, None]
        return _as_array(duplicates.digest(pixels)), np.zeros_like(duplicates.thumbnail(pixels)), name
    return _as_array(duplicates.digest(pixels)), duplicates.thumbnail(pixels), ""


def _as_array(digest: bytes) -> NDArray[np.uint8]:
    return np.frombuffer(digest, dtype=np.uint8)
