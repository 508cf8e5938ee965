"""How strong each augmentation is: the fields that a recipe sets, and which of them contradict each other."""

from __future__ import annotations

from dataclasses import dataclass

NEED_COLOUR = ("saturation", "hue", "pca_noise", "grayscale")


@dataclass(frozen=True)
class Strengths:
    """The augmentations' strengths; 0, False and None mean off (or the method's own default).

    Attributes:
        resized_crop: smallest share of the area of a part that is enlarged to the image's size.
        crop: zero padding in pixels, before a crop back at a random place.
        translate: largest shift in pixels.
        flip: probability of a horizontal flip.
        alternate_flip: whether half of the images are flipped in the first epoch and then each in every other one.
        rotation: largest angle in degrees.
        policy: ``trivial`` (TrivialAugment) or ``rand`` (RandAugment).
        rand_ops: RandAugment's operations per image.
        rand_magnitude: RandAugment's magnitude, 0 to 30.
        brightness: factor from 1 - x to 1 + x.
        contrast: likewise.
        saturation: likewise.
        hue: shift from -x to x of a turn, at most 0.5.
        pca_noise: standard deviation of the noise's weights.
        grayscale: probability.
        erase: probability that a random box is filled with black.
        cutout: side in pixels of a square that is filled with black.

    Raises:
        ValueError: two fields contradict each other.
    """

    resized_crop: float = 0.0
    crop: int = 0
    translate: int = 0
    flip: float = 0.0
    alternate_flip: bool = False
    rotation: float = 0.0
    policy: str | None = None
    rand_ops: int | None = None
    rand_magnitude: int | None = None
    brightness: float = 0.0
    contrast: float = 0.0
    saturation: float = 0.0
    hue: float = 0.0
    pca_noise: float = 0.0
    grayscale: float = 0.0
    erase: float = 0.0
    cutout: int = 0

    def __post_init__(self) -> None:
        if self.flip and self.alternate_flip:
            raise ValueError("augment.flip and augment.alternate_flip exclude each other: set one of them")
        for name in ("rand_ops", "rand_magnitude"):
            if self.policy != "rand" and getattr(self, name) is not None:
                raise ValueError(f"augment.{name} needs augment.policy rand")

    def check_channels(self, channels: int) -> None:
        """Refuse what works on colours where there are none; raises ``ValueError``."""
        for name in NEED_COLOUR:
            if channels != 3 and getattr(self, name):
                raise ValueError(f"augment.{name} needs colour images, these have {channels} channel")

    @property
    def jitter(self) -> dict[str, float]:
        """The widths of the four colour jitters by name; empty where all are off."""
        widths = {name: getattr(self, name) for name in ("brightness", "contrast", "saturation", "hue")}
        return widths if any(widths.values()) else {}

    def rand_options(self, operations: str, magnitude: str) -> dict[str, int]:
        """What is given for RandAugment, under these names."""
        given = {operations: self.rand_ops, magnitude: self.rand_magnitude}
        return {name: value for name, value in given.items() if value is not None}
