"""Bad images are left out by name."""

from __future__ import annotations

from assay.data.bad_images import without
from assay.data.images import BadImageError
from assay.data.split import Split


def test_without_drops_by_name(split: Split) -> None:
    names = list(split.images.names)
    kept = without(split, [BadImageError(names[1], "bad"), BadImageError(names[8], "bad")])
    assert list(kept.images.names) == [name for name in names if name not in (names[1], names[8])]
    assert kept.labels.tolist() == [0] * 6 + [1] * 4
