"""Labelled splits, and how those that a set does not bring are cut from its train split, folds too."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from assay.base.registry import nearest
from assay.data.images import ChainedImages, Images
from assay.data.stratify import stratified_folds, stratified_sample, stratified_split

SPLITS = ("train", "held-out", "test")


@dataclass(frozen=True)
class Split:
    """Images with the number of the class of each, int64 ``[N]``.

    Where images must not be parted, ``groups`` holds the number of the group of each, int64 ``[N]``.
    """

    images: Images
    labels: NDArray[np.int64]
    groups: NDArray[np.int64] | None = None

    def __len__(self) -> int:
        return len(self.labels)

    def take(self, rows: NDArray[np.int64]) -> Split:
        """The given rows, in the given order."""
        stored, kept = self.stored()
        groups = None if self.groups is None else self.groups[rows]
        return Split(SomeImages(stored, kept[rows]), self.labels[rows], groups)

    def stored(self) -> tuple[Images, NDArray[np.int64]]:
        """The whole collection that the images are stored in, and the rows of it that are in the split."""
        if isinstance(self.images, SomeImages):
            return self.images.images, self.images.rows
        return self.images, np.arange(len(self.labels))


@dataclass(frozen=True)
class Source:
    """A set of images: its splits, under ``train``, ``held-out`` and ``test``, and its class names.

    Classes of one name, as ImageNet's two cranes, get their numbers behind it: all that is measured by class is named.
    """

    splits: Mapping[str, Split]
    classes: tuple[str, ...]
    odd: Sequence[str] = field(default=())
    """remarks on what was found beside the images, one line each"""
    unlabelled: Sequence[str] = field(default=())
    """a line on the images of each split that have no label and were left out"""

    def __post_init__(self) -> None:
        classes = distinct_names(self.classes)
        if classes != self.classes:
            changed = [new for new, old in zip(classes, self.classes, strict=True) if new != old]
            remark = f"classes of the same name are told apart by their numbers: {', '.join(changed)}"
            object.__setattr__(self, "classes", classes)
            object.__setattr__(self, "odd", (*self.odd, remark))


@dataclass(frozen=True)
class Cut:
    """The fractions and the seed by which missing splits are cut from train.

    Attributes:
        held_out: the fraction held out if the set has no held-out split.
        test: the fraction taken as test split if the set has none.
        seed: of the random choice.
        train_images: how many of the rest are used at most; None is all of them.
        folds: into how many parts train is cut, with the set's own held-out split; None for no folds.
        fold: the part that takes the place of the test split, from 1; None leaves train whole.
    """

    held_out: float = 0.1
    test: float = 0.2
    seed: int = 0
    train_images: int | None = None
    folds: int | None = None
    fold: int | None = None

    def missing(self, source: Source) -> list[tuple[str, float]]:
        """The splits that the source does not bring, in the order in which they are cut from train; their fractions."""
        wanted = [("test", self.test), ("held-out", self.held_out)]
        return [(name, fraction) for name, fraction in wanted if name not in source.splits]

    def in_vain(self, source: Source) -> list[str]:
        """A line for each fraction that was chosen for a split which the source brings, and so cuts nothing."""
        fields = (
            ("test", "data.test", self.test, Cut.test),
            ("held-out", "data.held_out", self.held_out, Cut.held_out),
        )
        return [
            f"{field} {fraction:g} cuts nothing off: the set has a {name} split of its own"
            for name, field, fraction, default in fields
            if name in source.splits and fraction not in (0, default)
        ]


@dataclass(frozen=True)
class SomeImages:
    """A selection of other images."""

    images: Images
    rows: NDArray[np.int64]

    @cached_property
    def names(self) -> Sequence[str]:
        """The names of the selected images."""
        names = self.images.names
        return [names[row] for row in self.rows]

    def open(self, index: int) -> Image.Image:
        """The selected image at ``index``; raises ``BadImageError``."""
        return self.images.open(int(self.rows[index]))

    def excerpt(self, index: int) -> bytes:
        """Of the selected image at ``index``."""
        return self.images.excerpt(int(self.rows[index]))


def distinct_names(names: tuple[str, ...]) -> tuple[str, ...]:
    """The names, with its place from 0 behind each that is there more than once: ``crane (134)``."""
    times = Counter(names)
    distinct = tuple(f"{name} ({place})" if times[name] > 1 else name for place, name in enumerate(names))
    return distinct if distinct == names else distinct_names(distinct)  # a class may be called "crane (134)" already


def pooled(source: Source) -> Source:
    """The source with its own held-out split, if it brings one, joined to train: the images that folds are cut from."""
    splits = dict(source.splits)
    held_out = splits.pop("held-out", None)
    if held_out is not None:
        train = splits["train"]
        grouped = train.groups is not None and held_out.groups is not None
        splits["train"] = Split(
            ChainedImages([train.images, held_out.images]),
            np.concatenate([train.labels, held_out.labels]),
            np.concatenate([train.groups, held_out.groups]) if grouped else None,
        )
    return replace(source, splits=splits)


def fold_numbers(source: Source, cut: Cut) -> NDArray[np.int64]:
    """The number of the fold of each image of a pooled source's train split, from 1; raises as ``cut_splits`` does."""
    assert cut.folds is not None
    train = source.splits["train"]
    return stratified_folds(train.labels, cut.folds, cut.seed, train.groups, classes=source.classes)


def cut_splits(source: Source, cut: Cut) -> Source:
    """The source with its missing splits cut from train: first test, then held-out; then fewer images to train by.

    A set that brings a split of its own keeps it whole, unless a fold takes the place of its test split. ``held_out`` 0
    leaves the held-out split empty. Every class keeps its share in what is cut, and groups stay together.

    Args:
        source: as it is stored; where folds are cut, pooled.
        cut: what is cut off.

    Raises:
        ValueError: a split or any of the folds cannot be cut, or a class would have no training image left.
    """
    if cut.fold is None:
        return _cut_missing(source, cut)
    train, numbers = source.splits["train"], fold_numbers(source, cut)
    runs = [
        {"train": train.take(np.flatnonzero(numbers != fold)), "test": train.take(np.flatnonzero(numbers == fold))}
        for fold in range(1, numbers.max() + 1)
    ]
    # All of them: what is wrong with the last fold should be known before the first one is trained.
    return [_cut_missing(replace(source, splits=splits), cut) for splits in runs][cut.fold - 1]


def _cut_missing(source: Source, cut: Cut) -> Source:
    splits = dict(source.splits)
    for name, fraction in cut.missing(source):
        if "train" in splits:
            whole = splits["train"]
            rest, part = stratified_split(whole.labels, fraction, cut.seed, whole.groups)
            splits |= {"train": whole.take(rest), name: whole.take(part)}
    train, most = splits.get("train"), cut.train_images
    if train is not None and most is not None and most < len(train):
        kept = stratified_sample(train.labels, most, cut.seed)
        if set(train.labels[kept]) != set(train.labels):
            raise ValueError(f"data.train_images: {most} leave a class without an image to train by")
        splits["train"] = train.take(kept)
    return replace(source, splits={name: splits[name] for name in SPLITS if name in splits})


def relabel(source: Source, classes: tuple[str, ...]) -> Source:
    """The source with its labels numbered as in ``classes``, which may be in another order, or more.

    Raises:
        ValueError: the source has a class that is not among them.
    """
    if source.classes == classes:
        return source
    for name in source.classes:
        if name not in classes:
            raise ValueError(f"the data's class {name!r} is not among the model's: {nearest(name, classes)}")
    number = np.array([classes.index(name) for name in source.classes], dtype=np.int64)
    splits = {name: replace(split, labels=number[split.labels]) for name, split in source.splits.items()}
    return replace(source, splits=splits, classes=classes)
