"""From a stored image to what the network sees; the same for training, evaluation and prediction."""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from typing import Any, Self, get_args

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from PIL import Image, ImageOps
from torch import Tensor

from assay.base.registry import choose
from assay.data.choices import Interpolation
from assay.data.images import to_pixels

LARGEST_SIDE = 8192
"""pixels a side; a square of more would take hundreds of megabytes for each image"""
INTERPOLATIONS = {name: Image.Resampling[name.upper()] for name in get_args(Interpolation)}


@dataclass(frozen=True)
class Preprocessing:
    """How an image is decoded and normalised.

    Attributes:
        channels: 1 (grayscale) or 3 (RGB).
        stored: side of the decoded square image, in pixels; images of another size are scaled to it.
        size: side of the square that the network sees; where it is larger than ``stored`` the
            batch is enlarged on the training device.
        mean: of each channel over the training images, pixels in [0, 1].
        std: the standard deviation likewise.
        crop_pct: the network sees the central ``crop_pct`` of the shorter side, in (0, 1]: that side
            is scaled to ``size / crop_pct`` pixels, rounded down, and the central square is cropped.
            (256 and 224, as ImageNet networks are mostly measured, are 0.875.) This is done when the
            image is decoded; where the batch is enlarged on the device, it is done there. None: the
            largest central square is scaled to the size.
        interpolation: ``"bilinear"`` or ``"bicubic"``; both smooth where they shrink.

    Raises:
        ValueError: no such interpolation, or images would be scaled to more than 8192 pixels a side.
    """

    channels: int
    stored: int
    size: int
    mean: tuple[float, ...] = ()
    std: tuple[float, ...] = ()
    crop_pct: float | None = None
    interpolation: str = "bilinear"

    def __post_init__(self) -> None:
        choose("interpolation", self.interpolation, INTERPOLATIONS)
        for side, why in ((self.size, f"size {self.size}"), (self.scaled, f"crop_pct {self.crop_pct}")):
            if side > LARGEST_SIDE:
                raise ValueError(f"data.{why}: images of {side} pixels a side; expected at most {LARGEST_SIDE}")

    @property
    def scaled(self) -> int:
        """The shorter side before the central square is cropped, in pixels."""
        return self.size if self.crop_pct is None else int(self.size / self.crop_pct + 1e-6)  # 224 / (224 / 232) is 232

    @property
    def decoding(self) -> str:
        """A text that differs where the decoded pixels may."""
        return f"{self.channels} {self.stored} {self.interpolation} {self.crop_pct if self.crops else None}"

    @property
    def crops(self) -> bool:
        """Whether an image is scaled and cropped when it is decoded, not on the device."""
        return self.crop_pct is not None and self.stored == self.size

    def square(self, image: Image.Image) -> Image.Image:
        """The square of ``stored`` pixels of an upright image; one of that size already is not touched."""
        how, side = INTERPOLATIONS[self.interpolation], (self.stored, self.stored)
        if self.crops:
            return _scale_and_crop(image, self.scaled, self.size, how)
        return image if image.size == side else ImageOps.fit(image, side, how)

    def decode(self, image: Image.Image, name: str) -> NDArray[np.uint8]:
        """One image as uint8 ``[channels, stored, stored]``; raises ``BadImageError``."""
        return to_pixels(image, name, channels=self.channels, reshape=self.square)

    def to_dict(self) -> dict[str, Any]:
        """Plain values."""
        return asdict(self)

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> Self:
        """The inverse of :meth:`to_dict`; fields that have a default may be missing."""
        return cls(**{**values, "mean": tuple(values["mean"]), "std": tuple(values["std"])})


@dataclass(frozen=True)
class Wanted:
    """The preprocessing that a recipe or pretrained weights ask for; None leaves a field to the images.

    Attributes:
        size: side of the square that the network sees, in pixels.
        crop_pct: as in ``Preprocessing``.
        interpolation: likewise; None is bilinear.
        mean: of each channel, used in place of a measured one; together with ``std``.
        std: the standard deviation likewise.
        channels: 1 or 3, to which the images are converted.
    """

    size: int | None = None
    crop_pct: float | None = None
    interpolation: str | None = None
    mean: tuple[float, ...] | None = None
    std: tuple[float, ...] | None = None
    channels: int | None = None

    def but(self, **given: Any) -> Wanted:
        """The same with the given fields in place of its own, where they are not None."""
        return replace(self, **{name: value for name, value in given.items() if value is not None})


class Normalize:
    """Turns batches of pixels into the network's input, on the device where they are.

    Called with uint8 ``[B, C, side, side]``, returns float32 ``[B, C, size, size]`` equal to
    ``(pixels / 255 - mean) / std``. Images of another side than ``size`` are enlarged (pixel
    centres aligned as in torchvision and Pillow), and cropped where ``crop_pct`` says so; not with
    ``enlarge`` False, for images that are decoded to the side that is wanted of them.
    """

    def __init__(
        self, how: Preprocessing, device: torch.device, layout: torch.memory_format, *, enlarge: bool = True
    ) -> None:
        mean, std = (torch.tensor(values, dtype=torch.float64).view(1, -1, 1, 1) for values in (how.mean, how.std))
        self._scale = (1 / (255 * std)).float().to(device)
        self._shift = (-mean / std).float().to(device)
        self._how = how
        self._layout = layout
        self._enlarges = enlarge

    def __call__(self, pixels: Tensor) -> Tensor:
        """Normalise, then enlarge where the network wants larger images."""
        # One multiplication and one addition, in place of three operations.
        images = (pixels * self._scale).add_(self._shift)
        if self._enlarges and images.shape[-1] != self._how.size:
            images = crop_centre(self._enlarge(images), self._how.size)
        return images.contiguous(memory_format=self._layout)

    def _enlarge(self, images: Tensor) -> Tensor:
        side = self._how.scaled
        if self._how.interpolation == "bilinear":
            return F.interpolate(images, size=(side, side), mode="bilinear", align_corners=False)
        # Bicubic weights overshoot at edges. Pillow enlarges in one direction after the other, and clips after each.
        for size in ((images.shape[-2], side), (side, side)):
            images = F.interpolate(images, size=size, mode="bicubic", align_corners=False, antialias=True)
            images = images.clamp(self._shift, 255 * self._scale + self._shift)
        return images


def crop_centre(images: Tensor, side: int) -> Tensor:
    """The central ``[..., side, side]`` of square images, placed as torchvision's ``CenterCrop`` does."""
    start = round((images.shape[-1] - side) / 2)  # half to even, as torchvision rounds
    return images[..., start : start + side, start : start + side]


def _scale_and_crop(image: Image.Image, scaled: int, side: int, how: Image.Resampling) -> Image.Image:
    """Scale the shorter side to ``scaled`` and crop the central square, with torchvision's roundings."""
    shorter = min(image.size)
    width, height = (int(scaled * length / shorter) for length in image.size)
    if image.size != (width, height):
        image = image.resize((width, height), how)
    left, top = round((width - side) / 2), round((height - side) / 2)
    return image.crop((left, top, left + side, top + side))
