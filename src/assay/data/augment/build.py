"""From strengths to the augmentations of whole batches."""

from __future__ import annotations

from collections.abc import Callable

from torch import Tensor

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
        (its.crop, _drawn(pad_and_crop, padding=its.crop)),
        (its.translate, _drawn(pad_and_crop, padding=its.translate)),  # to crop off centre is to shift
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
