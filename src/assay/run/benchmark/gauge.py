"""The time and the memory of a piece of work, in a process of its own: none counts for another."""

from __future__ import annotations

import multiprocessing
import sys
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import nullcontext
from dataclasses import dataclass
from typing import Any, Protocol, TypeVar

import torch

from assay.base.allocator import keep_freed_memory
from assay.base.device import reproducible

Result = TypeVar("Result")
Work = Callable[[], float]
"""does something, and returns the seconds that it took; to be sent to another process, so no lambda"""

_START = "forkserver" if "forkserver" in multiprocessing.get_all_start_methods() else "spawn"


@dataclass(frozen=True)
class Cost:
    """What a piece of work takes.

    Attributes:
        seconds: as the work says.
        peak: the most memory in bytes that it held beyond what its process had begun with: on a GPU what torch took
            there, otherwise of the process without its loading workers; None where the system does not tell.
    """

    seconds: float
    peak: int | None


class Apart(Protocol):
    """Calls a function somewhere."""

    def __call__(self, function: Callable[..., Result], *arguments: Any) -> Result:
        """Return what the function returns of the arguments; all of them can be pickled."""


def in_own_process(function: Callable[..., Result], *arguments: Any) -> Result:
    """Call a function in a new process that has torch imported, and nothing else done.

    Raises:
        ValueError: the process was killed.
        Exception: what the function raises.
    """
    context = multiprocessing.get_context(_START)
    context.set_forkserver_preload(["assay.run.benchmark.bench"])
    with ProcessPoolExecutor(1, mp_context=context) as pool:
        try:
            return pool.submit(_call, multiprocessing.get_start_method(), function, *arguments).result()
        except BrokenProcessPool:
            raise ValueError("bench: the process of a measurement was killed; it may need more memory") from None


def _call(method: str, function: Callable[..., Result], *arguments: Any) -> Result:
    """Call a function in a process whose own processes start as those of any program do, and not as itself did."""
    multiprocessing.set_start_method(method, force=True)
    return function(*arguments)


@dataclass(frozen=True)
class Gauge:
    """Measures pieces of work on a device.

    Attributes:
        device: where they compute.
        threads: of an operation on the CPU.
        apart: calls what is measured: `in_own_process`, so that no memory counts for another's.
    """

    device: torch.device
    threads: int
    apart: Apart

    def ours(self, work: Work) -> Cost:
        """The cost of assay's work, with the settings of its commands."""
        return Cost(*self.apart(_measured, work, self.device, self.threads, True))

    def found_by_ours(self, work: Callable[[], Result]) -> Result:
        """What assay's work returns, with the settings of its commands."""
        found: tuple[Result, int | None] = self.apart(_measured, work, self.device, self.threads, True)
        return found[0]

    def others(self, work: Work) -> Cost:
        """The cost of other work, with torch's own settings."""
        return Cost(*self.apart(_measured, work, self.device, self.threads, False))


def _measured(
    work: Callable[[], Result], device: torch.device, threads: int, is_ours: bool
) -> tuple[Result, int | None]:
    """What the work returns, and its peak memory."""
    if is_ours:
        keep_freed_memory()
    torch.set_num_threads(threads)
    before = _peak(device)
    with reproducible(0, device, threads) if is_ours else nullcontext():
        result = work()
    after = _peak(device)
    return result, None if before is None or after is None else after - before


def _peak(device: torch.device) -> int | None:
    """The most memory in bytes that this process has held so far."""
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device)
    if sys.platform == "win32":
        return None
    import resource  # which Windows lacks

    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return most if sys.platform == "darwin" else 1024 * most
