"""TrivialAugment and RandAugment: random picks from fourteen operations, a pick for each image.

The operations, their magnitudes and the odds are those of ``torchvision.transforms.v2``'s
``TrivialAugmentWide`` and ``RandAugment``. An operation is a function of uint8 images ``[n, C, H, W]``
and one magnitude per image, ``[n]``.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Generator, Tensor

from assay.data.augment.colour import adjust_brightness, adjust_contrast, adjust_saturation
from assay.data.augment.geometry import moved, rotated
from assay.data.augment.selection import Change, by_kind, truncated

LEVELS = 31  # of magnitude


def shear_x(images: Tensor, magnitudes: Tensor) -> Tensor:
    """Shift each row by ``magnitude`` times its distance from the top edge."""
    return moved(images, 1.0, magnitudes, magnitudes * images.shape[-2] / 2, 0.0, 1.0, 0.0)


def shear_y(images: Tensor, magnitudes: Tensor) -> Tensor:
    """Shift each column by ``magnitude`` times its distance from the left edge."""
    return moved(images, 1.0, 0.0, 0.0, magnitudes, 1.0, magnitudes * images.shape[-1] / 2)


def translate_x(images: Tensor, magnitudes: Tensor) -> Tensor:
    """Shift by whole pixels to the right."""
    return moved(images, 1.0, 0.0, -magnitudes.trunc(), 0.0, 1.0, 0.0)


def translate_y(images: Tensor, magnitudes: Tensor) -> Tensor:
    """Shift by whole pixels down."""
    return moved(images, 1.0, 0.0, 0.0, 0.0, 1.0, -magnitudes.trunc())


def _around_one(adjust: Change) -> Change:
    """The adjustment by the factor 1 + magnitude: a magnitude of 0 changes nothing."""
    return lambda images, magnitudes: adjust(images, 1 + magnitudes)


def sharpen(images: Tensor, magnitudes: Tensor) -> Tensor:
    """Push each pixel off the mean of its neighbourhood (itself five times, its neighbours once).

    The border stays, and so do images with a side below 3.
    """
    if min(images.shape[-2:]) < 3:
        return images
    values = images.float()
    inner = values[..., 1:-1, 1:-1]
    threes = values[..., :-2, :] + values[..., 1:-1, :] + values[..., 2:, :]
    nines = threes[..., :-2] + threes[..., 1:-1] + threes[..., 2:]
    smooth = nines.add_(inner, alpha=4).div_(13).round_()  # the nine pixels once and the inner one four times more: 13
    inner += (inner - smooth).mul_(magnitudes.view(-1, 1, 1, 1))
    return truncated(values)


def posterize(images: Tensor, magnitudes: Tensor) -> Tensor:
    """Keep this many of the eight bits, rounded."""
    lowest = torch.exp2(8 - magnitudes.round())  # the place value of the last bit that stays
    return images & (256 - lowest).to(torch.uint8).view(-1, 1, 1, 1)


def solarize(images: Tensor, magnitudes: Tensor) -> Tensor:
    """Invert the grey levels from ``magnitude`` times 255 on."""
    inverted = images >= (255 * magnitudes).view(-1, 1, 1, 1)
    return images ^ inverted.to(torch.uint8).mul_(255)  # x ^ 255 is 255 - x


def stretch_contrast(images: Tensor, _: Tensor) -> Tensor:
    """Stretch each channel so that its darkest pixel becomes 0 and its brightest 255."""
    values = images.float()
    low, high = values.amin((2, 3), keepdim=True), values.amax((2, 3), keepdim=True)
    flat = (low == high).float()
    return truncated(values.sub_(low * (1 - flat)).div_((high - low) * (1 / 255) + flat))


def equalize(images: Tensor, _: Tensor) -> Tensor:
    """Map each channel's grey levels so that all are about equally frequent, as Pillow's ``equalize`` does.

    A level becomes the number of pixels below it, in steps of 1/255 of the pixels that are not of
    the brightest level; a channel too small or too uniform for such a step stays.
    """
    pixels = images.flatten(2).long()
    counts = torch.zeros(*pixels.shape[:2], 256, dtype=torch.int64, device=images.device)
    counts.scatter_add_(2, pixels, torch.ones_like(pixels))
    below = counts.cumsum(2) - counts
    step = below.gather(2, pixels.amax(2, keepdim=True)) // 255
    levels = ((below + step // 2) // step.clamp_min(1)).clamp_max(255)
    kept = torch.arange(256, device=images.device).expand_as(levels)
    return levels.where(step > 0, kept).to(torch.uint8).gather(2, pixels).view_as(images)


@dataclass(frozen=True)
class Operation:
    """One of a policy's operations: its change, its magnitude from first to last level, whether that may be negated."""

    change: Change
    first: float = 0.0
    last: float = 0.0
    signed: bool = False


Operations = tuple[Operation, ...]


def _space(*, shear: float, shift: tuple[float, float], turn: float, factor: float, bits: float) -> Operations:
    """The fourteen operations with their largest magnitudes (bits: the fewest), in torchvision's order."""
    return (
        Operation(lambda images, _: images),  # the policies count it as one of the fourteen
        Operation(shear_x, last=shear, signed=True),
        Operation(shear_y, last=shear, signed=True),
        Operation(translate_x, last=shift[0], signed=True),
        Operation(translate_y, last=shift[1], signed=True),
        Operation(rotated, last=turn, signed=True),
        Operation(_around_one(adjust_brightness), last=factor, signed=True),
        Operation(_around_one(adjust_saturation), last=factor, signed=True),
        Operation(_around_one(adjust_contrast), last=factor, signed=True),
        Operation(sharpen, last=factor, signed=True),
        Operation(posterize, first=8, last=bits),
        Operation(solarize, first=1),
        Operation(stretch_contrast),
        Operation(equalize),
    )


def trivial_augment(images: Tensor, generator: Generator) -> Tensor:
    """One random operation of random magnitude for each image: TrivialAugment (wide), Mueller and Hutter 2021.

    Args:
        images: uint8 ``[B, C, H, W]``, C 1 or 3.
        generator: draws operations, magnitudes and signs.
    """
    operations = trivial_operations()
    levels = torch.randint(0, LEVELS, (len(images),), generator=generator, device=images.device)
    return operated(images, *draw_operations(levels, generator, operations), operations)


def rand_augment(images: Tensor, generator: Generator, *, operations: int = 2, magnitude: int = 9) -> Tensor:
    """Some random operations of a fixed magnitude for each image: RandAugment, Cubuk et al. 2020.

    Args:
        images: uint8 ``[B, C, H, W]``, C 1 or 3.
        generator: draws operations and signs.
        operations: how many, one after the other; the same one may come twice.
        magnitude: 0 to 30.
    """
    choices = rand_operations(*images.shape[-2:])
    levels = torch.full((len(images),), magnitude, device=images.device)
    for _ in range(operations):
        images = operated(images, *draw_operations(levels, generator, choices), choices)
    return images


def trivial_operations() -> Operations:
    """TrivialAugment's wide space."""
    # Pixels and degrees, whatever the image's size.
    return _space(shear=0.99, shift=(32.0, 32.0), turn=135.0, factor=0.99, bits=2)


def rand_operations(height: int, width: int) -> Operations:
    """RandAugment's space for images of this size."""
    # As torchvision has it: 150 pixels for a side of 331.
    return _space(shear=0.3, shift=(width * 150 / 331, height * 150 / 331), turn=30.0, factor=0.9, bits=4)


def draw_operations(levels: Tensor, generator: Generator, operations: Operations) -> tuple[Tensor, Tensor]:
    """An operation's number (int64 ``[B]``) and a magnitude of the given level for each image (float32 ``[B]``)."""
    kinds = torch.randint(0, len(operations), levels.shape, generator=generator, device=levels.device)
    negative = torch.rand(levels.shape, generator=generator, device=levels.device) < 0.5
    return kinds, magnitudes_of(kinds, levels, negative, operations)


def magnitudes_of(kinds: Tensor, levels: Tensor, negative: Tensor, operations: Operations) -> Tensor:
    """The magnitudes of these levels (0 to 30), with a minus where ``negative`` and the operation is signed."""
    table = torch.tensor([(one.first, one.last, one.signed) for one in operations], device=kinds.device)
    first, last, signed = table[kinds].unbind(1)
    return (first + (last - first) * levels / (LEVELS - 1)) * (1 - 2 * signed * negative)


def operated(images: Tensor, kinds: Tensor, magnitudes: Tensor, operations: Operations) -> Tensor:
    """Each image after the operation of its number, at its magnitude."""
    return by_kind(images, kinds, magnitudes, [operation.change for operation in operations])
