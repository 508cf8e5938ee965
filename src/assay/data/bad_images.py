"""Images that cannot be read: the first one is an error, or all are left out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from assay.data.images import BadImageError
from assay.data.split import Source, Split


def leave_out(
    source: Source, errors: Mapping[str, Sequence[BadImageError]], on_bad_image: str
) -> tuple[Source, list[BadImageError]]:
    """The source without its bad images, and their errors.

    Args:
        source: the splits, bad images included.
        errors: those of each split.
        on_bad_image: ``"error"`` or ``"skip"``.

    Raises:
        BadImageError: the first one, where ``on_bad_image`` is ``"error"``.
        ValueError: a class has no image left in train.
    """
    bad = [error for part in errors.values() for error in part]
    if not bad:
        return source, []
    if on_bad_image == "error":
        raise bad[0]
    splits = {name: without(split, errors[name]) for name, split in source.splits.items()}
    if "train" in splits:
        counts = np.bincount(splits["train"].labels, minlength=len(source.classes))
        for name, count in zip(source.classes, counts, strict=True):
            if not count:
                raise ValueError(f"class {name!r} has no readable image in train")
    return replace(source, splits=splits), bad


def without(split: Split, bad: Sequence[BadImageError]) -> Split:
    """The split without the named images."""
    names = {error.name for error in bad}  # names, because row numbers change with each cut of a split
    keep = [row for row, name in enumerate(split.images.names) if name not in names]
    return split.take(np.array(keep, dtype=np.int64))
