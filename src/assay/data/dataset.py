"""Decoded images: held in memory where they fit, streamed through worker processes where not."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from itertools import repeat
from typing import Any, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor
from torch.utils.data import DataLoader
from torch.utils.data import Dataset as TorchDataset

from assay.data.images import ArrayImages, BadImageError, Images, quiet, to_plain
from assay.data.preprocess import Preprocessing
from assay.data.split import Split

_DECODE_CHUNK = 256  # images that a worker decodes and sends at a time
_PICTURES_OF_STATISTICS = 20_000  # a streamed set's mean and deviation come from this many images

Transform = Callable[[Image.Image], Tensor]
"""From an upright ``L`` or ``RGB`` image of any size to uint8 ``[C, S, S]``, the same S for all images. It draws from
torch's global generator on the CPU alone, and can be pickled where workers are not forked."""


class Dataset(Protocol):
    """Labelled images that can be read a batch at a time, in any order."""

    @property
    def labels(self) -> Tensor:
        """The number of each image's class, int64 ``[N]``, on the device that trains."""

    @property
    def names(self) -> Sequence[str]:
        """The images' names."""

    def __len__(self) -> int: ...

    def read(self, batches: Sequence[Tensor], seeds: Iterable[int] | None = None) -> Iterator[Tensor]:
        """For each tensor of row numbers, the pixels of those rows, uint8 ``[B, C, H, W]``.

        ``seeds``, one for each batch, ask for the images as a training sees them: a set that has a
        random transform of its own applies it then, with draws that depend on the seed alone.
        """


@dataclass(frozen=True)
class MemoryDataset:
    """A small set, on the device that trains: ``images`` uint8 ``[N, C, H, W]``, ``labels`` int64 ``[N]``."""

    images: Tensor
    labels: Tensor
    names: Sequence[str]

    def __len__(self) -> int:
        return len(self.labels)

    def read(self, batches: Sequence[Tensor], seeds: Iterable[int] | None = None) -> Iterator[Tensor]:  # noqa: ARG002
        """Gathers each batch; there is no transform, so that ``seeds`` change nothing."""
        for rows in batches:
            yield self.images.index_select(0, rows)


@dataclass(frozen=True)
class StreamedDataset:
    """A large set, decoded by worker processes while the network trains.

    Attributes:
        images: where they are stored.
        labels: int64 ``[N]``.
        how: the preprocessing of the images that are read without seeds.
        device: that the pixels are sent to.
        workers: decoding processes; 0 decodes in this one.
        transform: takes the whole image in place of ``how``, where the images are read with seeds.
    """

    images: Images
    labels: Tensor
    how: Preprocessing
    device: torch.device
    workers: int
    transform: Transform | None = None

    @property
    def names(self) -> Sequence[str]:
        """The images' names."""
        return self.images.names

    def with_transform(self, transform: Transform) -> StreamedDataset:
        """The same images, randomly transformed where they are read with seeds."""
        return replace(self, transform=transform)

    def __len__(self) -> int:
        return len(self.labels)

    def read(self, batches: Sequence[Tensor], seeds: Iterable[int] | None = None) -> Iterator[Tensor]:
        """Decodes each batch; raises ``BadImageError`` at an image that cannot be."""
        transform = None if seeds is None else self.transform
        rows = (batch.tolist() for batch in batches)
        for pixels, bad in decode(self.images, self.how, rows, self.workers, transform=transform, seeds=seeds):
            if bad:
                raise next(iter(bad.values()))
            yield torch.from_numpy(pixels).to(self.device, non_blocking=True)


Decoded = tuple[NDArray[np.uint8], dict[int, BadImageError]]
"""pixels of a batch, and the errors of its bad images by their place in it"""


class _Decoder(TorchDataset[Decoded]):
    """What runs in a worker: row numbers and a seed to the rows' pixels and the errors of the bad ones."""

    def __init__(self, images: Images, how: Preprocessing, transform: Transform | None) -> None:
        self._images = images
        self._read = how.decode if transform is None else partial(_transformed, how.channels, transform)
        self._black = (how.channels, how.stored, how.stored)

    def __getitem__(self, request: tuple[Sequence[int], int]) -> Decoded:
        rows, seed = request
        good, bad = {}, {}
        with quiet(), _seeded(seed):
            for place, row in enumerate(rows):
                try:
                    with self._images.open(row) as image:  # closed at once: an error keeps its frames alive
                        good[place] = self._read(image, self._images.names[row])
                except BadImageError as error:
                    bad[place] = error
        shape = next(iter(good.values())).shape if good else self._black
        pixels = np.zeros((len(rows), *shape), dtype=np.uint8)
        for place, image_pixels in good.items():
            pixels[place] = image_pixels
        return pixels, bad


def _transformed(channels: int, transform: Transform, image: Image.Image, name: str) -> NDArray[np.uint8]:
    pixels: NDArray[np.uint8] = transform(to_plain(image, name, channels=channels)).numpy()
    return pixels


@contextmanager
def _seeded(seed: int) -> Iterator[None]:
    """Seed torch's global generator on the CPU, and put it back at the end; those of devices are left alone."""
    state = torch.get_rng_state()
    torch.default_generator.manual_seed(seed)
    try:
        yield
    finally:
        torch.set_rng_state(state)


def decode(
    images: Images,
    how: Preprocessing,
    batches: Iterable[Sequence[int]],
    workers: int,
    *,
    transform: Transform | None = None,
    seeds: Iterable[int] | None = None,
) -> Iterator[Decoded]:
    """Decode batches of rows, in order, ahead of their use.

    Args:
        images: where they are stored.
        how: decodes them.
        batches: row numbers.
        workers: processes; the result does not depend on their number.
        transform: takes each image in place of ``how``.
        seeds: for each batch, that of the transform's draws.

    Yields:
        uint8 ``[B, C, stored, stored]``, or of the transform's size; zeros where an image is bad; and
        the errors of the bad ones.
    """
    decoder = _Decoder(images, how, transform)
    requests = zip(batches, repeat(0) if seeds is None else seeds, strict=False)
    if workers == 0 or isinstance(images, ArrayImages):
        yield from (decoder[list(rows), seed] for rows, seed in requests)
        return
    yield from DataLoader(
        decoder,
        sampler=list(requests),
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
    chunks = torch.split(rows.to(dataset.labels.device), _DECODE_CHUNK)
    counts = np.sum([_histogram(pixels) for pixels in dataset.read(chunks)], axis=0)
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
