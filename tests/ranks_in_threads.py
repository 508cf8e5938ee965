"""Several ranks in one process, each a thread: as real ones for all that keeps no state in the process."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

import torch
from torch import Tensor

from assay.base.ranks import Ranks

Result = TypeVar("Result")


def in_threads(size: int, work: Callable[[Ranks], Result]) -> list[Result]:
    """What each of the ranks returns; raises the first error of any."""
    barrier, messages = threading.Barrier(size), dict[int, Tensor]()

    def do(rank: int) -> Result:
        def all_reduce(tensor: Tensor) -> None:
            messages[rank] = tensor.clone()
            barrier.wait(30)
            tensor.copy_(torch.stack([messages[place] for place in range(size)]).sum(0))
            barrier.wait(30)

        try:
            return work(Ranks(rank, size, all_reduce))
        except BaseException:
            barrier.abort()
            raise

    with ThreadPoolExecutor(size) as pool:
        return list(pool.map(do, range(size)))
