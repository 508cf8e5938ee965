"""A cache of headers and decoded pixels in the user's cache folder, so that each image is decoded once."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import platformdirs
from numpy.typing import NDArray

from assay.base.atomic import replace_file
from assay.data.byte_range import opened
from assay.data.choices import CacheUse
from assay.data.images import EncodedImages, FileImages, Images
from assay.data.places import Place, UnreachableError, version_of

Arrays = dict[str, NDArray[Any]]
Fingerprint = Callable[[Images, str], str | None]
"""makes the key for what is computed from images, from them and its name; None where nothing is to be kept"""


def _by_status(file: Place) -> str | None:
    """From a file's path, size, times of change and number in the file system.

    What copies files with their times (rsync, tar) can set the time of the content, but not that of the entry.
    From an address and what its server tells of it; None if that is too little.
    """
    if not isinstance(file, Path):
        version = version_of(file)
        return version and f"{file}|{version}"
    status = file.stat()
    return f"{file.absolute()}|{status.st_size}|{status.st_mtime_ns}|{status.st_ctime_ns}|{status.st_ino}"


def _by_content(file: Place) -> str:
    with opened(file) as content:
        return hashlib.file_digest(content, "sha256").hexdigest()


def _fingerprint(images: Images, what: str, *, state: Callable[[Place], str | None]) -> str | None:
    """The key, from the state of each file that the images come from.

    None for images that are in memory already, for several collections, whose parts are kept, for a selection, and
    for those at an address that does not tell whether they are still the same.
    """
    if isinstance(images, EncodedImages):  # other members or rows of the same files are other images
        files, names = images.files, images.names
    elif isinstance(images, FileImages):
        files, names = images.paths, ()
    else:
        return None
    digest = hashlib.sha256()
    for file in files:
        try:
            text = state(file)
        except UnreachableError:
            raise
        except OSError as error:  # a link to nothing; the image is a bad one
            text = f"{file.absolute()}|{error.errno}"
        if text is None:
            return None
        digest.update(f"{text}\n".encode(errors="surrogateescape"))
    digest.update("\n".join(names).encode(errors="surrogateescape"))
    return f"{what} {digest.hexdigest()}"


FINGERPRINTS: Mapping[CacheUse, Fingerprint] = {
    "off": lambda _images, _what: None,
    "verify": partial(_fingerprint, state=_by_content),
    "on": partial(_fingerprint, state=_by_status),
}


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
