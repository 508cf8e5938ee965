"""Random boxes inside an image: one per image, by rejection, as torchvision draws them."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Generator, Tensor

from assay.data.augment.draw import uniform

ATTEMPTS = 10  # torchvision's number


@dataclass(frozen=True)
class Boxes:
    """A box for each image: int64 ``[B]`` each, in pixels."""

    top: Tensor
    left: Tensor
    height: Tensor
    width: Tensor

    def mask(self, height: int, width: int) -> Tensor:
        """True inside the boxes, bool ``[B, 1, height, width]``, in images of this size; boxes may stick out."""
        rows = _between(self.top, self.height, height)
        columns = _between(self.left, self.width, width)
        return (rows[:, :, None] & columns[:, None, :])[:, None]


def _between(start: Tensor, length: Tensor, end: int) -> Tensor:
    places = torch.arange(end, device=start.device) - start[:, None]
    return (places >= 0) & (places < length[:, None])


def draw_sides(
    count: int,
    pixels: int,
    generator: Generator,
    *,
    area: tuple[float, float],
    aspect: tuple[float, float],
    fits: Callable[[Tensor, Tensor], Tensor],
) -> tuple[Tensor, Tensor, Tensor]:
    """The sides of the first of ten random boxes that fits, for each of ``count`` images.

    Args:
        count: B.
        pixels: area of an image.
        generator: draws the share of the area evenly, and the logarithm of the aspect evenly.
        area: smallest and largest share of the image.
        aspect: smallest and largest ratio of height to width.
        fits: whether boxes of these heights and widths (``[10, B]``) are accepted.

    Returns:
        height and width (int64 ``[B]``), and whether any box was accepted (bool ``[B]``).
    """
    areas = pixels * uniform(*area, ATTEMPTS, count, generator=generator)
    ratios = uniform(math.log(aspect[0]), math.log(aspect[1]), ATTEMPTS, count, generator=generator).exp()
    heights, widths = (areas * ratios).sqrt().round().long(), (areas / ratios).sqrt().round().long()
    accepted = fits(heights, widths)
    first = accepted.int().argmax(0, keepdim=True)  # argmax gives the first of equal values; without any, box 0
    return heights.gather(0, first)[0], widths.gather(0, first)[0], accepted.any(0)
