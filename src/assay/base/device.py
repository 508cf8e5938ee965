"""The device to compute on, and the settings that make its results repeatable."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch

from assay.base.text import quoted


def pick_device(name: str) -> torch.device:
    """Return the device of that name; ``auto`` is the first of cuda, mps and cpu that this machine has.

    Raises:
        ValueError: this machine has no such device.
    """
    cuda = [f"cuda:{index}" for index in range(torch.cuda.device_count())] if torch.cuda.is_available() else []
    available = [*cuda, *(["mps"] if torch.backends.mps.is_available() else []), "cpu"]
    if name == "auto":
        return torch.device(available[0])
    try:
        device = torch.device(name)
    except RuntimeError:
        device = None
    kinds = {torch.device(known).type for known in available}
    counts = {"cuda": torch.cuda.device_count()}  # there is one of every other kind
    beyond = device is not None and (device.index or 0) >= counts.get(device.type, 1)
    if device is None or device.type not in kinds or beyond:
        raise ValueError(
            f"train.device: no {quoted(name)} on this machine; choose auto or one of {', '.join(available)}"
        )
    return device


@contextmanager
def reproducible(seed: int, device: torch.device, threads: int) -> Iterator[None]:
    """Seed torch's generators and ask for deterministic algorithms; at the end restore all settings.

    Args:
        seed: for torch's generators on the CPU and the device.
        device: the device that trains.
        threads: threads of an operation on the CPU; how they share a sum decides how it rounds.
    """
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")  # without it cuBLAS is not deterministic
    deterministic: Any = torch.utils.deterministic  # its attributes are made at run time
    mode = torch.get_deterministic_debug_mode()
    filled = deterministic.fill_uninitialized_memory
    benchmark = torch.backends.cudnn.benchmark
    threads_before = torch.get_num_threads()
    with torch.random.fork_rng([device] if device.type == "cuda" else []):
        torch.manual_seed(seed)
        torch.set_num_threads(threads)
        torch.set_deterministic_debug_mode("warn")
        deterministic.fill_uninitialized_memory = False  # it only helps to find bugs, and costs a pass over memory
        torch.backends.cudnn.benchmark = False
        try:
            yield
        finally:
            torch.set_num_threads(threads_before)
            torch.set_deterministic_debug_mode(mode)
            deterministic.fill_uninitialized_memory = filled
            torch.backends.cudnn.benchmark = benchmark
