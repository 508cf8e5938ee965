"""How strong each augmentation is: fields with their ranges. A recipe has them too, so torch is not imported here."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from assay.base.strict_model import Fraction, Probability, StrictModel

Pixels = Annotated[int, Field(ge=0, le=512)]
Width = Annotated[float, Field(ge=0, le=10)]
Alpha = Annotated[float, Field(ge=0, le=100)]


class Strengths(StrictModel):
    """How strong each augmentation is, in the order in which they are applied; 0, False and None leave one out.

    Raises:
        ValueError: a strength is out of its range.
    """

    resized_crop: Fraction = 0.0
    """crop a part of at least this share of the area, aspect 3/4 to 4/3, and enlarge it to the image's size"""
    crop: Pixels = 0
    """pad by this many pixels on each side, then crop back at a random place"""
    translate: Pixels = 0
    """shift by up to this many pixels up, down, left, right; augment.gap says what fills the gap"""
    gap: Literal["zero", "reflect"] = "zero"
    """crop and translate: what fills the gap, zeros or the reflection of what is beside it"""
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

    def check(self) -> None:
        """Raise ``ValueError`` if two strengths contradict each other."""
        if self.flip and self.alternate_flip:
            raise ValueError("augment.flip and augment.alternate_flip exclude each other: set one of them")
        if self.gap != "zero" and not (self.crop or self.translate):
            raise ValueError(f"augment.gap {self.gap} needs augment.crop or augment.translate")
        for name in ("rand_ops", "rand_magnitude"):
            if self.policy != "rand" and getattr(self, name) is not None:
                raise ValueError(f"augment.{name} needs augment.policy rand")

    def check_channels(self, channels: int) -> None:
        """Raise ``ValueError`` if an augmentation works on colours and the images have none."""
        names = ("saturation", "hue", "pca_noise", "grayscale")
        need_colour(channels, **{name: getattr(self, name) for name in names})

    @property
    def jitter(self) -> dict[str, float]:
        """The widths of the four colour jitters by name; empty if all are off."""
        widths = {name: getattr(self, name) for name in ("brightness", "contrast", "saturation", "hue")}
        return widths if any(widths.values()) else {}

    def rand_options(self, operations: str, magnitude: str) -> dict[str, int]:
        """The options that are given for RandAugment, under these names."""
        given = {operations: self.rand_ops, magnitude: self.rand_magnitude}
        return {name: value for name, value in given.items() if value is not None}


def need_colour(channels: int, **strengths: float) -> None:
    """Raise ``ValueError`` that names the first strength above zero, unless the images have three channels."""
    for name, strength in strengths.items():
        if strength and channels != 3:
            raise ValueError(f"augment.{name} needs colour images, these have {channels} channel")
