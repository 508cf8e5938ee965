"""Random changes to the training images, drawn anew for each image of each batch."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from assay.recipe.sections.base import Fraction, Probability, Section

Pixels = Annotated[int, Field(ge=0, le=512)]
Width = Annotated[float, Field(ge=0, le=10)]
Alpha = Annotated[float, Field(ge=0, le=100)]


class AugmentSection(Section):
    """Random changes to the training images, in this order; 0 leaves one out."""

    where: Literal["train", "test", "both"] = "train"
    """the split whose images are changed: train, test or both"""
    resized_crop: Fraction = 0.0
    """crop a part of at least this share of the area, aspect 3/4 to 4/3, and enlarge it to the image's size"""
    crop: Pixels = 0
    """pad by this many zero pixels on each side, then crop back at a random place"""
    translate: Pixels = 0
    """shift by up to this many pixels up, down, left, right; the gap is filled with zero"""
    flip: Probability = 0.0
    """probability of a horizontal flip"""
    alternate_flip: bool = False
    """flip half of the images in the first epoch, and from then on each image in every other epoch (True)"""
    rotation: Annotated[float, Field(ge=0, le=180)] = 0.0
    """turn by up to this many degrees either way; the gap is filled with zero"""
    policy: Literal["trivial", "rand"] | None = None
    """random operations: trivial (TrivialAugment, wide) or rand (RandAugment)"""
    rand_ops: Annotated[int, Field(ge=1, le=14)] | None = None
    """RandAugment: operations per image (default 2)"""
    rand_magnitude: Annotated[int, Field(ge=0, le=30)] | None = None
    """RandAugment: magnitude of the operations, in 30ths of the largest (default 9)"""
    brightness: Width = 0.0
    """colour jitter: brightness times a factor of 1 - x to 1 + x"""
    contrast: Width = 0.0
    """colour jitter: contrast times a factor of 1 - x to 1 + x"""
    saturation: Width = 0.0
    """colour jitter: saturation times a factor of 1 - x to 1 + x"""
    hue: Annotated[float, Field(ge=0, le=0.5)] = 0.0
    """colour jitter: turn the hue by up to this share of the colour circle either way"""
    pca_noise: Annotated[float, Field(ge=0, le=10)] = 0.0
    """standard deviation of the weights of AlexNet's colour noise (0.1 there)"""
    grayscale: Probability = 0.0
    """probability that the colour is taken away"""
    erase: Probability = 0.0
    """probability that a box of 2 % to 33 % of the area is filled with black"""
    cutout: Pixels = 0
    """side in pixels of a square that is filled with black, around a random pixel"""
    mixup: Alpha = 0.0
    """blend each image and label with another's, by a share from Beta(x, x)"""
    cutmix: Alpha = 0.0
    """paste a box of another image into each, of a share from Beta(x, x); with mixup: one of them per batch"""
