"""Checks of a set of images for what is wrong or odd; every image is decoded as training would decode it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from assay.data import duplicates
from assay.data.duplicates import NEAR, Group, Leak
from assay.data.images import BadImageError
from assay.data.split import SPLITS, Source
from assay.data.traits import Traits, traits_of

_EXAMPLES = 3  # named in a line on many
_SMALL = 8  # pixels
_LONG = 10  # times as long as wide

Size = tuple[int, int]
"""width and height in pixels, upright"""


@dataclass(frozen=True)
class SplitCheck:
    """Numbers, sizes and modes of a split's images.

    Attributes:
        images: all of them, corrupt ones too.
        classes: the number of readable images of each class, by its name.
        sizes: the smallest, the median and the largest, by area; empty without a readable image.
        distinct_sizes: how many different ones there are.
        modes: the number of images of each of Pillow's modes, the most frequent first.
    """

    images: int
    classes: Mapping[str, int]
    sizes: tuple[Size, ...]
    distinct_sizes: int
    modes: Mapping[str, int]

    @property
    def empty(self) -> list[str]:
        """The classes without a readable image."""
        return [name for name, count in self.classes.items() if not count]

    def overview(self) -> dict[str, str]:
        """A table's row, by its column."""
        counts = sorted(self.classes.values())
        sizes = [f"{width}x{height}" for width, height in dict.fromkeys(self.sizes)]
        return {
            "images": str(self.images),
            "classes": str(len(self.classes) - len(self.empty)),
            "images per class": " to ".join(str(count) for count in dict.fromkeys((counts[0], counts[-1]))),
            "sizes": ", ".join(sizes) + (f" ({self.distinct_sizes} sizes)" if self.distinct_sizes > 1 else ""),
            "modes": ", ".join(f"{mode} {count}" for mode, count in self.modes.items()),
        }


@dataclass(frozen=True)
class Check:
    """The findings in a set of images.

    Attributes:
        splits: what each split holds.
        corrupt: the images that cannot be decoded.
        exact: images of the same pixels within a split, whatever their files' format.
        conflicts: images of the same pixels, in any splits, that are in different classes.
        leaks: images that are, exactly or nearly, in an earlier split too.
        near: near duplicates within a split.
        odd: other remarks, one line each.
        unlabelled: how many images of a split have no label, one line each.
    """

    splits: Mapping[str, SplitCheck]
    corrupt: Sequence[BadImageError]
    exact: Sequence[Group]
    conflicts: Sequence[Group]
    leaks: Sequence[Leak]
    near: Sequence[Group]
    odd: Sequence[str]
    unlabelled: Sequence[str] = ()

    @property
    def wrong(self) -> dict[str, list[str]]:
        """Findings that make a training fail or its result untrue: a line for each, by the kinds that have any."""
        kinds = {
            "images without a label": list(self.unlabelled),
            "corrupt images": [str(error) for error in self.corrupt],
            "exact duplicates": [" = ".join(map(str, group)) for group in self.exact],
            "conflicting labels": [
                " = ".join(f"{place} ({place.label})" for place in group) for group in self.conflicts
            ],
            "images in two splits": [f"{leak.later} = {leak.earlier} ({leak.kind})" for leak in self.leaks],
            "classes without images in train": self.splits["train"].empty,
        }
        return {kind: lines for kind, lines in kinds.items() if lines}

    @property
    def remarks(self) -> dict[str, list[str]]:
        """Findings that may be intended: a line for each, by the kinds that have any."""
        empty = {f"classes without images in {name}": part.empty for name, part in self.splits.items()}
        kinds = {
            **empty,
            "near duplicates within a split": [" ~ ".join(map(str, group)) for group in self.near],
            "odd": list(self.odd),
        }
        return {kind: lines for kind, lines in kinds.items() if lines and kind not in self.wrong}

    @property
    def problems(self) -> list[str]:
        """A line for each kind of finding that is wrong, with its number and examples; empty for a sound set."""
        return [f"{kind} ({len(lines)}): {_some(lines, '; ')}" for kind, lines in self.wrong.items()]

    def to_dict(self) -> dict[str, Any]:
        """Everything as plain values, for JSON."""
        corrupt = [{"name": error.name, "reason": error.reason} for error in self.corrupt]
        return {**asdict(self), "corrupt": corrupt, "problems": self.problems}


def check_source(source: Source, *, workers: int, near: float = NEAR) -> Check:
    """Decode every image and look for what is wrong or odd.

    Args:
        source: the splits as they are stored.
        workers: decoding processes; 0 decodes in this one.
        near: the correlation from which two images are near duplicates, in (0, 1).

    Raises:
        ValueError: ``near`` is out of range.
    """
    if not 0 < near < 1:
        raise ValueError(f"near: {near} is not between 0 and 1")
    traits = traits_of(source, workers)
    pictures, alike = duplicates.distinct(traits.table["digest"], traits.thumbnails, traits.ref, near)
    names = [name for name in SPLITS if name in source.splits]
    return Check(
        {name: _summary(source, name, traits.of(name)) for name in names},
        traits.bad,
        duplicates.exact_groups(pictures),
        duplicates.conflicts(pictures),
        duplicates.leaks(pictures, alike, names),
        duplicates.near_groups(pictures, alike),
        [*source.odd, *_remarks(traits)],
        source.unlabelled,
    )


def _summary(source: Source, name: str, traits: NDArray[Any]) -> SplitCheck:
    split = source.splits[name]
    counts = np.bincount(split.labels[traits["row"]], minlength=len(source.classes)).tolist()
    width, height = traits["size"].astype(np.int64).T
    order = np.lexsort((height, width, width * height))
    middle = [order[place] for place in (0, len(order) // 2, -1)] if len(order) else []
    return SplitCheck(
        len(split),
        dict(zip(source.classes, counts, strict=True)),
        tuple((int(width[row]), int(height[row])) for row in middle),
        len(np.unique(width << 32 | height)),
        _modes(traits),
    )


def _modes(traits: NDArray[Any]) -> dict[str, int]:
    """The number of images of each mode, the most frequent first; of equally frequent ones that which is met first."""
    modes, first, counts = np.unique(traits["mode"], return_index=True, return_counts=True)
    return {modes[place].decode(): int(counts[place]) for place in np.lexsort((first, -counts))}


def _remarks(traits: Traits) -> list[str]:
    """A line for each kind of odd image: its number and examples."""
    usual = next(iter(_modes(traits.table)), "")
    short, long = traits.table["size"].min(axis=1), traits.table["size"].max(axis=1).astype(np.int64)
    # In a set of small images a small one is not odd.
    small = 0 if (short < _SMALL).all() else _SMALL

    def with_mode(number: int) -> str:
        return f"{traits.ref(number)} ({traits.table['mode'][number].decode()})"

    def with_size(number: int) -> str:
        width, height = traits.table["size"][number].tolist()
        return f"{traits.ref(number)} ({width}x{height})"

    kinds: list[tuple[str, NDArray[np.bool_], Callable[[int], object]]] = [
        (f"of another mode than {usual}", traits.table["mode"] != usual.encode(), with_mode),
        ("of a single colour", traits.table["flat"], traits.ref),
        (f"less than {_SMALL} pixels wide or high", short < small, with_size),
        (f"more than {_LONG} times as long as wide", long > _LONG * short.astype(np.int64), with_size),
    ]
    return [
        f"{kind} ({is_odd.sum()}): {_some(np.flatnonzero(is_odd).tolist(), ', ', in_words)}"
        for kind, is_odd, in_words in kinds
        if is_odd.any()
    ]


def _some(findings: Sequence[Any], separator: str, in_words: Callable[[Any], object] = str) -> str:
    """The first three, and how many more there are."""
    rest = len(findings) - _EXAMPLES
    shown = separator.join(str(in_words(finding)) for finding in findings[:_EXAMPLES])
    return shown + (f" and {rest} more" if rest > 0 else "")
