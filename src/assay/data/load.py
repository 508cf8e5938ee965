"""From a source to datasets: survey the images, decide their size, drop the bad, decode, cut, measure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray

from assay.data.cache import cached
from assay.data.dataset import (
    Dataset,
    MemoryDataset,
    StreamedDataset,
    decode,
    decode_all,
    default_workers,
    measure,
)
from assay.data.dataset import without as without_bad
from assay.data.images import BadImageError, Images
from assay.data.preprocess import Preprocessing, Wanted
from assay.data.split import SomeImages, Source, Split, with_all_splits, with_fewer_to_train
from assay.data.survey import Survey, survey

_GIB = 2**30


@dataclass(frozen=True)
class Cut:
    """How train is cut.

    Attributes:
        held_out: the fraction held out, where there is no such split.
        test: the fraction taken as test split, where there is none.
        seed: of the choice.
        train_images: how many of the rest are used at most; None is all of them.
    """

    held_out: float = 0.1
    test: float = 0.2
    seed: int = 0
    train_images: int | None = None


@dataclass(frozen=True)
class Storage:
    """Where decoded images live: in memory on ``device`` up to ``memory`` GiB, else streamed by ``workers``."""

    device: torch.device
    memory: float = 4.0
    workers: int | None = None

    @property
    def processes(self) -> int:
        """The number of decoding processes."""
        return default_workers() if self.workers is None else self.workers


@dataclass(frozen=True)
class Data:
    """Ready datasets by split (``train``, ``held-out``, ``test``), and what was left out."""

    splits: Mapping[str, Dataset]
    classes: tuple[str, ...]
    preprocessing: Preprocessing
    bad: Sequence[BadImageError] = ()


def load_data(
    source: Source,
    *,
    size: int | None,
    cut: Cut,
    storage: Storage,
    on_bad_image: str = "error",
    crop_pct: float | None = None,
    interpolation: str | None = None,
    wanted: Wanted | None = None,
) -> Data:
    """Everything that a training needs of a set of images.

    Args:
        source: the labelled splits.
        size: side of the network's input in pixels; None takes that of the images.
        cut: how missing splits are taken from train.
        storage: where the decoded images live. Those in memory are squares already, so that an
            augmentation that crops them sees no more than the square.
        on_bad_image: ``"error"`` raises at the first, ``"skip"`` leaves bad images out.
        crop_pct: the central part that the network sees, as in ``Preprocessing``.
        interpolation: likewise.
        wanted: what pretrained weights ask for; ``size``, ``crop_pct`` and ``interpolation`` win over it.

    Raises:
        BadImageError: an image cannot be decoded, and ``on_bad_image`` is ``"error"``. (Of a set that
            streams only the headers are read here; other damage is found when the image is due.)
        ValueError: the images differ in size and ``size`` is None, a split cannot be cut, or the
            weights' mean is of another number of channels.
    """
    surveys = {name: survey(split.images) for name, split in source.splits.items()}
    clean, bad = _without_unreadable(source, surveys, on_bad_image)
    asked = (wanted or Wanted()).but(size=size, crop_pct=crop_pct, interpolation=interpolation)
    how = plan(list(surveys.values()), asked)
    data = open_splits(clean, how, cut=cut, storage=storage, on_bad_image=on_bad_image)
    if not how.mean:
        mean, std = measure(data.splits["train"], cut.seed)
        how = replace(how, mean=mean, std=std)
    return replace(data, preprocessing=how, bad=[*bad, *data.bad])


def open_splits(source: Source, how: Preprocessing, *, cut: Cut, storage: Storage, on_bad_image: str) -> Data:
    """The datasets of a source whose preprocessing is known already; raises as ``load_data`` does."""
    total = sum(len(split) for split in source.splits.values()) * how.channels * how.stored**2
    if total <= storage.memory * _GIB:
        clean, bad, pixels = _decode_splits(source, how, storage.processes, on_bad_image)
    else:
        clean, bad = _find_bad(source, how, storage.processes) if on_bad_image == "skip" else (source, [])
        pixels = {}
    complete = with_fewer_to_train(
        with_all_splits(clean, held_out=cut.held_out, test=cut.test, seed=cut.seed),
        most=cut.train_images,
        seed=cut.seed,
    )
    datasets = {name: _dataset(split, pixels, how, storage) for name, split in complete.splits.items()}
    return Data(datasets, source.classes, how, bad)


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
    stored = int(smallest) if smallest == largest and smallest <= size else size
    channels = wanted.channels or (1 if all(part.gray[part.readable].all() for part in surveys) else 3)
    mean, std = wanted.mean or (), wanted.std or ()
    if (mean or std) and not len(mean) == len(std) == channels:
        raise ValueError(f"the images have {channels} channels, but the weights' mean {len(mean)} and std {len(std)}")
    return Preprocessing(channels, stored, size, mean, std, wanted.crop_pct, wanted.interpolation or "bilinear")


def _without_unreadable(
    source: Source, surveys: Mapping[str, Survey], on_bad_image: str
) -> tuple[Source, list[BadImageError]]:
    errors = {name: part.errors(source.splits[name].images) for name, part in surveys.items()}
    return _drop(source, errors, on_bad_image)


def _drop(
    source: Source, errors: Mapping[str, Sequence[BadImageError]], on_bad_image: str
) -> tuple[Source, list[BadImageError]]:
    bad = [error for part in errors.values() for error in part]
    if not bad:
        return source, bad
    if on_bad_image == "error":
        raise bad[0]
    splits = {name: without_bad(split, errors[name]) for name, split in source.splits.items()}
    if "train" in splits:
        _refuse_empty(splits["train"], source.classes)
    return replace(source, splits=splits), bad


def _refuse_empty(train: Split, classes: tuple[str, ...]) -> None:
    counts = np.bincount(train.labels, minlength=len(classes))
    empty = [name for name, count in zip(classes, counts, strict=True) if not count]
    if empty:
        raise ValueError(f"class {empty[0]!r} has no readable image in train")


Pixels = dict[int, NDArray[np.uint8]]  # of each stored collection of images, by its identity


def _decode_splits(
    source: Source, how: Preprocessing, workers: int, on_bad_image: str
) -> tuple[Source, list[BadImageError], Pixels]:
    pixels: Pixels = {}
    errors: dict[str, list[BadImageError]] = {}
    for name, split in source.splits.items():
        images, _ = _whole(split.images)
        pixels[id(images)], found = _decode_cached(images, how, workers)
        left = set(split.images.names)  # what was dropped before is not reported again
        errors[name] = [error for error in found if error.name in left]
    clean, bad = _drop(source, errors, on_bad_image)
    return clean, bad, pixels


def _decode_cached(images: Images, how: Preprocessing, workers: int) -> tuple[NDArray[np.uint8], list[BadImageError]]:
    bad: list[BadImageError] = []
    undecoded: list[NDArray[np.uint8]] = []

    def compute() -> dict[str, NDArray[np.uint8]] | None:
        pixels, errors = decode_all(images, how, workers)
        bad.extend(errors)
        undecoded.append(pixels)
        return None if errors else {"pixels": pixels}

    fingerprint = images.fingerprint()
    arrays = cached(fingerprint and f"pixels {how.decoding} {fingerprint}", compute)
    return (undecoded[0] if arrays is None else arrays["pixels"]), bad


def _find_bad(source: Source, how: Preprocessing, workers: int) -> tuple[Source, list[BadImageError]]:
    """One pass over images that will stream, so that none fails in the middle of an epoch."""
    errors = {
        name: [error for _, bad in decode(split.images, how, _chunks(len(split)), workers) for error in bad.values()]
        for name, split in source.splits.items()
    }
    return _drop(source, errors, "skip")


def _chunks(count: int) -> list[range]:
    return [range(start, min(start + 64, count)) for start in range(0, count, 64)]


def _dataset(split: Split, pixels: Pixels, how: Preprocessing, storage: Storage) -> Dataset:
    labels = torch.tensor(split.labels, device=storage.device)
    images, rows = _whole(split.images)
    if id(images) not in pixels:
        return StreamedDataset(split.images, labels, how, storage.device, storage.processes)
    chosen = torch.from_numpy(pixels[id(images)][rows])
    return MemoryDataset(chosen.to(storage.device), labels, split.images.names)


def _whole(images: Images) -> tuple[Images, NDArray[np.int64]]:
    """The stored collection behind selections of selections, and the rows of it that are meant."""
    rows = np.arange(len(images.names))
    whole = images
    while isinstance(whole, SomeImages):
        rows, whole = whole.rows[rows], whole.images
    return whole, rows
