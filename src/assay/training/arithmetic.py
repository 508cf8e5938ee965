"""Which type of number a device convolves fastest in, measured on the spot, because nothing else tells.

A processor's name does not say whether it has units for bfloat16. Without them it is emulated, several times slower
than float32, and some versions of libraries compute wrong values in it.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import torch
from torch import Generator, Tensor, nn

from assay.training.precision import DTYPES, Precision

_IMAGES, _CHANNELS, _SIDE, _KERNEL = 8, 64, 16, 3  # as in the middle of a network for small images
_ROUNDS, _PATIENCE = 5, 1.0  # seconds; an emulated type may be a thousand times slower
_GAIN = 1.2
"""How many times as fast another type has to be: less is noise, or lost in the layers around a convolution."""
_ROUNDING_STEPS = 4
"""How many of its type's rounding steps a result may be away from float32's."""

Compute = Callable[[str], Sequence[Tensor]]
"""Results in the arithmetic of that name, as ``train.precision`` has it; raises ``RuntimeError`` without it."""


@dataclass(frozen=True)
class Arithmetic:
    """What was measured of a device.

    Attributes:
        seconds: of a convolution, forward and backward, by ``train.precision``; only types whose values are right.
        faults: of the other types, why they are out, in words.
    """

    seconds: Mapping[str, float]
    faults: Mapping[str, str] = field(default_factory=dict)

    def fastest(self, names: Sequence[str]) -> str:
        """The fastest of ``fp32`` and these, of which each has to be 1.2 times as fast as the best before it."""
        best = "fp32"
        for name in names:
            if name in self.seconds and self.seconds[name] * _GAIN <= self.seconds[best]:
                best = name
        return best

    def cost(self, name: str) -> float:
        """How many times as long as float32 a type takes; infinite where its values are wrong or it is not there."""
        return self.seconds.get(name, math.inf) / self.seconds["fp32"]


def measure(names: Sequence[str], compute: Compute, clock: Callable[[], float] = time.perf_counter) -> Arithmetic:
    """Time each type, and compare its values with those of float32.

    Args:
        names: types beside ``fp32``, as in ``train.precision``.
        compute: does what is timed, and waits until it is done.
        clock: seconds that rise.
    """
    wanted, faults = compute("fp32"), {}
    for name in names:
        if fault := _fault(name, compute, wanted):
            faults[name] = fault
    timed = ["fp32", *(name for name in names if name not in faults)]
    seconds, began = dict.fromkeys(timed, math.inf), clock()
    # In turn, so that a busy moment of the machine does not meet one type alone.
    for round_ in range(_ROUNDS):
        if round_ and clock() - began > _PATIENCE:
            break
        for name in timed:
            start = clock()
            compute(name)
            seconds[name] = min(seconds[name], clock() - start)
    return Arithmetic(seconds, faults)


def _fault(name: str, compute: Compute, wanted: Sequence[Tensor]) -> str:
    """What is wrong with a type's values, in words; empty for nothing."""
    try:
        found = compute(name)
    except RuntimeError as error:
        return f"not there ({' '.join(str(error).split())[:100]})"
    if not all(values.isfinite().all() for values in found):
        return "its values are not finite"
    off = max(
        ((values.double() - right.double()).norm() / right.double().norm()).item()
        for values, right in zip(found, wanted, strict=True)
    )
    allowed = _ROUNDING_STEPS * torch.finfo(DTYPES[name]).eps
    return f"its values are {off:.1%} off, where rounding explains {allowed:.1%}" if off > allowed else ""


def convolution(
    device: torch.device,
    layout: torch.memory_format,
    *,
    images: int = _IMAGES,
    channels: int = _CHANNELS,
    side: int = _SIDE,
) -> Compute:
    """A 3x3 convolution, forward and backward: its output and its two gradients.

    Args:
        device: where it is computed.
        layout: of its images and filters.
        images: how many.
        channels: that come in, and go out.
        side: of the images, in pixels.
    """
    generator = Generator().manual_seed(0)
    shape = (images, channels, side, side)
    inputs, ahead = (torch.randn(shape, generator=generator).to(device, memory_format=layout) for _ in range(2))
    layer = nn.Conv2d(channels, channels, _KERNEL, padding=1, bias=False, device="meta").to_empty(device="cpu")
    nn.init.kaiming_normal_(layer.weight, generator=generator)
    layer = layer.to(device).to(memory_format=layout)
    inputs.requires_grad_()

    def compute(name: str) -> list[Tensor]:
        with torch.enable_grad(), Precision.named(name, device).autocast():
            output = layer(inputs)
        gradients = torch.autograd.grad(output, [inputs, layer.weight], ahead.to(output.dtype))
        if device.type == "cuda":
            torch.cuda.synchronize(device)
        return [output.detach(), *gradients]

    return compute
