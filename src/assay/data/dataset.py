"""Decoded images: held in memory where they fit, streamed through worker processes where not."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import DataLoader
from torch.utils.data import Dataset as TorchDataset

from assay.data.images import ArrayImages, BadImageError, Images, quiet
from assay.data.preprocess import Preprocessing
from assay.data.split import Split

_DECODE_CHUNK = 256  # images that a worker decodes and sends at a time
_PICTURES_OF_STATISTICS = 20_000  # a streamed set's mean and deviation come from this many images


class Dataset(Protocol):
    """Labelled images that can be read a batch at a time, in any order."""

    @property
    def labels(self) -> Tensor:
        """The number of each image's class, int64 ``[N]``, on the device that trains."""

    @property
    def names(self) -> Sequence[str]:
        """The images' names."""

    def __len__(self) -> int: ...

    def read(self, batches: Sequence[Tensor]) -> Iterator[Tensor]:
        """For each tensor of row numbers, the pixels of those rows, uint8 ``[B, C, H, W]``."""


@dataclass(frozen=True)
class MemoryDataset:
    """A small set, on the device that trains: ``images`` uint8 ``[N, C, H, W]``, ``labels`` int64 ``[N]``."""

    images: Tensor
    labels: Tensor
    names: Sequence[str]

    def __len__(self) -> int:
        return len(self.labels)

    def read(self, batches: Sequence[Tensor]) -> Iterator[Tensor]:
        """Gathers each batch."""
        for rows in batches:
            yield self.images[rows]


@dataclass(frozen=True)
class StreamedDataset:
    """A large set, decoded by worker processes while the network trains."""

    images: Images
    labels: Tensor
    how: Preprocessing
    device: torch.device
    workers: int

    @property
    def names(self) -> Sequence[str]:
        """The images' names."""
        return self.images.names

    def __len__(self) -> int:
        return len(self.labels)

    def read(self, batches: Sequence[Tensor]) -> Iterator[Tensor]:
        """Decodes each batch; raises ``BadImageError`` at an image that cannot be."""
        for pixels, bad in decode(self.images, self.how, (rows.tolist() for rows in batches), self.workers):
            if bad:
                raise next(iter(bad.values()))
            yield torch.from_numpy(pixels).to(self.device, non_blocking=True)


Decoded = tuple[NDArray[np.uint8], dict[int, BadImageError]]
"""pixels of a batch, and the errors of its bad images by their place in it"""


class _Decoder(TorchDataset[Decoded]):
    """What runs in a worker: a list of row numbers to their pixels and the errors of the bad ones."""

    def __init__(self, images: Images, how: Preprocessing) -> None:
        self._images, self._how = images, how

    def __getitem__(self, rows: Sequence[int]) -> Decoded:
        pixels = np.zeros((len(rows), self._how.channels, self._how.stored, self._how.stored), dtype=np.uint8)
        bad = {}
        with quiet():
            for place, row in enumerate(rows):
                try:
                    with self._images.open(row) as image:  # closed at once: an error keeps its frames alive
                        pixels[place] = self._how.decode(image, self._images.names[row])
                except BadImageError as error:
                    bad[place] = error
        return pixels, bad


def decode(images: Images, how: Preprocessing, batches: Iterable[Sequence[int]], workers: int) -> Iterator[Decoded]:
    """Decode batches of rows, in order, ahead of their use.

    Yields:
        uint8 ``[B, C, stored, stored]``, zeros where an image is bad, and the errors of the bad ones.
    """
    decoder = _Decoder(images, how)
    if workers == 0 or isinstance(images, ArrayImages):
        yield from (decoder[list(rows)] for rows in batches)
        return
    yield from DataLoader(
        decoder,
        sampler=list(batches),
        batch_size=None,
        collate_fn=_as_is,
        num_workers=workers,
        prefetch_factor=4,
        generator=torch.Generator(),  # or it would draw from the state that dropout draws from
    )


def _as_is(value: Any) -> Any:
    return value


def decode_all(images: Images, how: Preprocessing, workers: int) -> tuple[NDArray[np.uint8], list[BadImageError]]:
    """Every image, uint8 ``[N, C, stored, stored]``, and the errors of the bad ones."""
    count = len(images.names)
    chunks = [range(start, min(start + _DECODE_CHUNK, count)) for start in range(0, count, _DECODE_CHUNK)]
    pixels = np.empty((count, how.channels, how.stored, how.stored), dtype=np.uint8)
    bad: list[BadImageError] = []
    busy = workers if len(chunks) > workers else 0  # starting processes costs more than a few chunks
    for chunk, (part, errors) in zip(chunks, decode(images, how, chunks, busy), strict=True):
        pixels[chunk.start : chunk.stop] = part
        bad += errors.values()
    return pixels, bad


def default_workers() -> int:
    """One decoding process per core, at most 8."""
    return min(len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1, 8)


def measure(dataset: Dataset, seed: int) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Mean and standard deviation of each channel, pixels in [0, 1], over the training images.

    Of a set of more than 20,000 streamed images, that many are taken at random.
    A channel that never changes gets the deviation 1, so that it normalises to zero.
    """
    rows = torch.arange(len(dataset))
    if not isinstance(dataset, MemoryDataset) and len(rows) > _PICTURES_OF_STATISTICS:
        rows = torch.randperm(len(rows), generator=torch.Generator().manual_seed(seed))[:_PICTURES_OF_STATISTICS]
    counts = np.sum([_histogram(pixels) for pixels in dataset.read(torch.split(rows, _DECODE_CHUNK))], axis=0)
    levels = np.arange(256) / 255
    weights = counts / counts.sum(axis=1, keepdims=True)
    mean = weights @ levels
    variance = weights @ levels**2 - mean**2
    std = np.sqrt(np.where(variance > 1e-12, variance, 1.0))
    return tuple(mean.tolist()), tuple(std.tolist())


def _histogram(pixels: Tensor) -> NDArray[np.int64]:
    """How often each of the 256 levels stands in each channel: exact, whatever the number of images."""
    channels = pixels.transpose(0, 1).flatten(1).cpu()
    return np.stack([np.bincount(channel.numpy(), minlength=256) for channel in channels])


def without(split: Split, bad: Sequence[BadImageError]) -> Split:
    """The split without the named images."""
    names = {error.name for error in bad}
    keep = [row for row, name in enumerate(split.images.names) if name not in names]
    return split.take(np.array(keep, dtype=np.int64))
