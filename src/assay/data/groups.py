"""Images that show nearly the same, in groups that no cut parts: near duplicates in two splits would be a leak."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from assay.data import duplicates
from assay.data.cache import FINGERPRINTS, Arrays, Fingerprint, cached
from assay.data.split import Source, Split
from assay.data.traits import traits_in_parts


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
    compared = [_compared(split, workers, fingerprint) for split in splits]
    digests, thumbnails = (np.concatenate([arrays[kind] for arrays in compared]) for kind in ("digests", "thumbnails"))
    numbers = duplicates.group_numbers(digests, thumbnails)
    parts = iter(np.split(numbers, np.cumsum([len(split) for split in splits])))
    grouped = {name: replace(split, groups=next(parts)) for name, split in source.splits.items() if name != "test"}
    return replace(source, splits={**source.splits, **grouped})


def _compared(split: Split, workers: int, fingerprint: Fingerprint) -> Arrays:
    """Digests, uint8 ``[N, 16]``, and thumbnails, uint8 ``[N, 16, 16, 3]``; kept only if no image is bad."""
    is_bad = np.ones(len(split), np.bool_)

    def compute() -> Arrays:
        digests = np.empty((len(split), 16), np.uint8)
        thumbnails = np.zeros((len(split), duplicates.CELLS, duplicates.CELLS, 3), np.uint8)
        for traits, part, _ in traits_in_parts(split, workers):
            rows = traits["row"]
            digests[rows], thumbnails[rows], is_bad[rows] = traits["digest"], part, False
        for row in np.flatnonzero(
            is_bad
        ).tolist():  # like no other; it is reported where the images are read to train by
            name = split.images.names[row].encode(errors="surrogateescape")
            digests[row] = np.frombuffer(duplicates.digest(np.frombuffer(name, np.uint8)), np.uint8)
        return {"digests": digests, "thumbnails": thumbnails}

    return cached(fingerprint(split.images, "duplicates"), compute, keep=lambda _: not is_bad.any())
