"""Labelled images as the network's batches read them: held in memory, or streamed through worker processes."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from assay.data.decode import DECODE_CHUNK, Transform, decode
from assay.data.images import Images
from assay.data.preprocess import Preprocessing
from assay.data.windows import shuffled

TransformTo = Callable[[int], Transform]

_SAMPLE = 20_000  # a streamed set's mean and deviation come from this many images


class Dataset(Protocol):
    """Labelled images that can be read a batch at a time, in any order."""

    @property
    def labels(self) -> Tensor:
        """The number of each image's class, int64 ``[N]``, on the device that trains."""

    @property
    def names(self) -> Sequence[str]:
        """The images' names."""

    def __len__(self) -> int: ...

    def shuffled(self, generator: torch.Generator) -> Tensor:
        """The rows in a random order, int64 ``[N]``, drawn from a generator on the CPU and there itself."""

    def contents(self) -> tuple[str, str]:
        """Return what stands for the images' contents, in a word or two, and a SHA-256 digest of it."""

    def read(
        self, batches: Sequence[Tensor], seeds: Iterable[Tensor] | None = None, side: int | None = None
    ) -> Iterator[Tensor]:
        """For each tensor of row numbers, the pixels of those rows, uint8 ``[B, C, H, W]``.

        ``seeds``, for each batch those of its images, int64 ``[B]``, ask for the images as a training sees them: a
        set that has a random transform of its own applies it then, with draws that depend on the image's seed alone,
        and makes images of ``side`` pixels if it can, so that they need not be scaled down.
        """


@dataclass(frozen=True)
class MemoryDataset:
    """A small set, on the device that trains: ``images`` uint8 ``[N, C, H, W]``, ``labels`` int64 ``[N]``."""

    images: Tensor
    labels: Tensor
    names: Sequence[str]

    def __len__(self) -> int:
        return len(self.labels)

    def shuffled(self, generator: torch.Generator) -> Tensor:
        """Any order."""
        return torch.randperm(len(self), generator=generator)

    def contents(self) -> tuple[str, str]:
        """Return a digest of the pixels."""
        digest = hashlib.sha256()
        for pixels in torch.split(self.images, DECODE_CHUNK):
            digest.update(pixels.cpu().numpy().tobytes())
        return "pixels", digest.hexdigest()

    def read(
        self,
        batches: Sequence[Tensor],
        seeds: Iterable[Tensor] | None = None,  # noqa: ARG002
        side: int | None = None,  # noqa: ARG002
    ) -> Iterator[Tensor]:
        """Gather each batch; there is no transform, so that ``seeds`` and ``side`` change nothing."""
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
        transform_to: builds the transform to another side, in pixels; None where it is always that of ``transform``.
    """

    images: Images
    labels: Tensor
    how: Preprocessing
    device: torch.device
    workers: int
    transform: Transform | None = None
    transform_to: TransformTo | None = None

    @property
    def names(self) -> Sequence[str]:
        """The images' names."""
        return self.images.names

    def with_transform(self, transform: Transform, transform_to: TransformTo | None = None) -> StreamedDataset:
        """The same images, randomly transformed where they are read with seeds."""
        return replace(self, transform=transform, transform_to=transform_to)

    def __len__(self) -> int:
        return len(self.labels)

    def shuffled(self, generator: torch.Generator) -> Tensor:
        """Any order, or one in windows where several images are read together."""
        return shuffled(self.images, generator)

    def contents(self) -> tuple[str, str]:
        """Return a digest of excerpts of the encoded images: to read all bytes would take as long as an epoch."""
        digest = hashlib.sha256()
        for row in range(len(self)):
            digest.update(self.images.excerpt(row))
        return "bytes", digest.hexdigest()

    def read(
        self, batches: Sequence[Tensor], seeds: Iterable[Tensor] | None = None, side: int | None = None
    ) -> Iterator[Tensor]:
        """Decode each batch; raises ``BadImageError`` at an image that cannot be decoded."""
        transform = self.transform if side is None or self.transform_to is None else self.transform_to(side)
        transform = None if seeds is None else transform
        rows = (batch.tolist() for batch in batches)
        of_images = None if seeds is None else (batch.numpy() for batch in seeds)
        for pixels, bad in decode(self.images, self.how, rows, self.workers, transform=transform, seeds=of_images):
            if bad:
                raise next(iter(bad.values()))
            yield torch.from_numpy(pixels).to(self.device, non_blocking=True)


def measure(dataset: Dataset, seed: int) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Mean and standard deviation of each channel, pixels in [0, 1], over the training images.

    Of a set of more than 20,000 streamed images, that many are taken at random.
    A channel that never changes gets the deviation 1, so that it normalises to zero.
    """
    rows = torch.arange(len(dataset))
    if not isinstance(dataset, MemoryDataset) and len(rows) > _SAMPLE:
        rows = torch.randperm(len(rows), generator=torch.Generator().manual_seed(seed))[:_SAMPLE].sort().values
    batches = torch.split(rows.to(dataset.labels.device), DECODE_CHUNK)
    counts = np.sum([_histogram(pixels) for pixels in dataset.read(batches)], axis=0)
    levels = np.arange(256) / 255
    weights = counts / counts.sum(axis=1, keepdims=True)
    mean = weights @ levels
    variance = weights @ levels**2 - mean**2  # in float64, where this difference loses nothing that matters
    std = np.sqrt(np.where(variance > 1e-12, variance, 1.0))
    return tuple(mean.tolist()), tuple(std.tolist())


def _histogram(pixels: Tensor) -> NDArray[np.int64]:
    """The count of each of the 256 levels in each channel, ``[C, 256]``: exact, whatever the number of images."""
    channels = pixels.transpose(0, 1).flatten(1).cpu()
    return np.stack([np.bincount(channel.numpy(), minlength=256) for channel in channels])
