"""Copies among images: exact ones by their pixels, near ones by the edges in their thumbnails.

Two images are near duplicates when the edges of their thumbnails correlate by ``NEAR`` or more. A
thumbnail is the upright RGB image averaged over the cells of a 16x16 grid; its edges are the
differences of neighbouring cells, down and across, in each colour; the correlation is the cosine of
the angle between the two lists of differences. Edges, not pixels: any two landscapes have nearly
the same pixels once they are this small (bright above, dark below), but not the same edges.

So it finds copies that were saved again, scaled, stretched, made brighter or darker, or of more or
less contrast, and copies with a small mark or a plain background of another colour. It does not find
copies that are mirrored, turned, framed, or cropped or shifted by more than a small part of a cell,
negatives, or copies in quite other colours. Drawings on an empty ground, such as handwritten digits,
have few edges and may be taken for copies without being so. Images that are nearly flat, or have
fewer pixels than the grid, are never near duplicates: they hold too little to tell.

In CIFAR-10 and CIFAR-100 every pair above 0.95 that was looked at shows the same photo, or the same
product from a series; the first wrong ones (two white plates) stand at 0.94.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from assay.data.spilled import Rows, Spilled

NEAR = 0.95
CELLS = 16  # on each side of a thumbnail

_FAINT = 2.0  # root mean square of the edges, of 255 levels, below which they are mostly rounding
_COMPONENTS = 64  # of 1440 edges: few enough to compare all pairs, enough to leave few pairs that only seem close
_SAMPLE = 1024  # pictures, at most about so many, that the components are computed from
_BLOCK = 2048  # a block of 2048 x 2048 distances stays in the processor's cache
_ROUNDING = 0.01  # in the distances

Group = tuple["ImageRef", ...]
Pictures = Mapping[int, Sequence["ImageRef"]]
"""of each distinct picture that has a copy, exact or near, the images that show it; by the first one's number"""
Likeness = Mapping[int, Mapping[int, float]]
"""of each picture that has near duplicates, these and their correlation"""


@dataclass(frozen=True)
class ImageRef:
    """An image's split, its name in the split, and the name of its class."""

    split: str
    name: str
    label: str

    def __str__(self) -> str:
        return self.name if self.name.startswith(f"{self.split}/") else f"{self.split}: {self.name}"


@dataclass(frozen=True)
class Leak:
    """An image, and its copy in an earlier split; ``likeness`` in (0, 1], 1 for an ``exact`` one."""

    earlier: ImageRef
    later: ImageRef
    kind: str
    """``"exact"`` or ``"near"``"""
    likeness: float


def digest(pixels: NDArray[np.uint8]) -> bytes:
    """16 bytes that are equal for equal pixels ``[H, W, 3]`` of equal size, and for no others."""
    return hashlib.blake2b(f"{pixels.shape}".encode() + pixels.tobytes(), digest_size=16).digest()


def thumbnail(pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Means over a grid, uint8 ``[16, 16, 3]``, of uint8 ``[H, W, 3]``; blank for fewer pixels than cells."""
    if min(pixels.shape[:2]) < CELLS:
        return np.zeros((CELLS, CELLS, 3), dtype=np.uint8)
    return np.asarray(Image.fromarray(pixels).resize((CELLS, CELLS), Image.Resampling.BOX))


def distinct(
    digests: NDArray[np.uint8], thumbnails: Rows, ref: Callable[[int], ImageRef], near: float
) -> tuple[Pictures, Likeness]:
    """The pictures that have copies, in order, with the images that show each; and the near duplicates among pictures.

    Memory holds some tens of bytes for each image, and more only of those that have copies.

    Args:
        digests: uint8 ``[N, 16]``; equal ones are those of exact copies.
        thumbnails: uint8 ``[N, 16, 16, 3]``.
        ref: tells where the image of a number lies.
        near: the least correlation of near duplicates, in (0, 1).
    """
    first, picture = _first_of_equal(digests)
    alike = find_alike(thumbnails, near, first)
    copied = set(first[np.bincount(picture, minlength=len(first)) > 1].tolist()) | alike.keys()
    shown: dict[int, list[ImageRef]] = {number: [] for number in sorted(copied)}
    firsts = first[picture]
    for number in np.flatnonzero(np.isin(firsts, list(copied))).tolist():
        shown[int(firsts[number])].append(ref(number))
    return shown, alike


def _first_of_equal(digests: NDArray[np.uint8]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """The first row of each of the different digests, ascending, int64 ``[P]``; and of each row its digest's place."""
    halves = np.ascontiguousarray(digests).view(np.uint64)  # [N, 2]: numbers are sorted in less memory than bytes
    order = np.lexsort((halves[:, 1], halves[:, 0]))  # stable: of equal ones the first comes first
    is_new = np.ones(len(order), dtype=bool)
    is_new[1:] = (halves[order[1:]] != halves[order[:-1]]).any(axis=1)
    first = order[is_new]
    place = np.empty(len(first), dtype=np.int64)
    place[np.argsort(first)] = np.arange(len(first))
    picture = np.empty(len(order), dtype=np.int64)
    picture[order] = place[np.cumsum(is_new) - 1]
    return np.sort(first), picture


def exact_groups(pictures: Pictures) -> list[Group]:
    """The images of equal pixels within each split, two or more in a group."""
    by_split = [
        tuple(image for image in images if image.split == split)
        for images in pictures.values()
        if len(images) > 1
        for split in dict.fromkeys(image.split for image in images)
    ]
    return [group for group in by_split if len(group) > 1]


def conflicts(pictures: Pictures) -> list[Group]:
    """The images, of any splits, of equal pixels but not of one class."""
    return [tuple(images) for images in pictures.values() if len({image.label for image in images}) > 1]


def near_groups(pictures: Pictures, alike: Likeness) -> list[Group]:
    """Near duplicates within each split, one image of each distinct picture.

    A group is connected by its pairs: its first and last image may be less alike than a pair is.
    """
    groups = []
    for split in dict.fromkeys(image.split for picture in alike for image in pictures[picture]):
        first = {
            picture: next(image for image in pictures[picture] if image.split == split)
            for picture in alike
            if any(image.split == split for image in pictures[picture])
        }
        groups += [tuple(first[picture] for picture in group) for group in _connected(alike, first)]
    return [group for group in groups if len(group) > 1]


def leaks(pictures: Pictures, alike: Likeness, splits: Sequence[str]) -> list[Leak]:
    """For each image and each split before its own (in the order of ``splits``) that holds a copy of it: the likest."""
    found = []
    for number, images in pictures.items():
        nearest = sorted(alike.get(number, {}).items(), key=lambda item: -item[1])
        copies = [(image, "exact", 1.0) for image in images]
        copies += [(image, "near", likeness) for other, likeness in nearest for image in pictures[other]]
        likest = {copy[0].split: copy for copy in reversed(copies)}  # the likest comes first, so it is put in last
        for image in images:
            earlier = (likest[split] for split in splits[: splits.index(image.split)] if split in likest)
            found += [Leak(copy, image, kind, likeness) for copy, kind, likeness in earlier]
    return found


def group_numbers(digests: NDArray[np.uint8], thumbnails: NDArray[np.uint8], near: float = NEAR) -> NDArray[np.int64]:
    """The number of each image's group, int64 ``[N]`` from 0: copies and near duplicates, and what these connect.

    Args:
        digests: uint8 ``[N, 16]``; equal ones are those of exact copies.
        thumbnails: uint8 ``[N, 16, 16, 3]``.
        near: the least correlation of near duplicates, in (0, 1).
    """
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    first, picture = _first_of_equal(digests)
    alike = find_alike(thumbnails[first], near)
    pairs = np.array([(one, other) for one, others in alike.items() for other in others]).reshape(-1, 2)
    graph = coo_array((np.ones(len(pairs)), (pairs[:, 0], pairs[:, 1])), shape=(len(first), len(first)))
    return np.asarray(connected_components(graph, directed=False)[1], dtype=np.int64)[picture]


def _connected(alike: Likeness, among: Mapping[int, ImageRef]) -> Iterator[list[int]]:
    """The pictures of ``among`` in groups that near duplicates connect, each ascending."""
    seen: set[int] = set()
    for start in among:
        group, ahead = set[int](), [start]
        while ahead:
            picture = ahead.pop()
            if picture in among and picture not in seen:
                seen.add(picture)
                group.add(picture)
                ahead += alike[picture]
        yield sorted(group)


def find_alike(thumbnails: Rows, near: float = NEAR, among: NDArray[np.int64] | None = None) -> Likeness:
    """The near duplicates among distinct pictures, each pair under both of its pictures, in order.

    Compares every pair: 60,000 pictures take some 5 seconds on two cores, and four times as long
    when there are twice as many. Memory holds a block of pictures at a time, and the pairs.

    Args:
        thumbnails: uint8 ``[N, 16, 16, 3]``.
        near: the least correlation, in (0, 1).
        among: the rows that are compared, int64 ``[P]``; by default all.
    """
    rows = np.arange(len(thumbnails)) if among is None else among
    # One array: a small one kept of each block would lie where the next block's edges could have been put.
    is_strong = np.zeros(len(rows), dtype=bool)
    for block, strong in zip(_blocks(rows), _blocks(is_strong), strict=True):
        strong[:] = _edges(thumbnails[block]).square().mean(1).sqrt() >= _FAINT
    rows = rows[is_strong]
    alike: dict[int, dict[int, float]] = {}
    for pairs in _close(thumbnails, rows, near):
        first, second = rows[pairs[:, 0]], rows[pairs[:, 1]]
        likeness = F.cosine_similarity(_edges(thumbnails[first]), _edges(thumbnails[second]))
        for one, other, value in zip(first.tolist(), second.tolist(), likeness.tolist(), strict=True):
            if value >= near:
                alike.setdefault(one, {})[other] = alike.setdefault(other, {})[one] = value
    return dict(sorted(alike.items()))


def _blocks(rows: NDArray[Any]) -> Iterator[NDArray[Any]]:
    return (rows[start : start + _BLOCK] for start in range(0, len(rows), _BLOCK))


def _edges(cells: NDArray[np.uint8]) -> Tensor:
    """uint8 ``[N, 16, 16, 3]`` to the differences of neighbours, float32 ``[N, 1440]``."""
    values = torch.from_numpy(cells).float()
    return torch.cat([values.diff(dim=1).flatten(1), values.diff(dim=2).flatten(1)], dim=1)


def _close(thumbnails: Rows, rows: NDArray[np.int64], near: float) -> Iterator[NDArray[np.int64]]:
    """Pairs of places in ``rows``, int64 ``[P, 2]``, among them all whose edges correlate by ``near``.

    Unit vectors of that cosine are ``sqrt(2 - 2 near)`` apart, and a projection never lengthens a
    distance, so comparing their leading principal components passes over no pair.
    """
    if len(rows) < 2:
        return
    sample = F.normalize(_edges(thumbnails[rows[:: len(rows) // _SAMPLE + 1]]))
    basis = torch.linalg.svd(sample, full_matrices=False).Vh[:_COMPONENTS].T
    short = Spilled([basis.shape[1]], np.float32)  # 256 bytes for each picture
    for block in _blocks(rows):
        short.append((F.normalize(_edges(thumbnails[block])) @ basis).numpy())
    limit = math.sqrt(2 - 2 * near) + _ROUNDING
    for top in range(0, len(short), _BLOCK):
        upper = torch.from_numpy(short[top : top + _BLOCK])
        for left in range(top, len(short), _BLOCK):
            distances = torch.cdist(upper, torch.from_numpy(short[left : left + _BLOCK]))
            pairs = (torch.nonzero(distances < limit) + torch.tensor([top, left])).numpy()
            pairs = pairs[pairs[:, 0] < pairs[:, 1]]  # each pair once, and no picture with itself
            yield from (pairs[start : start + _BLOCK] for start in range(0, len(pairs), _BLOCK))
