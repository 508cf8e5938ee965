"""Storage of decoded images: in memory if they fit, else they are streamed, which decodes them at each reading."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image

from assay.data.bad_images import leave_out
from assay.data.cache import FINGERPRINTS, Fingerprint, cached
from assay.data.dataset import Dataset, MemoryDataset, StreamedDataset
from assay.data.decode import chunks, decode, decode_all, default_workers
from assay.data.images import BadImageError, ChainedImages, Images
from assay.data.preprocess import Preprocessing
from assay.data.split import SomeImages, Source, Split

_GIB = 2**30
_DECODER = "pixels 3"  # another number where decoding gives other pixels than before, which are cached
_STREAM_CHUNK = 64  # images that a worker decodes at a time; 10 MB of pixels at 224x224


@dataclass(frozen=True)
class Storage:
    """Where decoded images live: in memory on ``device`` up to ``memory`` GiB, else streamed by ``workers``.

    ``fingerprint`` tells whether cached pixels are those of the stored images.
    """

    device: torch.device
    memory: float = 4.0
    workers: int | None = None
    fingerprint: Fingerprint = FINGERPRINTS["on"]

    @property
    def processes(self) -> int:
        """The number of decoding processes."""
        return default_workers() if self.workers is None else self.workers


@dataclass(frozen=True)
class DecodedImages:
    """Images whose pixels are in memory: uint8 ``[N, C, S, S]``."""

    pixels: NDArray[np.uint8]
    names: Sequence[str]

    def open(self, index: int) -> Image.Image:
        """The decoded image at ``index``."""
        return Image.fromarray(np.moveaxis(self.pixels[index], 0, -1).squeeze())

    def excerpt(self, index: int) -> bytes:
        """All of the pixels."""
        content: bytes = self.pixels[index].tobytes()
        return content


def decode_source(
    source: Source, how: Preprocessing, storage: Storage, on_bad_image: str
) -> tuple[Source, list[BadImageError]]:
    """Decode all images into memory if they fit; otherwise only find the bad ones if they are to be skipped.

    This comes before the splits are cut: a bad image must not count among those that are cut, and pixels that are
    cached for the whole set serve any cut of it.

    Returns:
        the source, of ``DecodedImages`` or of the stored images if they will stream; and the images left out.

    Raises:
        BadImageError: an image cannot be decoded, and ``on_bad_image`` is ``"error"``. (Images that
            stream are not looked at here.)
        ValueError: a class has no image left in train.
    """
    total = sum(len(split) for split in source.splits.values()) * how.channels * how.stored**2
    if total <= storage.memory * _GIB:
        return _decode_into_memory(source, how, storage, on_bad_image)
    if on_bad_image == "error":
        return source, []  # the stream raises when the image is due
    errors = {}
    for name, split in source.splits.items():  # now, so that no image stops a stream in the middle of an epoch
        batches = decode(split.images, how, chunks(len(split), _STREAM_CHUNK), storage.processes)
        errors[name] = [error for _, bad in batches for error in bad.values()]
    return leave_out(source, errors, on_bad_image)


def to_dataset(split: Split, how: Preprocessing, storage: Storage) -> Dataset:
    """The split on the storage's device: in memory if its images are decoded, else streamed."""
    labels = torch.tensor(split.labels, device=storage.device)
    stored, rows = split.stored()
    if isinstance(stored, DecodedImages):
        pixels = torch.from_numpy(stored.pixels[rows])
        return MemoryDataset(pixels.to(storage.device), labels, split.images.names)
    return StreamedDataset(split.images, labels, how, storage.device, storage.processes)


def _decode_into_memory(
    source: Source, how: Preprocessing, storage: Storage, on_bad_image: str
) -> tuple[Source, list[BadImageError]]:
    splits: dict[str, Split] = {}
    errors: dict[str, list[BadImageError]] = {}
    for name, split in source.splits.items():
        stored, rows = split.stored()
        pixels, bad = _decode_cached(stored, how, storage.processes, storage.fingerprint)
        splits[name] = replace(split, images=SomeImages(DecodedImages(pixels, stored.names), rows))
        left = set(split.images.names)  # what the survey left out is not reported again
        errors[name] = [error for error in bad if error.name in left]
    return leave_out(replace(source, splits=splits), errors, on_bad_image)


def _decode_cached(
    images: Images, how: Preprocessing, workers: int, fingerprint: Fingerprint
) -> tuple[NDArray[np.uint8], list[BadImageError]]:
    """All pixels and the errors of the bad images; kept for the next time only if no image is bad."""
    if isinstance(images, ChainedImages):
        parts = [_decode_cached(part, how, workers, fingerprint) for part in images.parts]
        return np.concatenate([pixels for pixels, _ in parts]), [error for _, errors in parts for error in errors]
    bad: list[BadImageError] = []

    def compute() -> dict[str, NDArray[np.uint8]]:
        pixels, errors = decode_all(images, how, workers)
        bad.extend(errors)
        return {"pixels": pixels}

    key = fingerprint(images, f"{_DECODER} {how.decoding}")
    return cached(key, compute, keep=lambda _: not bad)["pixels"], bad
