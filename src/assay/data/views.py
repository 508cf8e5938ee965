"""Test-time augmentation: the versions of a test image whose scores are averaged.

Each function takes images ``[B, C, H, W]``, as the network takes them, and yields versions of the
same shape, each with its weight; the weights add up to 1. They weigh the scores before the softmax
(logits), as Jordan 2024 does.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import reduce

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from assay.base.registry import choose
from assay.data.preprocess import crop_centre

Versions = Callable[[Tensor], Iterator[tuple[Tensor, float]]]


@dataclass(frozen=True)
class Views:
    """How a network answers for images.

    Attributes:
        versions: of the images, with their weights.
        sure: an image whose best class has at least this probability, in (0, 1], is looked at once, as it is; None
            looks at all versions of every image.
    """

    versions: Versions
    sure: float | None = None

    def scores(self, network: nn.Module, images: Tensor) -> Tensor:
        """The network's scores for images ``[B, C, H, W]``, float32 ``[B, K]``."""
        if self.sure is None:
            weighted: Iterator[Tensor] = (weight * network(view).float() for view, weight in self.versions(images))
            return reduce(torch.add, weighted)
        scores: Tensor = network(images).float().clone()  # a network may return a part of the images
        is_unsure = scores.softmax(dim=1).amax(dim=1) < self.sure
        if is_unsure.any():
            scores[is_unsure] = replace(self, sure=None).scores(network, images[is_unsure])
        return scores


def as_they_are(images: Tensor) -> Iterator[tuple[Tensor, float]]:
    """The images alone."""
    yield images, 1.0


def mirrored(images: Tensor) -> Iterator[tuple[Tensor, float]]:
    """The images and their mirror images, left to right."""
    yield images, 0.5
    yield images.flip(-1), 0.5


def mirrored_and_shifted(images: Tensor) -> Iterator[tuple[Tensor, float]]:
    """Six versions: the images and two shifts of them by one pixel, each also mirrored.

    The shifts go down to the right and up to the left; the gap shows the reflection of what is
    beside it. The pair that is not shifted weighs as much as the other two together. Jordan 2024,
    "94% on CIFAR-10 in 3.29 Seconds on a Single GPU", section 3.5 ("multi-crop evaluation").
    """
    padded = F.pad(images, (1, 1, 1, 1), mode="reflect")
    shifts = [padded[..., :-2, :-2], padded[..., 2:, 2:]]
    for version, share in zip([images, *shifts], [0.5, 0.25, 0.25], strict=True):
        for view, weight in mirrored(version):
            yield view, share * weight


def five_crops(images: Tensor) -> Iterator[tuple[Tensor, float]]:
    """The four corners and the centre, each of 7/8 of the side, enlarged (bilinear) to the images' size."""
    size = images.shape[-1]
    side = round(size * 7 / 8)
    ends = slice(None, side), slice(-side, None)
    corners = [images[..., rows, columns] for rows in ends for columns in ends]
    for crop in [*corners, crop_centre(images, side)]:
        yield F.interpolate(crop, size=(size, size), mode="bilinear", align_corners=False), 0.2


def ten_crops(images: Tensor) -> Iterator[tuple[Tensor, float]]:
    """The five crops of the images and of their mirror images: Krizhevsky et al. 2012, section 4.1.

    The paper crops 224 of 256 pixels, which is 7/8, and averages probabilities, not logits.
    """
    for version, share in mirrored(images):
        for view, weight in five_crops(version):
            yield view, share * weight


VERSIONS: dict[str, Versions] = {
    "none": as_they_are,
    "flip": mirrored,
    "flip-shift": mirrored_and_shifted,
    "five-crop": five_crops,
    "ten-crop": ten_crops,
}


def views_of(name: str, sure: float | None = None) -> Views:
    """The views of that name, a key of `VERSIONS`, for images that the network is not sure of, or for all of them.

    Raises:
        ValueError: there are none of that name.
    """
    return Views(choose("views", name, VERSIONS), sure)
