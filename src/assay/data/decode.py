"""Images to pixels, in batches and ahead of their use, in worker processes."""

from __future__ import annotations

import multiprocessing
import os
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from itertools import repeat
from typing import Any, TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor
from torch.utils.data import DataLoader
from torch.utils.data import Dataset as TorchDataset

from assay.data.ahead import cores
from assay.data.far import opened_ahead
from assay.data.images import ArrayImages, BadImageError, Images, quiet, to_plain
from assay.data.places import UnreachableError
from assay.data.preprocess import Preprocessing

DECODE_CHUNK = 256  # images that a worker decodes and sends at a time

Request = TypeVar("Request")
Result = TypeVar("Result")

Transform = Callable[[Image.Image], Tensor]
"""From an upright ``L`` or ``RGB`` image of any size to uint8 ``[C, S, S]``, the same S for all images. It draws from
torch's global generator on the CPU alone, and can be pickled where workers are not forked."""

DecodedBatch = tuple[NDArray[np.uint8], dict[int, BadImageError]]
"""pixels of a batch, and the errors of its bad images by their place in it"""


def decode(
    images: Images,
    how: Preprocessing,
    batches: Iterable[Sequence[int]],
    workers: int,
    *,
    transform: Transform | None = None,
    seeds: Iterable[NDArray[np.int64]] | None = None,
) -> Iterator[DecodedBatch]:
    """Decode batches of rows, in order, ahead of their use.

    Args:
        images: where they are stored.
        how: decodes them.
        batches: row numbers.
        workers: processes; the result does not depend on their number.
        transform: takes each image in place of ``how``; it needs ``seeds``.
        seeds: for each batch, those of the transform's draws for each of its images, ``[B]``.

    Yields:
        uint8 ``[B, C, stored, stored]``, or of the transform's size; zeros where an image is bad; and
        the errors of the bad ones.
    """
    if transform is None and (ready := _ready(images, how)) is not None:
        yield from ((ready[list(rows)], {}) for rows in batches)
        return
    requests = zip(batches, repeat(np.zeros(0, np.int64)) if seeds is None else seeds, strict=False)
    in_arrays = isinstance(images, ArrayImages)  # nothing to decode, so that sending would cost more than it saves
    yield from map_in_workers(partial(_decode_rows, images, how, transform), requests, 0 if in_arrays else workers)


def _ready(images: Images, how: Preprocessing) -> NDArray[np.uint8] | None:
    """All pixels, ``[N, C, stored, stored]``, where they are decoded and of the wanted channels and size already."""
    if not isinstance(images, ArrayImages) or how.crops:
        return None
    pixels = images.pixels[:, None] if images.pixels.ndim == 3 else images.pixels.transpose(0, 3, 1, 2)
    return pixels if pixels.shape[1:] == (how.channels, how.stored, how.stored) else None


def decode_all(images: Images, how: Preprocessing, workers: int) -> tuple[NDArray[np.uint8], list[BadImageError]]:
    """Every image, uint8 ``[N, C, stored, stored]``, and the errors of the bad ones."""
    count = len(images.names)
    parts = chunks(count, DECODE_CHUNK)
    pixels = np.empty((count, how.channels, how.stored, how.stored), dtype=np.uint8)
    bad: list[BadImageError] = []
    for rows, (part, errors) in zip(parts, decode(images, how, parts, worth(workers, parts)), strict=True):
        pixels[rows.start : rows.stop] = part
        bad += errors.values()
    return pixels, bad


def map_in_workers(
    function: Callable[[Request], Result], requests: Iterable[Request], workers: int
) -> Iterator[Result]:
    """Call the function for each request in order, ahead of use in worker processes; with 0 workers in this one."""
    if workers == 0:
        yield from map(function, requests)
        return
    results = DataLoader(
        _Mapped(function),
        sampler=list(requests),  # each request goes to a worker as it is, in place of a row number
        batch_size=None,  # the requests are batches already
        collate_fn=_unchanged,
        num_workers=workers,
        prefetch_factor=4,  # requests that each worker may be ahead of their use
        generator=torch.Generator(),  # the default would draw from the state that dropout draws from
        worker_init_fn=_end_with_parent,
    )
    for result in results:
        if isinstance(result, UnreachableError):
            raise result
        yield result


def _end_with_parent(_worker: int) -> None:
    """Let a worker end as soon as the process that it works for has, whatever killed that one.

    By itself it would first wait until somebody has read its results, and keep the memory and the terminal for ever.
    """
    parent = multiprocessing.parent_process()
    assert parent is not None

    def follow() -> None:
        parent.join()
        os._exit(1)

    threading.Thread(target=follow, daemon=True).start()


class _Mapped(TorchDataset[Any]):
    def __init__(self, function: Callable[[Any], Any]) -> None:
        self._function = function

    def __getitem__(self, request: Any) -> Any:
        try:
            return self._function(request)
        except UnreachableError as error:  # raised here, it would come with the worker's traceback in its message
            return error


def _unchanged(value: Any) -> Any:  # a lambda cannot be sent to a worker that is not forked
    return value


def _decode_rows(
    images: Images, how: Preprocessing, transform: Transform | None, request: tuple[Sequence[int], NDArray[np.int64]]
) -> DecodedBatch:
    """Runs in a worker: the pixels of the requested rows, drawn with the requested seeds, and the bad ones' errors."""
    rows, seeds = request
    good, bad = {}, {}
    with quiet(), torch.random.fork_rng(devices=[]):  # the caller's draws stay; devices draw nothing here
        for place, (row, open_image) in enumerate(zip(rows, opened_ahead(images, rows), strict=True)):
            name = images.names[row]
            try:
                with open_image() as image:  # closed at once: an error keeps its frames alive
                    if transform is None:
                        good[place] = how.decode(image, name)
                    else:
                        # torch.manual_seed would seed the devices too.
                        torch.default_generator.manual_seed(int(seeds[place]))
                        good[place] = transform(to_plain(image, name, channels=how.channels)).numpy()
            except BadImageError as error:
                bad[place] = error
    shape = next(iter(good.values())).shape if good else (how.channels, how.stored, how.stored)
    pixels = np.zeros((len(rows), *shape), dtype=np.uint8)
    for place, image_pixels in good.items():
        pixels[place] = image_pixels
    return pixels, bad


def chunks(count: int, size: int) -> list[range]:
    """The rows from 0 to ``count`` in ranges of ``size``; the last may be shorter."""
    return [range(start, min(start + size, count)) for start in range(0, count, size)]


def worth(workers: int, chunks: Sequence[range]) -> int:
    """The number of workers, or 0 for so few chunks that starting processes would cost more than decoding them."""
    return workers if len(chunks) > workers else 0


def default_workers() -> int:
    """One decoding process per core, at most 8; of several processes that train together, each takes its part."""
    return min(cores(), 8)
