"""The augmentations of single images, for sets that are decoded image by image in worker processes.

Assembled from ``torchvision.transforms.v2``; all draws come from torch's global generator, which a
worker seeds before each batch.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import torch
from PIL import Image
from torch import Generator, Tensor
from torchvision.transforms import v2

from assay.data.augment.colour import add_pca_noise
from assay.data.augment.erase import cut_out
from assay.data.augment.strengths import Strengths
from assay.data.preprocess import Preprocessing

Reshape = Callable[[Image.Image], Image.Image]
Transform = Callable[[Image.Image], Tensor]


def build_transform(
    size: int, strengths: Strengths, *, square: Reshape | None = None, interpolation: str = "bilinear"
) -> Transform:
    """From a decoded image to augmented pixels; it can be sent to worker processes.

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
    strengths.check()
    if strengths.alternate_flip:
        raise ValueError(
            "augment.alternate_flip needs a set that is held in memory: "
            "a worker that decodes knows neither the epoch nor the image's number; use augment.flip 0.5"
        )
    square = square or Preprocessing(channels=3, stored=size, size=size).square
    how = v2.InterpolationMode(interpolation)
    smallest = strengths.resized_crop
    begin = v2.RandomResizedCrop(size, (smallest, 1.0), interpolation=how) if smallest else square
    transform: Transform = v2.Compose([begin, v2.PILToTensor(), *_changes(size, strengths)])
    return transform


def _changes(size: int, its: Strengths) -> list[Callable[[Tensor], Tensor]]:
    policies: dict[str, Callable[[], Callable[[Tensor], Tensor]]] = {
        "trivial": v2.TrivialAugmentWide,
        "rand": lambda: v2.RandAugment(**its.rand_options("num_ops", "magnitude")),
    }
    table: list[tuple[object, Callable[[], Callable[[Tensor], Tensor]]]] = [
        (its.crop, lambda: v2.RandomCrop(size, padding=its.crop)),
        (its.translate, lambda: v2.RandomCrop(size, padding=its.translate)),  # to crop off centre is to shift
        (its.flip, lambda: v2.RandomHorizontalFlip(its.flip)),
        (its.rotation, lambda: v2.RandomRotation(its.rotation)),
        (its.policy, policies[its.policy or "trivial"]),
        (its.jitter, lambda: v2.ColorJitter(**its.jitter)),
        (its.pca_noise, lambda: OneByOne(partial(add_pca_noise, std=its.pca_noise))),
        (its.grayscale, lambda: v2.RandomGrayscale(its.grayscale)),
        (its.erase, lambda: v2.RandomErasing(its.erase)),
        (its.cutout, lambda: OneByOne(partial(cut_out, side=its.cutout))),
    ]
    return [make() for strength, make in table if strength]


@dataclass(frozen=True)
class OneByOne:
    """A change of whole batches, for one image, from torch's global generator."""

    change: Callable[[Tensor, Generator], Tensor]

    def __call__(self, image: Tensor) -> Tensor:
        """The changed uint8 ``[C, H, W]``."""
        return self.change(image[None], torch.default_generator)[0]
