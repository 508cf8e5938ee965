"""The machine's limits: what its best convolutions, matrix products and copies reach."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch

from assay.training.arithmetic import convolution, measure
from assay.training.precision import DTYPES

SHAPES = ((64, 32), (128, 16), (256, 8), (512, 4))
"""channels and side in pixels of the convolutions: those of a ResNet for images of 32x32"""
_PRODUCT, _COPY = 1024, 2**24  # side of the matrices; float32 numbers that are copied, more than caches hold


@dataclass(frozen=True)
class Limits:
    """What a device reaches at best.

    Attributes:
        convolution: by ``train.precision``, GFLOP/s of the fastest of the convolutions, forward and backward.
        product: likewise, of a product of two matrices.
        copy: GB/s, read and written together.
        faults: types that are not measured, with the reason.
    """

    convolution: dict[str, float]
    product: dict[str, float]
    copy: float
    faults: dict[str, str]


def best_seconds(do: Callable[[], object], patience: float, clock: Callable[[], float] = time.perf_counter) -> float:
    """The shortest of several times, of at least two after one that warms up, in about ``patience`` seconds."""
    do()
    began, times = clock(), list[float]()
    while len(times) < 2 or clock() - began < patience:
        start = clock()
        do()
        times.append(clock() - start)
    return min(times)


def measure_limits(device: torch.device, names: Sequence[str], images: int, patience: float) -> Limits:
    """Measure a device.

    Args:
        device: with its number of threads set.
        names: types beside ``fp32``, as in ``train.precision``; one that is 3 times slower is not measured further.
        images: in the batch of a convolution.
        patience: seconds for each measurement.
    """
    known = measure(names, convolution(device, torch.channels_last))
    costs = {name: known.cost(name) for name in names}
    slow = {name: f"takes {cost:.2g} times as long as fp32" for name, cost in costs.items() if 3 < cost < math.inf}
    types = [name for name in known.seconds if name not in slow]
    return Limits(
        {name: max(_convolution(device, name, *shape, images, patience) for shape in SHAPES) for name in types},
        {name: _product(device, name, patience) for name in types},
        _copy(device, patience),
        {**known.faults, **slow},
    )


def _convolution(device: torch.device, name: str, channels: int, side: int, images: int, patience: float) -> float:
    compute = convolution(device, torch.channels_last, images=images, channels=channels, side=side)
    operations = 3 * 2 * 9 * images * channels**2 * side**2  # backward is two more convolutions of that size
    return operations / best_seconds(lambda: compute(name), patience) / 1e9


def _product(device: torch.device, name: str, patience: float) -> float:
    left, right = (torch.randn(_PRODUCT, _PRODUCT, device=device, dtype=DTYPES[name]) for _ in range(2))
    seconds = best_seconds(lambda: waited(device, left @ right), patience)
    return 2 * _PRODUCT**3 / seconds / 1e9


def _copy(device: torch.device, patience: float) -> float:
    source = torch.ones(_COPY, device=device)
    target = torch.empty_like(source)
    seconds = best_seconds(lambda: waited(device, target.copy_(source)), patience)
    return 2 * 4 * _COPY / seconds / 1e9


def waited(device: torch.device, _result: object) -> None:
    """Wait until the device has computed a result."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)
