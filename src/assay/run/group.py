"""The group of processes that this one was started in, by torchrun or by ``assay train --devices``."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager

import torch
import torch.distributed as dist
from torch import Tensor
from torch.distributed.distributed_c10d import PrefixStore, _get_default_store
from torch.distributed.rendezvous import rendezvous

from assay.base.ranks import ALONE, EndedElsewhereError, HangsElsewhereError, Ranks
from assay.run.launch import MEETING, PATIENCE, patience, process_count

_FIRST_SPEAKS = 3.0  # seconds that the second process leaves the first one to say that another one hangs


@contextmanager
def joined() -> Iterator[Ranks]:
    """Meet the processes that were started together with this one; alone, there is nobody to meet.

    Tensors on the CPU are added up by gloo, those on GPUs by NCCL. In a group that the caller has made already, or
    within another such block, it is that group's.

    Raises:
        ValueError: the environment describes no group, or the others do not come.
    """
    size = process_count()
    if size == 1:
        yield ALONE
        return
    is_new = not dist.is_initialized()
    if is_new:
        _meet(size)
    local_rank, local_size = _number("LOCAL_RANK", dist.get_rank()), _number("LOCAL_WORLD_SIZE", dist.get_world_size())
    yield Ranks(dist.get_rank(), dist.get_world_size(), _add_up, local_rank, local_size)
    if is_new:  # after an error the others may be gone: this process's end takes the group apart
        dist.destroy_process_group()


def _meet(size: int) -> None:
    backend = "cpu:gloo,cuda:nccl" if torch.cuda.is_available() else "gloo"
    place, rank = os.environ.get(MEETING, "env://"), _number("RANK", 0)
    try:
        store, *_ = next(rendezvous(place, rank, size, timeout=patience()))
        # torchrun keeps its store over a restart, and with it the addresses of the processes that are gone.
        store = PrefixStore(f"attempt {_number('TORCHELASTIC_RESTART_COUNT', 0)}", store)
        dist.init_process_group(backend, store=store, timeout=patience(), world_size=size, rank=rank)
    except (RuntimeError, ValueError) as error:
        raise ValueError(f"the {size} processes did not meet: {' '.join(str(error).split())[:200]}") from None


def _add_up(tensor: Tensor) -> None:
    try:
        dist.all_reduce(tensor)
    except torch.OutOfMemoryError:
        raise
    except RuntimeError as error:
        if "Timed out" in str(error):  # gloo's words, for what has no type of its own
            text = f"another process of the run hangs, or takes longer than the {patience().total_seconds():g} seconds"
            raise HangsElsewhereError(f"{text} that {PATIENCE} allows", _is_to_say()) from error
        raise EndedElsewhereError("another process of the run has ended, or hangs") from error


def _is_to_say() -> bool:
    """Whether this process has to say that another one hangs: the first one, or the second if it is the first."""
    rank, store = dist.get_rank(), _get_default_store()
    if rank == 0:
        store.set("hangs", "said")
    if rank == 1:
        time.sleep(_FIRST_SPEAKS)
        return not store.check(["hangs"])
    return rank == 0


def _number(name: str, default: int) -> int:
    try:
        return int(os.environ.get(name, default))
    except ValueError:
        raise ValueError(f"{name}: expected a number, not {os.environ[name]!r}; start with torchrun") from None


def is_restarted() -> bool:
    """Whether torchrun has started these processes again, after one of the first ones had failed."""
    return _number("TORCHELASTIC_RESTART_COUNT", 0) > 0


def may_be_restarted() -> bool:
    """Whether torchrun would start these processes again."""
    return _number("TORCHELASTIC_MAX_RESTARTS", 0) > 0
