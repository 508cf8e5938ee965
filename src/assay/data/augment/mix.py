"""Mixing of images with each other and of their labels with them: mixup and CutMix.

Both are the same mixture, with weights that are equal everywhere (mixup) or 0 in a box and 1
outside (CutMix); the labels get the mean weight.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from functools import partial

import torch
import torch.nn.functional as F
from torch import Generator, Tensor

Mix = Callable[[Tensor, Tensor, Generator], tuple[Tensor, Tensor]]
"""normalised images float ``[B, C, H, W]`` and targets float ``[B, K]`` to mixed ones of the same shapes"""

DrawWeights = Callable[[int, int, Generator], Tensor]
"""the own image's weight in each pixel, float32 ``[H, W]``, for a height, a width and a generator"""


def build_mixes(*, mixup: float = 0.0, cutmix: float = 0.0) -> Mix | None:
    """The function that mixes batches; None if both strengths are zero.

    Args:
        mixup: alpha of the Beta(alpha, alpha) of mixup; 0 is off.
        cutmix: alpha of that of CutMix; 0 is off. With both on, each batch gets one of them, with
            equal odds, as in torchvision's reference training.
    """
    kinds = [(mixup, draw_even_weights), (cutmix, draw_box_weights)]
    draws = [partial(draw, alpha=alpha) for alpha, draw in kinds if alpha > 0]
    return partial(mix, draw_weights=_any_of(draws)) if draws else None


def mix(images: Tensor, targets: Tensor, generator: Generator, *, draw_weights: DrawWeights) -> tuple[Tensor, Tensor]:
    """Mix each image and its target with those of another image of the batch.

    Args:
        images: float ``[B, C, H, W]``, normalised.
        targets: float ``[B, K]``, each row a distribution over the classes (see ``one_hot``).
        generator: draws the weights, the same for all images, and a permutation: the partners.
        draw_weights: ``draw_even_weights`` is mixup, ``draw_box_weights`` CutMix.
    """
    height, width = images.shape[-2:]
    weights = draw_weights(height, width, generator)
    partners = torch.randperm(len(images), generator=generator, device=images.device)
    return mixed(images, targets, weights, partners)


def mixed(images: Tensor, targets: Tensor, weights: Tensor, partners: Tensor) -> tuple[Tensor, Tensor]:
    """Images and targets, mixed with those of their ``partners`` (int64 ``[B]``).

    ``weights`` (``[H, W]``) is the own image's share in each pixel; its mean is the own target's.
    """
    away = 1 - weights.to(images.dtype)  # the share of the partner, as lerp takes it
    return images.lerp(images[partners], away), targets.lerp(targets[partners], away.mean())


def draw_even_weights(height: int, width: int, generator: Generator, *, alpha: float) -> Tensor:
    """One weight from Beta(alpha, alpha) in every pixel. Zhang et al. 2018, "mixup", section 2."""
    return draw_beta(alpha, generator).expand(height, width)


def draw_box_weights(height: int, width: int, generator: Generator, *, alpha: float) -> Tensor:
    """0 in a random box, 1 elsewhere. Yun et al. 2019, "CutMix", section 3.1, equation 2.

    The box has the image's aspect and the share 1 - Beta(alpha, alpha) of its area, around an evenly
    drawn centre; what sticks out is cut off, so the labels are mixed by the area that is left.
    """
    share = draw_beta(alpha, generator)
    centre = torch.rand(2, generator=generator, device=generator.device)
    return box_weights(height, width, share, centre)


def box_weights(height: int, width: int, share: Tensor, centre: Tensor) -> Tensor:
    """0 in the box that leaves ``share`` (0..1, no dimensions) of the image, 1 elsewhere, float32 ``[height, width]``.

    The pixel in which ``centre`` lies, (y, x) in 0..1, is the box's centre.
    """
    half = 0.5 * (1 - share).sqrt()
    inside = [
        _near(length, torch.floor(place * length), torch.floor(half * length))
        for length, place in zip((height, width), centre, strict=True)
    ]
    return 1.0 - (inside[0][:, None] & inside[1]).float()


def _near(length: int, centre: Tensor, half: Tensor) -> Tensor:
    places = torch.arange(length, device=centre.device)
    return (places >= centre - half) & (places < centre + half)


def draw_beta(alpha: float, generator: Generator) -> Tensor:
    """A number from Beta(alpha, alpha), float32 without dimensions, on the generator's device.

    If T has Student's t distribution with 2 alpha degrees of freedom, (1 + T / sqrt(2 alpha + T^2)) / 2
    has this one. T is drawn from two uniform numbers: Bailey 1994, "Polar generation of random
    variates with the t-distribution".
    """
    radius, angle = torch.rand(2, generator=generator, device=generator.device).unbind()
    direction = torch.cos(2 * math.pi * angle)
    power = radius.pow(1 / alpha)
    return (1 + direction / (direction.square() + power / (1 - power)).sqrt()) / 2


def one_hot(labels: Tensor, classes: int) -> Tensor:
    """Class numbers (int64 ``[B]``) as targets, float32 ``[B, classes]``: all of each row in its class."""
    return F.one_hot(labels, classes).float()


def _any_of(draws: Sequence[DrawWeights]) -> DrawWeights:
    """One of them by chance; all are drawn, because a choice by the generator would make a GPU wait."""

    def draw(height: int, width: int, generator: Generator) -> Tensor:
        weights = torch.stack([one(height, width, generator) for one in draws])
        chosen = torch.randint(0, len(draws), (1,), generator=generator, device=generator.device)
        picked: Tensor = weights.index_select(0, chosen)[0]
        return picked

    return draw
