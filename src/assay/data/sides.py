"""The side of the training images in each epoch: small ones first, from which a network learns faster.

Howard 2018, "Training ImageNet in 3 hours for 25 minutes" (progressive resizing); Leclerc et al. 2023, "FFCV:
Accelerating Training by Removing Data Bottlenecks", for a side that grows; Touvron et al. 2019, "Fixing the train-test
resolution discrepancy", for a training at a smaller size than the test's.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor

STEP = 32
"""what a growing side is a multiple of, in pixels: by so much most networks shrink an image"""

SideOf = Callable[[int], int | None]
"""the number of an epoch, from 0, to the side of its training images, in pixels; None: as they are"""


def as_they_are(_epoch: int) -> None:
    """The images' own side, in every epoch."""


def growing(small: int, large: int, *, start: float, end: float) -> SideOf:
    """A side that grows from ``small`` to ``large`` pixels between two epochs, as in FFCV's ``train_imagenet.py``.

    It is ``small`` up to epoch ``start`` and ``large`` from ``end`` on. Between them it is on a straight line, rounded
    to the nearest multiple of 32; so it leaves 160 for 192 in the middle of the two. Where ``start`` is ``end``, it
    jumps.

    Raises:
        ValueError: it grows, and a side is no multiple of 32.
    """
    if start < end and (small % STEP or large % STEP):
        raise ValueError(f"train.small_ramp: the side grows by {STEP} pixels, but {small} or {large} is no multiple")

    def side(epoch: int) -> int:
        if epoch >= end:
            return large
        if epoch <= start:
            return small
        return round((small + (large - small) * (epoch - start) / (end - start)) / STEP) * STEP

    return side


def scaled_down(images: Tensor, side: int) -> Tensor:
    """Images ``[B, C, H, W]`` scaled to ``side`` pixels (bilinear, antialiased); those of that side are not touched."""
    if images.shape[-1] == side:
        return images
    is_last = images.is_contiguous(memory_format=torch.channels_last)
    small = F.interpolate(images, size=(side, side), mode="bilinear", antialias=True, align_corners=False)
    return small.contiguous(memory_format=torch.channels_last if is_last else torch.contiguous_format)
