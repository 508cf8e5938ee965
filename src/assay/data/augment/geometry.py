"""Geometric changes: cropping, shifting, mirroring, rotating, enlarging."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Generator, Tensor

from assay.data.augment.boxes import Boxes, draw_sides
from assay.data.augment.draw import Draw, uniform, whole_up_to
from assay.data.augment.selection import pick

ASPECT = (3 / 4, 4 / 3)  # of the boxes of a resized crop


def pad_and_crop(images: Tensor, generator: Generator, *, padding: int, gap: str = "zero") -> Tensor:
    """Pad and crop back at a random place, as ``RandomCrop(size, padding)`` does.

    So it shifts each image by up to ``padding`` whole pixels in each direction, and fills the gap.

    Args:
        images: ``[B, C, H, W]``.
        generator: draws one offset in 0..2*padding for each image and direction.
        padding: pixels on each side.
        gap: a name in `PADDINGS`.
    """
    offsets = torch.randint(0, 2 * padding + 1, (2, len(images)), generator=generator, device=images.device)
    return crop_padded(images, offsets[0], offsets[1], padding=padding, gap=gap)


def padded_with_zeros(images: Tensor, padding: int) -> Tensor:
    """The images with so many zeros on each side."""
    return F.pad(images, (padding, padding, padding, padding))


def padded_by_reflection(images: Tensor, padding: int) -> Tensor:
    """The images with so many pixels on each side that mirror what is inside; the border is not repeated.

    As torch's own "reflect", which takes no uint8, and no padding as wide as the image.
    """
    for dimension in (2, 3):
        side = images.shape[dimension]
        place = torch.arange(-padding, side + padding, device=images.device).abs() % max(1, 2 * side - 2)
        images = images.index_select(dimension, torch.minimum(place, (2 * side - 2 - place).abs()))
    return images


PADDINGS = {"zero": padded_with_zeros, "reflect": padded_by_reflection}


def crop_padded(images: Tensor, top: Tensor, left: Tensor, *, padding: int, gap: str = "zero") -> Tensor:
    """The window of each padded image that begins at its ``top``, ``left`` (int64 ``[B]``)."""
    count, channels, height, width = images.shape
    padded = PADDINGS[gap](images, padding).contiguous()
    planes = torch.arange(count * channels, device=images.device).view(count, channels, 1)
    rows = planes * padded.shape[2] + (top[:, None] + torch.arange(height, device=images.device))[:, None]
    starts = rows * padded.shape[3] + left.view(-1, 1, 1)  # [B, C, H]: of each row's pixels in memory
    windows = padded.flatten().unfold(0, width, 1)  # a view of all pixels with those that follow
    return windows.index_select(0, starts.flatten()).view(images.shape)


def flip_horizontally(images: Tensor, generator: Generator, *, probability: float) -> Tensor:
    """Mirror each image left to right with the given probability."""
    return mirrored(images, torch.rand(len(images), generator=generator, device=images.device) < probability)


def flip_alternately(images: Tensor, draw: Draw) -> Tensor:
    """Mirror a random half of the images in the first epoch, and from then on each in every other epoch.

    So any two successive epochs show both versions of each image. Jordan 2024, "94% on CIFAR-10 in
    3.29 Seconds on a Single GPU", section 3.6. The half is the same for every seed: a hash of the
    images' numbers decides.
    """
    return mirrored(images, (coins(draw.rows) + draw.epoch) % 2 == 1)


def coins(rows: Tensor) -> Tensor:
    """A fixed pseudo-random 0 or 1 for each row number (int64): one bit of a multiplicative hash."""
    mixed = (rows + 1) * 0x1E3779B97F4A7C15  # SplitMix64's constants without the top bit, which int64 has for the sign
    mixed = (mixed ^ (mixed >> 32)) * 0x3F58476D1CE4E5B9
    return (mixed >> 40) & 1


def mirrored(images: Tensor, chosen: Tensor) -> Tensor:
    """The images, those that are ``chosen`` (bool ``[B]``) mirrored left to right."""
    return pick(chosen.view(-1, 1, 1, 1), images.flip(-1), images)


def rotate_at_random(images: Tensor, generator: Generator, *, degrees: float) -> Tensor:
    """Turn each image by an angle between ``-degrees`` and ``degrees``, as ``RandomRotation`` does."""
    return rotated(images, uniform(-degrees, degrees, len(images), generator=generator))


def rotated(images: Tensor, degrees: Tensor) -> Tensor:
    """Turn each image anticlockwise about its centre by its angle (``[B]``); nearest pixel, zero outside."""
    cos, sin = degrees.deg2rad().cos(), degrees.deg2rad().sin()
    return moved(images, cos, -sin, 0.0, sin, cos, 0.0)


def moved(images: Tensor, *entries: Tensor | float) -> Tensor:
    """Take each pixel from the nearest one at another place; zero where that is outside.

    Args:
        images: uint8 ``[B, C, H, W]``.
        entries: the six of a 2x3 matrix, row by row, each a number or float32 ``[B]``. The pixel at (x, y) comes
            from the matrix times (x, y, 1), in pixels from the image's centre, x to the right and y down.
    """
    # torch.full writes on the device; a tensor made of a number would be copied there, and the CPU would wait.
    columns = [
        entry if isinstance(entry, Tensor) else torch.full((len(images),), entry, device=images.device)
        for entry in entries
    ]
    sources = torch.stack(columns, 1).view(-1, 2, 3)
    height, width = images.shape[-2:]
    x = torch.arange(width, device=images.device) - (width - 1) / 2
    y = torch.arange(height, device=images.device) - (height - 1) / 2
    scaled = sources * torch.tensor([[2 / width], [2 / height]], device=images.device)  # edges at -1 and 1
    by_x, by_y, shift = scaled[:, :, None, None].unbind(-1)
    places = by_x * x + (by_y * y[:, None] + shift)  # [B, 2, H, W]
    sampled = F.grid_sample(images.float(), places.permute(0, 2, 3, 1), mode="nearest", align_corners=False)
    return sampled.to(torch.int16).to(torch.uint8)


def resized_crop_at_random(images: Tensor, generator: Generator, *, smallest: float) -> Tensor:
    """Crop a random part of each image and enlarge it to the image's own size.

    The distribution is that of ``RandomResizedCrop``: the area evenly from ``smallest`` to 1, the
    logarithm of the aspect evenly from 3/4 to 4/3.

    Args:
        images: uint8 ``[B, C, H, W]``.
        generator: draws the boxes.
        smallest: smallest share of the image's area.
    """
    height, width = images.shape[-2:]
    return resized(images, draw_crops(len(images), height, width, generator, smallest=smallest))


def draw_crops(count: int, height: int, width: int, generator: Generator, *, smallest: float) -> Boxes:
    """The boxes of ``resized_crop_at_random``; where none of ten fits, the largest central one of a valid aspect."""
    heights, widths, found = draw_sides(
        count,
        height * width,
        generator,
        area=(smallest, 1.0),
        aspect=ASPECT,
        fits=lambda h, w: (h > 0) & (h <= height) & (w > 0) & (w <= width),
    )
    heights = heights.where(found, min(height, round(width / ASPECT[0])))
    widths = widths.where(found, min(width, round(height * ASPECT[1])))
    top, left = whole_up_to(height - heights, generator), whole_up_to(width - widths, generator)
    top, left = top.where(found, (height - heights) // 2), left.where(found, (width - widths) // 2)
    return Boxes(top, left, heights, widths)


def resized(images: Tensor, boxes: Boxes) -> Tensor:
    """Each image's box, enlarged to the image's size, bilinear; the box may not stick out.

    Equal to ``v2.functional.resized_crop`` with antialias within one grey level: a part is never
    larger than the whole, and antialias changes nothing when enlarging.
    """
    height, width = images.shape[-2:]
    x = _places(boxes.left, boxes.width, width)[:, None, :].expand(-1, height, -1)
    y = _places(boxes.top, boxes.height, height)[:, :, None].expand(-1, -1, width)
    sampled = F.grid_sample(images.float(), torch.stack((x, y), -1), mode="bilinear", align_corners=False)
    return sampled.round_().to(torch.int16).to(torch.uint8)


def _places(start: Tensor, length: Tensor, side: int) -> Tensor:
    """Where the ``side`` pixels of an enlarged stretch come from, ``[B, side]``; the whole side spans -1..1."""
    start, length = start[:, None], length[:, None]
    centres = (torch.arange(side, device=start.device) + 0.5) * (length / side) - 0.5
    inside = torch.minimum(centres.clamp_min(0), (length - 1).float())  # nothing comes from beside the box
    return (2 * (start + inside) + 1) / side - 1
