"""From strengths to augmentations: of whole batches in memory, and of single images in worker processes."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import torch
from PIL import Image
from torch import Generator, Tensor

from assay.data.augment.colour import add_pca_noise, grey_at_random, jitter_colours
from assay.data.augment.draw import Augmentation
from assay.data.augment.erase import cut_out, erase_at_random
from assay.data.augment.geometry import (
    flip_alternately,
    flip_horizontally,
    pad_and_crop,
    resized_crop_at_random,
    rotate_at_random,
)
from assay.data.augment.policies import rand_augment, trivial_augment
from assay.data.augment.strengths import Strengths
from assay.data.decode import Transform
from assay.data.preprocess import Preprocessing

Reshape = Callable[[Image.Image], Image.Image]
_MODES = {"zero": "constant", "reflect": "reflect"}
"""torchvision's words for ``augment.gap``"""


def build_augmentations(strengths: Strengths) -> list[Augmentation]:
    """The augmentations that are on, in the order in which they are applied; raises as ``Strengths.check`` does."""
    strengths.check()
    its = strengths
    policies = {
        "trivial": _drawn(trivial_augment),
        "rand": _drawn(rand_augment, **its.rand_options("operations", "magnitude")),
    }
    table: list[tuple[object, Augmentation]] = [
        (its.resized_crop, _drawn(resized_crop_at_random, smallest=its.resized_crop)),
        (its.crop, _drawn(pad_and_crop, padding=its.crop, gap=its.gap)),
        (its.translate, _drawn(pad_and_crop, padding=its.translate, gap=its.gap)),  # to crop off centre is to shift
        (its.flip, _drawn(flip_horizontally, probability=its.flip)),
        (its.alternate_flip, flip_alternately),
        (its.rotation, _drawn(rotate_at_random, degrees=its.rotation)),
        (its.policy, policies[its.policy or "trivial"]),
        (its.jitter, _drawn(jitter_colours, **its.jitter)),
        (its.pca_noise, _drawn(add_pca_noise, std=its.pca_noise)),
        (its.grayscale, _drawn(grey_at_random, probability=its.grayscale)),
        (its.erase, _drawn(erase_at_random, probability=its.erase)),
        (its.cutout, _drawn(cut_out, side=its.cutout)),
    ]
    return [augmentation for strength, augmentation in table if strength]


def _drawn(change: Callable[..., Tensor], **options: object) -> Augmentation:
    """A change that needs no more of the draw than its generator."""
    return lambda images, draw: change(images, draw.generator, **options)


def build_transform(
    size: int, strengths: Strengths, *, square: Reshape | None = None, interpolation: str = "bilinear"
) -> Transform:
    """From a decoded image to augmented pixels, for sets that are decoded image by image in worker processes.

    Assembled from ``torchvision.transforms.v2``; it can be pickled, and all draws come from torch's
    global generator, which a worker seeds before each image.

    A resized crop takes its part of the image as stored in the file, so that it is sharper than one
    of the small square; all else works on the square.

    Args:
        size: side of the square in pixels.
        strengths: of the augmentations, with the same meaning and order as in ``build_augmentations``.
        square: makes the square of a whole image if there is no resized crop; the default is
            ``Preprocessing.square`` without a crop.
        interpolation: ``bilinear`` or ``bicubic``, the way a resized crop is scaled.

    Returns:
        a function of an upright RGB or grayscale image to uint8 ``[C, size, size]``.

    Raises:
        ValueError: a strength does not go with this kind of set, or two contradict each other.
    """
    from torchvision.transforms import v2  # takes as long to import as torch, and only sets that stream need it

    strengths.check()
    if strengths.alternate_flip:
        raise ValueError(
            "augment.alternate_flip needs a set that is held in memory: "
            "a worker that decodes knows neither the epoch nor the image's number; use augment.flip 0.5"
        )
    if strengths.gap == "reflect" and max(strengths.crop, strengths.translate) >= size:
        raise ValueError(f"augment.gap reflect: crop and translate must be below the image's side, {size}")
    square = square or Preprocessing(channels=3, stored=size, size=size).square
    how = v2.InterpolationMode(interpolation)  # its values are our words
    smallest = strengths.resized_crop
    begin = v2.RandomResizedCrop(size, (smallest, 1.0), interpolation=how) if smallest else square
    transform: Transform = v2.Compose([begin, v2.PILToTensor(), *_image_changes(size, strengths)])
    return transform


def _image_changes(size: int, its: Strengths) -> list[Callable[[Tensor], Tensor]]:
    from torchvision.transforms import v2

    policies: dict[str, Callable[[], Callable[[Tensor], Tensor]]] = {
        "trivial": v2.TrivialAugmentWide,
        "rand": lambda: v2.RandAugment(**its.rand_options("num_ops", "magnitude")),
    }
    table: list[tuple[object, Callable[[], Callable[[Tensor], Tensor]]]] = [
        (its.crop, lambda: v2.RandomCrop(size, padding=its.crop, padding_mode=_MODES[its.gap])),
        # To crop off centre is to shift.
        (its.translate, lambda: v2.RandomCrop(size, padding=its.translate, padding_mode=_MODES[its.gap])),
        (its.flip, lambda: v2.RandomHorizontalFlip(its.flip)),
        (its.rotation, lambda: v2.RandomRotation(its.rotation)),
        (its.policy, policies[its.policy or "trivial"]),
        # Less than half of the time of v2.ColorJitter, whose hue goes through float32 images in [0, 1].
        (its.jitter, lambda: _for_one(jitter_colours, **its.jitter)),
        (its.pca_noise, lambda: _for_one(add_pca_noise, std=its.pca_noise)),
        (its.grayscale, lambda: v2.RandomGrayscale(its.grayscale)),
        (its.erase, lambda: v2.RandomErasing(its.erase)),  # before any normalisation: its 0 is black here
        (its.cutout, lambda: _for_one(cut_out, side=its.cutout)),
    ]
    return [make() for strength, make in table if strength]


def _for_one(change: Callable[..., Tensor], **options: object) -> Callable[[Tensor], Tensor]:
    """A change of whole batches, for one image ``[C, H, W]``, from torch's global generator."""
    return partial(_change_one, change=partial(change, **options))


def _change_one(image: Tensor, *, change: Callable[[Tensor, Generator], Tensor]) -> Tensor:  # a lambda is not pickled
    return change(image[None], torch.default_generator)[0]
