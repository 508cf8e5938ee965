"""From a source to datasets: survey the headers, plan the size, decode, cut the splits, measure the channels."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from assay.data.bad_images import leave_out
from assay.data.dataset import Dataset, measure
from assay.data.identity import Identity, identity
from assay.data.images import BadImageError
from assay.data.preprocess import Preprocessing, Wanted
from assay.data.split import Cut, Source, cut_splits, fold_numbers, pooled
from assay.data.storage import Storage, decode_source, to_dataset
from assay.data.survey import Survey, survey


@dataclass(frozen=True)
class Folds:
    """The names of the images that are cut into folds, and the number of each one's fold, int64 ``[N]`` from 1."""

    names: Sequence[str]
    numbers: NDArray[np.int64]


@dataclass(frozen=True)
class Data:
    """Ready datasets by split (``train``, ``held-out``, ``test``), and what was left out."""

    splits: Mapping[str, Dataset]
    classes: tuple[str, ...]
    preprocessing: Preprocessing
    bad: Sequence[BadImageError] = ()
    folds: Folds | None = None
    """the images in folds, where a model is trained on all of them"""
    remarks: Sequence[str] = ()
    """what was found beside the images or has no label, one line each"""

    @cached_property
    def identity(self) -> Identity:
        """By what a resumed run tells whether these are the images that it began with."""
        return identity(self.splits)


def load_data(source: Source, wanted: Wanted, *, cut: Cut, storage: Storage, on_bad_image: str = "error") -> Data:
    """Everything that a training needs of a set of images.

    Args:
        source: the labelled splits.
        wanted: the preprocessing; what it leaves open is taken from the images.
        cut: how missing splits, or folds, are taken from train.
        storage: where the decoded images live. Those in memory are squares already, so that an
            augmentation that crops them sees no more than the square.
        on_bad_image: ``"error"`` raises at the first, ``"skip"`` leaves bad images out.

    Raises:
        BadImageError: an image cannot be decoded, and ``on_bad_image`` is ``"error"``. (Of a set that
            streams only the headers are read here; other damage is found when the image is due.)
        ValueError: the images differ in size and no size is wanted, a split cannot be cut, there are groups and
            nothing is cut, or the mean that is wanted is of another number of channels.
    """
    remarks = [*source.odd, *source.unlabelled, *cut.in_vain(source)]
    if cut.folds:
        source = pooled(source)
    elif source.splits["train"].groups is not None and not any(part for _, part in cut.missing(source)):
        raise ValueError("data.groups changes nothing: no split is cut from train, and data.folds is not given")
    surveys = {name: survey(split.images, storage.fingerprint) for name, split in source.splits.items()}
    unreadable = {name: part.errors(source.splits[name].images) for name, part in surveys.items()}
    readable, bad = leave_out(source, unreadable, on_bad_image)
    how = plan(list(surveys.values()), wanted)
    decoded, more_bad = decode_source(readable, how, storage, on_bad_image)
    complete = cut_splits(decoded, cut)
    folds = None
    if cut.folds and cut.fold is None:
        folds = Folds(decoded.splits["train"].images.names, fold_numbers(decoded, cut))
    splits = {name: to_dataset(split, how, storage) for name, split in complete.splits.items()}
    if not how.mean:
        mean, std = measure(splits["train"], cut.seed)
        how = replace(how, mean=mean, std=std)
    return Data(splits, source.classes, how, [*bad, *more_bad], folds, remarks)


def plan(surveys: Sequence[Survey], wanted: Wanted) -> Preprocessing:
    """The preprocessing that suits the images; its mean and deviation are empty where they are to be measured.

    Images that are all squares of one size, at most that of the network, are kept so and enlarged a
    batch at a time; any others are scaled when they are decoded.

    Raises:
        ValueError: the images differ in size or are not square, and no size is given; or the mean and
            deviation that are wanted are of another number of channels.
    """
    sides = np.concatenate([np.stack([part.widths, part.heights], 1)[part.readable] for part in surveys])
    if not len(sides):
        raise ValueError("no readable image in any split")
    smallest, largest = sides.min(), sides.max()
    if wanted.size is None and smallest != largest:
        raise ValueError(f"data.size: the images' sides range from {smallest} to {largest} pixels; choose one size")
    size = wanted.size or int(smallest)
    # Small squares take less memory; the device enlarges them.
    stored = int(smallest) if smallest == largest and smallest <= size else size
    channels = wanted.channels or (1 if all(part.gray[part.readable].all() for part in surveys) else 3)
    mean, std = wanted.mean or (), wanted.std or ()
    if (mean or std) and not len(mean) == len(std) == channels:
        raise ValueError(f"data.mean, data.std: {len(mean)} and {len(std)} numbers; channels of the images: {channels}")
    return Preprocessing(channels, stored, size, mean, std, wanted.crop_pct, wanted.interpolation or "bilinear")
