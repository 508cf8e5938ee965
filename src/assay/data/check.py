"""Checks of a set of images for what is wrong or odd; every image is decoded as training would decode it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from itertools import chain
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from assay.data import duplicates
from assay.data.decode import chunks, map_in_workers, worth
from assay.data.duplicates import NEAR, Group, Leak, Place
from assay.data.images import BadImageError, Images, quiet, to_pixels
from assay.data.split import SPLITS, Source

_CHUNK = 64  # images that a worker decodes and sends at a time
_EXAMPLES = 3  # named in a line on many
_SMALL = 8  # pixels
_LONG = 10  # times as long as wide

Size = tuple[int, int]
"""width and height in pixels, upright"""


class _Look(NamedTuple):
    """The features of a decoded image that the checks compare."""

    size: Size
    mode: str
    flat: bool
    digest: bytes
    thumbnail: NDArray[np.uint8]


_Seen = tuple[Place, _Look]


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
    looked = {name: _look_at(name, source, workers) for name in SPLITS if name in source.splits}
    looks = [seen for part, _ in looked.values() for seen in part]
    pictures, alike = duplicates.distinct([(place, look.digest, look.thumbnail) for place, look in looks], near)
    return Check(
        {name: _summary(len(source.splits[name]), part, source.classes) for name, (part, _) in looked.items()},
        [error for _, bad in looked.values() for error in bad],
        duplicates.exact_groups(pictures),
        duplicates.conflicts(pictures),
        duplicates.leaks(pictures, alike, list(looked)),
        duplicates.near_groups(pictures, alike),
        [*source.odd, *_remarks(looks)],
        source.unlabelled,
    )


def _look_at(name: str, source: Source, workers: int) -> tuple[list[_Seen], list[BadImageError]]:
    """The readable images of a split, and the errors of the others."""
    seen: list[_Seen] = []
    bad: list[BadImageError] = []
    images, labels = source.splits[name].images, source.splits[name].labels
    parts = chunks(len(images.names), _CHUNK)
    looks = chain.from_iterable(map_in_workers(partial(_look_at_rows, images), parts, worth(workers, parts)))
    for image, label, look in zip(images.names, labels, looks, strict=True):
        if isinstance(look, BadImageError):
            bad.append(look)
        else:
            seen.append((Place(name, image, source.classes[label]), look))
    return seen, bad


def _look_at_rows(images: Images, rows: range) -> list[_Look | BadImageError]:
    """Runs in a worker."""
    with quiet():
        return [_look(images, row) for row in rows]


def _look(images: Images, row: int) -> _Look | BadImageError:
    try:
        with images.open(row) as image:
            mode = image.mode
            pixels = to_pixels(image, images.names[row], channels=3).transpose(1, 2, 0)
    except BadImageError as error:
        return error
    height, width = pixels.shape[:2]
    flat = bool((pixels == pixels[0, 0]).all())
    return _Look((width, height), mode, flat, duplicates.digest(pixels), duplicates.thumbnail(pixels))


def _summary(images: int, looks: Sequence[_Seen], classes: Sequence[str]) -> SplitCheck:
    counts = Counter(place.label for place, _ in looks)
    sizes = sorted((look.size for _, look in looks), key=lambda size: (size[0] * size[1], size))
    modes = Counter(look.mode for _, look in looks)
    return SplitCheck(
        images,
        {name: counts[name] for name in classes},
        (sizes[0], sizes[len(sizes) // 2], sizes[-1]) if sizes else (),
        len(set(sizes)),
        dict(modes.most_common()),
    )


def _remarks(looks: Sequence[_Seen]) -> list[str]:
    """A line for each kind of odd image: its number and examples."""
    usual = Counter(look.mode for _, look in looks).most_common(1)[0][0] if looks else ""
    sized = [(f"{place} ({look.size[0]}x{look.size[1]})", min(look.size), max(look.size)) for place, look in looks]
    # In a set of small images a small one is not odd.
    small = 0 if all(short < _SMALL for _, short, _ in sized) else _SMALL
    kinds = {
        f"of another mode than {usual}": [f"{place} ({look.mode})" for place, look in looks if look.mode != usual],
        "of a single colour": [str(place) for place, look in looks if look.flat],
        f"less than {_SMALL} pixels wide or high": [name for name, short, _ in sized if short < small],
        f"more than {_LONG} times as long as wide": [name for name, short, long in sized if long > _LONG * short],
    }
    return [f"{kind} ({len(names)}): {_some(names, ', ')}" for kind, names in kinds.items() if names]


def _some(texts: Sequence[str], separator: str) -> str:
    """The first three, and how many more there are."""
    rest = len(texts) - _EXAMPLES
    return separator.join(texts[:_EXAMPLES]) + (f" and {rest} more" if rest > 0 else "")
