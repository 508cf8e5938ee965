"""Random changes to a whole batch at once, with a draw of its own for every image.

A function takes uint8 pixels ``[B, C, H, W]``, a generator on their device and its strength by
keyword, and returns new pixels of the same shape and type. Its distribution is that of
torchvision's transform of that kind where there is one. What draws the parameters and what applies
them are functions of their own.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from torch import Tensor

from assay.base.registry import choose
from assay.data.augment.colour import add_pca_noise, grey_at_random, jitter_colours
from assay.data.augment.draw import Augmentation, Draw
from assay.data.augment.erase import cut_out, erase_at_random
from assay.data.augment.geometry import (
    crop_padded,
    flip_alternately,
    flip_horizontally,
    pad_and_crop,
    resized_crop_at_random,
    rotate_at_random,
    shift_at_random,
)
from assay.data.augment.mix import Mix, build_mixes, one_hot
from assay.data.augment.policies import rand_augment, trivial_augment
from assay.data.augment.strengths import Strengths

__all__ = [
    "Augmentation",
    "Draw",
    "Mix",
    "Strengths",
    "build_augmentations",
    "build_mixes",
    "crop_padded",
    "flip_horizontally",
    "one_hot",
    "pad_and_crop",
    "shift_at_random",
]


def build_augmentations(**fields: Any) -> list[Augmentation]:
    """The augmentations that are on, in the order in which they are applied.

    Args:
        **fields: as in ``Strengths``.

    Raises:
        ValueError: two fields contradict each other, or there is no such policy.
    """
    its = Strengths(**fields)
    table: list[tuple[object, Augmentation]] = [
        (its.resized_crop, _drawn(resized_crop_at_random, smallest=its.resized_crop)),
        (its.crop, _drawn(pad_and_crop, padding=its.crop)),
        (its.translate, _drawn(shift_at_random, pixels=its.translate)),
        (its.flip, _drawn(flip_horizontally, probability=its.flip)),
        (its.alternate_flip, flip_alternately),
        (its.rotation, _drawn(rotate_at_random, degrees=its.rotation)),
        (its.policy, _policy(its)),
        (its.jitter, _drawn(jitter_colours, **its.jitter)),
        (its.pca_noise, _drawn(add_pca_noise, std=its.pca_noise)),
        (its.grayscale, _drawn(grey_at_random, probability=its.grayscale)),
        (its.erase, _drawn(erase_at_random, probability=its.erase)),
        (its.cutout, _drawn(cut_out, side=its.cutout)),
    ]
    return [augmentation for strength, augmentation in table if strength]


def _policy(its: Strengths) -> Augmentation:
    policies = {
        "trivial": _drawn(trivial_augment),
        "rand": _drawn(rand_augment, **its.rand_options("operations", "magnitude")),
    }
    return choose("augment.policy", its.policy or "trivial", policies)


def _drawn(change: Callable[..., Tensor], **options: Any) -> Augmentation:
    """A change that needs no more of the draw than its generator."""
    return partial(_change_by_generator, change=partial(change, **options))


def _change_by_generator(images: Tensor, draw: Draw, *, change: Callable[..., Tensor]) -> Tensor:
    return change(images, draw.generator)
