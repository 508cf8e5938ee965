"""Which images a split holds, with which labels and in which order, in a few digests that can be kept and compared."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping

from assay.data.dataset import Dataset

Identity = dict[str, str]
"""a SHA-256 digest by split and kind, as ``"train labels"``"""


def identity(splits: Mapping[str, Dataset]) -> Identity:
    """Return digests of the names, the labels and the contents of each split's images, in their order."""
    digests: Identity = {}
    for split, images in splits.items():
        names = "\0".join(images.names).encode(errors="surrogateescape")
        kind, contents = images.contents()
        digests[f"{split} names"] = hashlib.sha256(names).hexdigest()
        digests[f"{split} labels"] = hashlib.sha256(images.labels.cpu().numpy().tobytes()).hexdigest()
        digests[f"{split} {kind}"] = contents
    return digests


def first_difference(before: Mapping[str, str], now: Mapping[str, str]) -> str | None:
    """Return the first split and kind whose digests are not equal, as ``"train labels"``; None if all are."""
    return next((name for name in {**now, **before} if before.get(name) != now.get(name)), None)
