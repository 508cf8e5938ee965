"""Random changes to a whole batch at once, with a draw of its own for every image.

Each takes pixels ``[B, C, H, W]`` of any type, keyword arguments and a generator on the same
device, and returns pixels of the same shape and type. A distribution is that of torchvision's
transform of that kind where there is one.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import torch
import torch.nn.functional as F
from torch import Generator, Tensor

Augmentation = Callable[[Tensor, Generator], Tensor]


def pad_and_crop(images: Tensor, generator: Generator, *, padding: int) -> Tensor:
    """Pad with zeros and crop back at a random place, as ``RandomCrop(size, padding)`` does.

    Args:
        images: ``[B, C, H, W]``.
        generator: draws one offset in 0..2*padding for each image and direction.
        padding: pixels on each side.
    """
    offsets = torch.randint(0, 2 * padding + 1, (2, len(images)), generator=generator, device=images.device)
    return crop_padded(images, offsets[0], offsets[1], padding=padding)


def shift_at_random(images: Tensor, generator: Generator, *, pixels: int) -> Tensor:
    """Shift by whole pixels, up to ``pixels`` in each direction, and fill the gap with zero.

    The distribution is the same as that of ``pad_and_crop``: to crop the padded image off centre
    is to shift it. It has a name of its own because the sources name it so (and it composes).
    """
    return pad_and_crop(images, generator, padding=pixels)


def crop_padded(images: Tensor, top: Tensor, left: Tensor, *, padding: int) -> Tensor:
    """The window of each zero-padded image that begins at its ``top``, ``left`` (int64 ``[B]``)."""
    height, width = images.shape[-2:]
    padded = F.pad(images, (padding, padding, padding, padding))
    windows = padded.unfold(2, height, 1).unfold(3, width, 1)  # a view: [B, C, tops, lefts, H, W]
    return windows[torch.arange(len(images), device=images.device), :, top, left]


def flip_horizontally(images: Tensor, generator: Generator, *, probability: float) -> Tensor:
    """Mirror each image left to right with the given probability."""
    chosen = torch.rand(len(images), generator=generator, device=images.device) < probability
    return torch.where(chosen.view(-1, 1, 1, 1), images.flip(-1), images)


def build_augmentations(*, crop: int = 0, translate: int = 0, flip: float = 0.0) -> list[Augmentation]:
    """The augmentations with a strength above zero, in the order in which they are applied.

    Args:
        crop: padding of ``pad_and_crop`` in pixels.
        translate: largest shift of ``translate`` in pixels.
        flip: probability of ``flip_horizontally``.
    """
    strengths: list[tuple[float, Augmentation]] = [
        (crop, partial(pad_and_crop, padding=crop)),
        (translate, partial(shift_at_random, pixels=translate)),
        (flip, partial(flip_horizontally, probability=flip)),
    ]
    return [augmentation for strength, augmentation in strengths if strength > 0]
