"""Freed memory stays with the process: the next step finds its buffers without asking the system for new pages."""

from __future__ import annotations

import ctypes
import os
import sys
from collections.abc import Mapping

# From glibc's malloc.h: what mallopt sets, and to what.
_M_TRIM_THRESHOLD, _M_TOP_PAD, _M_MMAP_MAX, _M_ARENA_MAX = -1, -2, -4, -8
_SETTINGS = {
    _M_MMAP_MAX: 0,  # large buffers come from the heap too: a mapping of its own is given back whenever it is freed
    _M_TRIM_THRESHOLD: -1,  # the heap never shrinks
    _M_TOP_PAD: 2**28,  # bytes by which it grows; pages that are never touched take no memory
    _M_ARENA_MAX: 1,  # one heap for all threads: those of their own have no room for 64 MiB at once
}
_VARIABLES = (
    "MALLOC_ARENA_MAX",
    "MALLOC_MMAP_MAX_",
    "MALLOC_MMAP_THRESHOLD_",
    "MALLOC_TOP_PAD_",
    "MALLOC_TRIM_THRESHOLD_",
)


def keep_freed_memory(environment: Mapping[str, str] = os.environ) -> bool:
    """Tell glibc's malloc to keep what is freed; without it, each step of a training gives its buffers back.

    Other C libraries are left as they are, and so is one that its user has told otherwise by the environment's
    ``MALLOC_..._`` or ``GLIBC_TUNABLES``.

    Returns:
        Whether all of it was set.
    """
    is_told = any(name in environment for name in _VARIABLES) or "glibc.malloc." in environment.get(
        "GLIBC_TUNABLES", ""
    )
    if sys.platform != "linux" or is_told:
        return False
    libc = ctypes.CDLL(None)
    if not hasattr(libc, "gnu_get_libc_version"):  # musl, for one
        return False
    were_set = [libc.mallopt(name, value) for name, value in _SETTINGS.items()]  # each, even where one is refused
    return all(were_set)
