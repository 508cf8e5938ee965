"""The source of a batch's random draws, and two distributions of them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Generator, Tensor


@dataclass(frozen=True)
class Draw:
    """The generator and the numbers from which a batch's augmentations make their random choices.

    Attributes:
        generator: on the pixels' device, already seeded from (seed, epoch, step).
        epoch: from 0.
        rows: the images' numbers in the training set, int64 ``[B]``, on the pixels' device.
    """

    generator: Generator
    epoch: int
    rows: Tensor


Augmentation = Callable[[Tensor, Draw], Tensor]
"""uint8 ``[B, C, H, W]`` to uint8 of the same shape; the input is left as it was"""


def uniform(low: float, high: float, *shape: int, generator: Generator) -> Tensor:
    """Float32 numbers between ``low`` and ``high``, on the generator's device."""
    return torch.rand(shape, generator=generator, device=generator.device) * (high - low) + low


def whole_up_to(largest: Tensor, generator: Generator) -> Tensor:
    """A whole number from 0 to each entry of ``largest`` (int64), all equally likely."""
    # torch.randint takes no tensor of limits.
    return (torch.rand(largest.shape, generator=generator, device=largest.device) * (largest + 1)).long()
