"""Histograms of many tensors, counted on their device and transferred together."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

BUCKETS = 64
_CHUNK = 2**18  # values at a time, so that copies of them stay small and in a processor's cache


@dataclass(frozen=True)
class Histogram:
    """The distribution of a tensor's finite values.

    Attributes:
        low: the smallest.
        high: the largest.
        total: their sum.
        squares: the sum of their squares.
        counts: how many lie in each of 64 buckets of equal width from ``low`` to ``high``; where all values
            are the same, the buckets reach from half below it to half above it.
        non_finite: how many values are infinite or not a number; they are in no bucket.
    """

    low: float
    high: float
    total: float
    squares: float
    counts: tuple[int, ...]
    non_finite: int

    @property
    def count(self) -> int:
        """How many finite values there are; if there are none, the other figures mean nothing."""
        return sum(self.counts)

    @property
    def limits(self) -> list[float]:
        """The upper end of each bucket."""
        first, last = _reach(self.low, self.high)
        return [first + (last - first) * (place + 1) / BUCKETS for place in range(BUCKETS)]


@torch.no_grad()
def histograms(tensors: Mapping[str, Tensor]) -> dict[str, Histogram]:
    """Make a histogram of each tensor, with the buckets of ``numpy.histogram(values, 64)``.

    A value on the edge of two buckets may be counted in the other one than numpy's. There are two transfers from the
    device: of the smallest and largest values, then of sums and counts. Tensors with infinities or NaN take more; and
    on CUDA, counting waits for the device once for each 262,144 values.

    Args:
        tensors: by name, of any shapes and floating types.
    """
    flat = {name: tensor.reshape(-1) for name, tensor in tensors.items()}
    ends = _bring({name: _ends(values) for name, values in flat.items()})
    dirty = {name for name, pair in ends.items() if not all(map(math.isfinite, pair))}
    finite = {name: values[values.isfinite()] if name in dirty else values for name, values in flat.items()}
    ends |= _bring({name: _ends(finite[name]) for name in dirty})
    rows = _bring({name: _count(values, *_reach(*ends[name])) for name, values in finite.items()})
    return {name: _as_histogram(ends[name], row, len(flat[name])) for name, row in rows.items()}


def _as_histogram(ends: Sequence[float], row: Sequence[float], size: int) -> Histogram:
    total, squares, *counts, at_the_top = row
    counts[-1] += at_the_top  # the largest value belongs to the last bucket
    low, high = ends
    return Histogram(low, high, total, squares, tuple(int(count) for count in counts), size - int(sum(counts)))


def _reach(low: float, high: float) -> tuple[float, float]:
    """Return where the buckets begin and end, as numpy does: half below and above where all values are equal."""
    half = max(0.5, abs(low) * 2**-40)  # numpy's half would be lost in rounding beside very large values
    return (low - half, high + half) if low == high else (low, high)


def _bring(rows: Mapping[str, Tensor]) -> dict[str, list[float]]:
    """Transfer all rows at once."""
    values = torch.stack(list(rows.values())).tolist() if rows else []
    return dict(zip(rows, values, strict=True))


def _ends(values: Tensor) -> Tensor:
    """Return the smallest and the largest value; NaN or infinite if one of the values is."""
    ends = torch.aminmax(values) if len(values) else (values.new_zeros(()), values.new_zeros(()))
    return torch.stack([_wide(end) for end in ends])


def _wide(values: Tensor) -> Tensor:
    """Return a copy in float64, or in float32 on mps, which has no float64."""
    return values.to(torch.float32 if values.device.type == "mps" else torch.float64, copy=True)


def _count(values: Tensor, first: float, last: float) -> Tensor:
    """Return sum, sum of squares, the counts of the 64 buckets, and how often the upper end itself occurs."""
    return torch.stack([_count_chunk(_wide(chunk), first, last) for chunk in torch.split(values, _CHUNK)]).sum(0)


def _count_chunk(values: Tensor, first: float, last: float) -> Tensor:
    """Count one chunk, overwriting it."""
    sums = torch.stack([values.sum(), values.dot(values)])
    place = values.sub_(first).mul_(BUCKETS / (last - first)).to(torch.uint8)
    # Unlike histc, bincount of these numbers is exact and deterministic on every device.
    return torch.cat([sums, torch.bincount(place, minlength=BUCKETS + 1)])
