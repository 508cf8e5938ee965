"""Changes of colour: brightness, contrast, saturation, hue, PCA noise, grayscale.

The ``adjust_...`` functions take one factor per image and equal those of the same name in
``torchvision.transforms.v2.functional`` on uint8 images, but for single grey levels where the two
round differently.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import compress

import torch
from torch import Generator, Tensor

from assay.data.augment.draw import uniform
from assay.data.augment.selection import Change, by_kind, pick, truncated
from assay.data.augment.strengths import need_colour

# Of ImageNet's RGB pixels in [0, 1], as the torch ResNet training code (fb.resnet.torch) gives them.
IMAGENET_EIGENVALUES = (0.2175, 0.0188, 0.0045)
IMAGENET_EIGENVECTORS = (
    (-0.5675, 0.7192, 0.4009),
    (-0.5808, -0.0045, -0.8140),
    (-0.5836, -0.6948, 0.4203),
)


def jitter_colours(
    images: Tensor,
    generator: Generator,
    *,
    brightness: float = 0.0,
    contrast: float = 0.0,
    saturation: float = 0.0,
    hue: float = 0.0,
) -> Tensor:
    """Change each image's colours at random, as ``ColorJitter`` does, in an order of its own.

    Args:
        images: uint8 ``[B, C, H, W]``, C 1 or 3.
        generator: draws the factors and the orders.
        brightness: the factor is drawn evenly from max(0, 1 - x) to 1 + x; 0 leaves this out.
        contrast: likewise.
        saturation: likewise; needs colour.
        hue: the shift is drawn evenly from -x to x of a whole turn, at most 0.5; 0 leaves this out; needs colour.

    Raises:
        ValueError: saturation or hue of images with one channel.
    """
    need_colour(images.shape[1], saturation=saturation, hue=hue)
    widths = (brightness, contrast, saturation, hue)
    factors = draw_factors(len(images), generator, widths)
    changes = list(compress(_JITTERS, widths))
    return jittered(images, factors, draw_orders(len(images), len(changes), generator), changes)


def draw_factors(count: int, generator: Generator, widths: Sequence[float]) -> Tensor:
    """A factor for each image and each jitter whose width is above zero, float32 ``[B, K]``."""
    *factor_widths, hue = widths
    ranges = [(max(0.0, 1 - width), 1 + width) for width in factor_widths] + [(-hue, hue)]
    drawn = [uniform(*limits, count, generator=generator) for limits in compress(ranges, widths)]
    return torch.stack(drawn, 1)


def draw_orders(count: int, jitters: int, generator: Generator) -> Tensor:
    """A random order of the numbers below ``jitters`` for each image, int64 ``[B, jitters]``."""
    return torch.rand(count, jitters, generator=generator, device=generator.device).argsort(1)


def jittered(images: Tensor, factors: Tensor, orders: Tensor, changes: Sequence[Change]) -> Tensor:
    """Each image after all ``changes`` in its own order, each with its own factor.

    Args:
        images: uint8 ``[B, C, H, W]``.
        factors: ``[B, K]``, in the order of ``changes``.
        orders: the numbers of the changes in the order in which the image gets them, int64 ``[B, K]``.
        changes: K functions of images and factors.
    """
    if len(changes) == 1:
        return changes[0](images, factors[:, 0])
    for kinds, values in zip(orders.unbind(1), factors.gather(1, orders).unbind(1), strict=True):
        images = by_kind(images, kinds, values, changes)
    return images


def adjust_brightness(images: Tensor, factors: Tensor) -> Tensor:
    """Each image times its factor."""
    return truncated(images.float().mul_(factors.view(-1, 1, 1, 1)))


def adjust_contrast(images: Tensor, factors: Tensor) -> Tensor:
    """Each image drawn to (factor below 1) or pushed off (above 1) its mean grey level."""
    return _blended(images, grey_levels(images).mean((1, 2, 3), keepdim=True), factors)


def adjust_saturation(images: Tensor, factors: Tensor) -> Tensor:
    """Each image drawn to or pushed off its grayscale version; one channel stays as it is."""
    return images if images.shape[1] == 1 else _blended(images, grey_levels(images), factors)


def adjust_hue(images: Tensor, turns: Tensor) -> Tensor:
    """Turn each RGB image's hue by a share of the whole circle, -0.5 to 0.5; value and saturation stay.

    From hue back to colour by the closed form: a channel is ``value - span * clamp(2 - |k - 2|, 0, 1)``
    with k = 5, 3, 1 (red, green, blue) plus the hue in sixths of the circle, modulo 6.
    """
    red, green, blue = images.float().unbind(1)
    value = torch.maximum(torch.maximum(red, green), blue)
    span = value - torch.minimum(torch.minimum(red, green), blue)
    # 1 is added because frac_ of a negative number is negative.
    hue = _sixths(red, green, blue, value, span).div_(6).add_(turns.view(-1, 1, 1) + 1)
    channels = torch.stack([hue + offset / 6 for offset in (5, 3, 1)], 1).frac_()
    channels.mul_(6).sub_(2).abs_().neg_().add_(2).clamp_(0, 1)
    channels.mul_(span[:, None]).neg_().add_(value[:, None])
    return truncated(channels.mul_(255.999 / 255))  # torchvision's way from [0, 1] to 0..255


def _sixths(red: Tensor, green: Tensor, blue: Tensor, value: Tensor, span: Tensor) -> Tensor:
    """The hue in sixths of the circle, -1 to 5: 0 red, 2 green, 4 blue; any number for a gray pixel."""
    is_red, is_green = red.eq(value), green.eq(value)
    from_green = pick(is_green, blue - red + 2 * span, red - green + 4 * span)
    return pick(is_red, green - blue, from_green).div_(span.clamp_min(1))


def add_pca_noise(
    images: Tensor,
    generator: Generator,
    *,
    std: float,
    eigenvalues: Sequence[float] = IMAGENET_EIGENVALUES,
    eigenvectors: Sequence[Sequence[float]] = IMAGENET_EIGENVECTORS,
) -> Tensor:
    """Add one random colour to each image, along the axes on which colours vary.

    Krizhevsky et al. 2012, section 4.1: the colour is the sum of the eigenvectors, each times its
    eigenvalue and a number from N(0, std); it is rounded to whole grey levels, and sums are cut
    off at 0 and 255.

    Args:
        images: uint8 RGB ``[B, 3, H, W]``.
        generator: draws three numbers per image.
        std: standard deviation of those.
        eigenvalues: three, for pixels in [0, 1] (default: ImageNet's).
        eigenvectors: 3x3, one in each column, rows in the order red, green, blue.

    Raises:
        ValueError: the images have one channel.
    """
    need_colour(images.shape[1], pca_noise=std)
    weights = torch.randn(len(images), 3, generator=generator, device=images.device) * std
    axes = torch.tensor(eigenvectors, device=images.device) * torch.tensor(eigenvalues, device=images.device)
    return add_colours(images, weights @ axes.T * 255)


def add_colours(images: Tensor, colours: Tensor) -> Tensor:
    """Each image plus one colour (float32 ``[B, C]`` in grey levels, rounded), cut off at 0 and 255."""
    whole = colours.round().to(torch.int16)[:, :, None, None]
    return images.to(torch.int16).add_(whole).clamp_(0, 255).to(torch.uint8)


def grey_at_random(images: Tensor, generator: Generator, *, probability: float) -> Tensor:
    """Take the colour from each image with the given probability, as ``RandomGrayscale`` does.

    Raises:
        ValueError: the images have one channel.
    """
    need_colour(images.shape[1], grayscale=probability)
    chosen = torch.rand(len(images), generator=generator, device=images.device) < probability
    return greyed(images, chosen)


def greyed(images: Tensor, chosen: Tensor) -> Tensor:
    """The images, those that are ``chosen`` (bool ``[B]``) with their grey level in all three channels."""
    return pick(chosen.view(-1, 1, 1, 1), truncated(grey_levels(images)), images)


def grey_levels(images: Tensor) -> Tensor:
    """The luma of RGB images (ITU-R BT.601), rounded down, float32 ``[B, 1, H, W]``; of one channel itself."""
    if images.shape[1] == 1:
        return images.float()
    red, green, blue = images[:, 0:1], images[:, 1:2], images[:, 2:3]
    return red.mul(0.2989).add_(green, alpha=0.587).add_(blue, alpha=0.114).floor_()


_JITTERS: tuple[Change, ...] = (adjust_brightness, adjust_contrast, adjust_saturation, adjust_hue)


def _blended(images: Tensor, others: Tensor, factors: Tensor) -> Tensor:
    shares = factors.view(-1, 1, 1, 1)
    return truncated(images.float().mul_(shares).add_(others * (1 - shares)))
