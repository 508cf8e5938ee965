"""Images at an address are opened several at a time: each is a request, which mostly waits."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

from PIL import Image

from assay.data.images import ChainedImages, EncodedImages, Images
from assay.data.split import SomeImages

REQUESTS = 16


def are_far(images: Images) -> bool:
    """Whether each image is a request to an address."""
    if isinstance(images, SomeImages):
        return are_far(images.images)
    if isinstance(images, ChainedImages):
        return any(map(are_far, images.parts))
    if not isinstance(images, EncodedImages) or images.parts is not None:
        return False
    return any(not isinstance(file, Path) for file in images.files)


def opened_ahead(images: Images, rows: Sequence[int]) -> Iterator[Callable[[], Image.Image]]:
    """For each row, in order, what gives the opened image, or raises what opening it has raised."""
    if not are_far(images):
        yield from (partial(images.open, row) for row in rows)
        return
    threads = ThreadPoolExecutor(REQUESTS)
    try:
        coming = deque(threads.submit(images.open, row) for row in rows)
        while coming:  # none is kept: an image holds its pixels once it has been decoded
            yield coming.popleft().result
    finally:
        threads.shutdown(cancel_futures=True)
