"""Smaller images in the first epochs, which a network learns from faster.

Howard 2018, "Training ImageNet in 3 hours for 25 minutes" (progressive resizing); Touvron et al. 2019, "Fixing the
train-test resolution discrepancy", for why the last epochs see the size of the test.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor

Resize = Callable[[Tensor, int], Tensor]
"""a batch of images and the number of its epoch, from 0, to the batch that the network sees"""


def as_they_are(images: Tensor, _epoch: int) -> Tensor:
    """The images, in every epoch."""
    return images


def small_first(size: int, epochs: float) -> Resize:
    """Scale images ``[B, C, H, W]`` down to ``size`` pixels a side (bilinear, antialiased) in so many first epochs."""

    def resize(images: Tensor, epoch: int) -> Tensor:
        if epoch >= epochs:
            return images
        is_last = images.is_contiguous(memory_format=torch.channels_last)
        small = F.interpolate(images, size=(size, size), mode="bilinear", antialias=True, align_corners=False)
        return small.contiguous(memory_format=torch.channels_last if is_last else torch.contiguous_format)

    return resize
