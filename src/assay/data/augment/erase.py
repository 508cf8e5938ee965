"""Boxes that are filled with one colour: random erasing and cutout."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Generator, Tensor

from assay.data.augment.boxes import Boxes, draw_sides
from assay.data.augment.draw import whole_up_to
from assay.data.augment.selection import pick

AREA = (0.02, 0.33)  # of the image
ASPECT = (0.3, 3.3)  # height to width
BLACK = (0,)


def erase_at_random(images: Tensor, generator: Generator, *, probability: float, fill: Sequence[int] = BLACK) -> Tensor:
    """Fill a random box of each image with one colour, with the given probability.

    Zhong et al. 2020, with the distribution of torchvision's ``RandomErasing``. That one is applied
    after normalisation, where its 0 is the mean colour; here the pixels are not normalised yet, so
    that 0 is black. Give the mean's grey levels as ``fill`` for the same picture.

    Args:
        images: uint8 ``[B, C, H, W]``.
        generator: draws which images, and the boxes.
        probability: share of the images.
        fill: grey level of each channel, or one for all.
    """
    height, width = images.shape[-2:]
    return erased(images, draw_erasures(len(images), height, width, generator, probability=probability), fill)


def draw_erasures(count: int, height: int, width: int, generator: Generator, *, probability: float) -> Boxes:
    """The boxes of ``erase_at_random``; empty where the image stays whole."""
    chosen = torch.rand(count, generator=generator, device=generator.device) < probability
    heights, widths, found = draw_sides(
        count, height * width, generator, area=AREA, aspect=ASPECT, fits=lambda h, w: (h < height) & (w < width)
    )
    heights, widths = heights * (chosen & found), widths * (chosen & found)
    top, left = whole_up_to(height - heights, generator), whole_up_to(width - widths, generator)
    return Boxes(top, left, heights, widths)


def cut_out(images: Tensor, generator: Generator, *, side: int, fill: Sequence[int] = BLACK) -> Tensor:
    """Fill a square of ``side`` pixels around a random pixel of each image; it may stick out at the border.

    DeVries and Taylor 2017, section 3.2, who fill with the mean: see ``erase_at_random`` about ``fill``.
    """
    height, width = images.shape[-2:]
    return erased(images, draw_cutouts(len(images), height, width, generator, side=side), fill)


def draw_cutouts(count: int, height: int, width: int, generator: Generator, *, side: int) -> Boxes:
    """The boxes of ``cut_out``: every pixel is equally likely to be the centre."""
    y, x = (torch.randint(0, end, (count,), generator=generator, device=generator.device) for end in (height, width))
    sides = torch.full_like(y, side)
    return Boxes(y - side // 2, x - side // 2, sides, sides)


def erased(images: Tensor, boxes: Boxes, fill: Sequence[int] = BLACK) -> Tensor:
    """The images with their boxes filled; ``fill`` has a grey level for each channel, or one for all."""
    colour = torch.tensor(fill, dtype=images.dtype, device=images.device).view(-1, 1, 1)
    return pick(boxes.mask(*images.shape[-2:]), colour, images)
