"""A cache of headers and decoded pixels in the user's cache folder, so that each image is decoded once."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import platformdirs
from numpy.typing import NDArray

from assay.base.atomic import replace_file

Arrays = dict[str, NDArray[Any]]


def cache_folder() -> Path:
    """``$ASSAY_CACHE``, or the folder for this user's caches; it may be deleted at any time."""
    return Path(os.environ.get("ASSAY_CACHE") or platformdirs.user_cache_path("assay")).expanduser()


def cached(key: str | None, compute: Callable[[], Arrays], keep: Callable[[Arrays], bool] = lambda _: True) -> Arrays:
    """The arrays kept under ``key``, or those computed now and kept for the next time.

    Nothing is kept if the key is None, if ``keep`` is false of the result, or if the folder cannot be written.
    """
    if key is None:
        return compute()
    from safetensors import SafetensorError
    from safetensors.numpy import load_file, save

    path = cache_folder() / "decoded" / f"{hashlib.sha256(key.encode()).hexdigest()[:32]}.safetensors"
    try:
        return dict(load_file(path))
    except (OSError, SafetensorError):  # absent, or cut off by a kill
        arrays = compute()
    if keep(arrays):
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            # At once: other runs may read or write the same file at the same time.
            replace_file(path, save({name: np.ascontiguousarray(array) for name, array in arrays.items()}))
        except OSError:
            pass  # a cache that cannot be written costs time, not correctness
    return arrays
