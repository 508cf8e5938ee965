"""From a stored image to what the network sees; the same for training, evaluation and prediction."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, Self

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from assay.data.images import to_pixels


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
    """

    channels: int
    stored: int
    size: int
    mean: tuple[float, ...] = ()
    std: tuple[float, ...] = ()

    def decode(self, image: Image.Image, name: str) -> NDArray[np.uint8]:
        """One image as uint8 ``[channels, stored, stored]``; raises ``BadImageError``."""
        return to_pixels(image, name, channels=self.channels, side=self.stored)

    def to_dict(self) -> dict[str, Any]:
        """Plain values."""
        return asdict(self)

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> Self:
        """The inverse of :meth:`to_dict`."""
        return cls(**{**values, "mean": tuple(values["mean"]), "std": tuple(values["std"])})


class Normalize:
    """Turns batches of pixels into the network's input, on the device where they are.

    Called with uint8 ``[B, C, stored, stored]``, returns float32 ``[B, C, size, size]`` equal to
    ``(pixels / 255 - mean) / std``, enlarged bilinearly (pixel centres aligned as in torchvision).
    """

    def __init__(self, how: Preprocessing, device: torch.device, layout: torch.memory_format) -> None:
        mean, std = (torch.tensor(values, dtype=torch.float64).view(1, -1, 1, 1) for values in (how.mean, how.std))
        self._scale = (1 / (255 * std)).float().to(device)
        self._shift = (-mean / std).float().to(device)
        self._size = how.size
        self._layout = layout

    def __call__(self, pixels: Tensor) -> Tensor:
        """Normalise, then enlarge where the network wants larger images."""
        images = (pixels * self._scale).add_(self._shift)
        if images.shape[-1] != self._size:
            images = F.interpolate(images, size=(self._size, self._size), mode="bilinear", align_corners=False)
        return images.contiguous(memory_format=self._layout)
