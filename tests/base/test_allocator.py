"""Freed memory stays with the process where glibc manages it and the user has not said otherwise."""

import os
import platform
import subprocess
import sys

import pytest

from assay.base.allocator import keep_freed_memory

glibc = pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="another C library")
PAGES = 64 * 2**20 // os.sysconf("SC_PAGE_SIZE")  # of the buffers that the process below fills
ROUNDS = 4
COUNT_FAULTS = f"""
import ctypes, mmap, resource, sys, threading
from assay.base.allocator import keep_freed_memory
keep_freed_memory()
libc = ctypes.CDLL(None)
libc.prctl(41, 1, 0, 0, 0)  # PR_SET_THP_DISABLE: no huge pages, so that each page counts
libc.malloc.restype, libc.malloc.argtypes, libc.free.argtypes = ctypes.c_void_p, [ctypes.c_size_t], [ctypes.c_void_p]
def fill():
    for _ in range({ROUNDS}):
        buffer = libc.malloc({PAGES} * mmap.PAGESIZE)
        for page in range({PAGES}):
            ctypes.c_char.from_address(buffer + page * mmap.PAGESIZE).value = b"1"
        libc.free(buffer)
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
if "thread" in sys.argv:
    thread = threading.Thread(target=fill)
    thread.start()
    thread.join()
else:
    fill()
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


def page_faults(*arguments: str, **variables: str) -> int:
    """Of a process that takes, fills and frees a buffer ROUNDS times."""
    told = {name: value for name, value in os.environ.items() if not name.startswith(("MALLOC_", "GLIBC_"))}
    command = [sys.executable, "-c", COUNT_FAULTS, *arguments]
    return int(subprocess.run(command, env=told | variables, capture_output=True, text=True, check=True).stdout)


@glibc
@pytest.mark.parametrize("where", ["main", "thread"])
def test_a_buffer_that_is_taken_again_needs_no_new_pages(where: str) -> None:
    assert page_faults(where) < 1.5 * PAGES


@glibc
@pytest.mark.parametrize(
    "told", [{"MALLOC_TRIM_THRESHOLD_": "131072"}, {"GLIBC_TUNABLES": "glibc.malloc.mmap_threshold=131072"}]
)
def test_the_users_own_settings_stay(told: dict[str, str]) -> None:
    assert page_faults(**told) > (ROUNDS - 0.5) * PAGES


def test_it_says_whether_all_was_set() -> None:
    assert keep_freed_memory({"MALLOC_TOP_PAD_": "0"}) is False
    assert keep_freed_memory({"MALLOC_ARENA_MAX": "2"}) is False
    assert keep_freed_memory({"MALLOC_PERTURB_": "1"}) is (platform.libc_ver()[0] == "glibc")
