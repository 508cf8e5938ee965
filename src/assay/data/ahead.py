"""The next batch is made while the network learns from the last one, where a processor core is free for it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

import torch

T = TypeVar("T")


def made_ahead(items: Iterator[T]) -> Iterator[T]:
    """The items in their order, none of them None, each made by another thread while the one before it is used.

    What making an item raises is raised in its place.
    """
    with ThreadPoolExecutor(1, thread_name_prefix="batches") as maker:
        coming = maker.submit(next, items, None)
        while (item := coming.result()) is not None:
            coming = maker.submit(next, items, None)
            yield item


def has_free_cores(device: torch.device) -> bool:
    """Whether another thread finds as many cores as an operation on the CPU uses, so that neither waits for the other.

    Fewer would not do: it has to use as many, for their number may decide how a sum rounds. Other devices work ahead
    by themselves.
    """
    return device.type == "cpu" and cores() >= 2 * torch.get_num_threads()


def cores() -> int:
    """The processor cores that this process may use; where several train together, its part of them, at least 1."""
    count = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    processes = os.environ.get("LOCAL_WORLD_SIZE", "")  # of this host, as torchrun says
    return max(1, count // int(processes)) if processes.isdecimal() and int(processes) else count
