"""Labelled splits, and the seeded, stratified cut of one into two."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from assay.base.registry import nearest
from assay.data.images import Images

SPLITS = ("train", "held-out", "test")


@dataclass(frozen=True)
class Split:
    """Images with the number of the class of each, int64 ``[N]``."""

    images: Images
    labels: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.labels)

    def take(self, rows: NDArray[np.int64]) -> Split:
        """The given rows, in the given order."""
        stored, kept = self.stored()
        return Split(SomeImages(stored, kept[rows]), self.labels[rows])

    def stored(self) -> tuple[Images, NDArray[np.int64]]:
        """The whole collection that the images are stored in, and the rows of it that are in the split."""
        if isinstance(self.images, SomeImages):
            return self.images.images, self.images.rows
        return self.images, np.arange(len(self.labels))


@dataclass(frozen=True)
class Source:
    """A set of images: its splits, under ``train``, ``held-out`` and ``test``, and its class names."""

    splits: Mapping[str, Split]
    classes: tuple[str, ...]
    odd: Sequence[str] = field(default=())
    """remarks on what was found beside the images, one line each"""


@dataclass(frozen=True)
class Cut:
    """The fractions and the seed by which missing splits are cut from train.

    Attributes:
        held_out: the fraction held out if the set has no held-out split.
        test: the fraction taken as test split if the set has none.
        seed: of the random choice.
        train_images: how many of the rest are used at most; None is all of them.
    """

    held_out: float = 0.1
    test: float = 0.2
    seed: int = 0
    train_images: int | None = None


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

    def fingerprint(self) -> str | None:
        """None: the whole collection is cached, not selections of it."""
        return None


def cut_splits(source: Source, cut: Cut) -> Source:
    """The source with its missing splits cut from train: first test, then held-out; then fewer images to train by.

    A set that brings a split of its own keeps it whole. ``held_out`` 0 leaves the held-out
    split empty. Every class keeps its share in what is cut.

    Raises:
        ValueError: a split cannot be cut, or a class would have no training image left.
    """
    splits = dict(source.splits)
    for name, fraction in (("test", cut.test), ("held-out", cut.held_out)):
        if name not in splits and "train" in splits:
            rest, part = stratified_split(splits["train"].labels, fraction, cut.seed)
            splits[name] = splits["train"].take(part)
            splits["train"] = splits["train"].take(rest)
    train, most = splits.get("train"), cut.train_images
    if train is not None and most is not None and most < len(train):
        kept = _stratified(train.labels, most, np.random.default_rng(cut.seed))
        if set(train.labels[kept]) != set(train.labels):
            raise ValueError(f"data.train_images: {most} leave a class without an image to train by")
        splits["train"] = train.take(kept)
    return replace(source, splits={name: splits[name] for name in SPLITS if name in splits})


def stratified_split(
    labels: NDArray[np.int64], fraction: float, seed: int
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Cut rows in two so that every class keeps its share in both, as nearly as whole images allow.

    Args:
        labels: int64 ``[N]``.
        fraction: the second part's share, in [0, 1).
        seed: of the choice within each class.

    Returns:
        The rows of the first and of the second part, each ascending.

    Raises:
        ValueError: there are too few images to cut so, or a class would have none left in the first
            part. (The second may lack a class of which the fraction is less than one image.)
    """
    if fraction == 0:
        return np.arange(len(labels)), np.arange(0)
    from sklearn.model_selection import train_test_split

    try:
        first, second = train_test_split(
            np.arange(len(labels)),
            test_size=fraction,
            stratify=labels,
            random_state=seed % 2**32,  # numpy's largest seed
        )
    except ValueError as error:
        raise ValueError(f"cannot cut off {fraction:g} of {len(labels)} images: {error}") from None
    if set(labels[first]) != set(labels):
        raise ValueError(f"cannot cut off {fraction:g} of {len(labels)} images: a class would have none left")
    return np.sort(first), np.sort(second)


def _stratified(labels: NDArray[np.int64], most: int, generator: np.random.Generator) -> NDArray[np.int64]:
    """``most`` rows, ascending, of which each class has its share but for the rounding."""
    order = generator.permutation(len(labels))
    by_class = order[np.argsort(labels[order], kind="stable")]  # stable: each class keeps its random order
    sizes = np.bincount(labels)[labels[by_class]]
    places = np.concatenate([np.arange(size) for size in np.bincount(labels)])
    shares = (places + 0.5) / sizes  # the same for all classes at the same depth
    return np.sort(by_class[np.argsort(shares, kind="stable")[:most]])


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
    splits = {name: Split(split.images, number[split.labels]) for name, split in source.splits.items()}
    return replace(source, splits=splits, classes=classes)
