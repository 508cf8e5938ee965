"""Pictures and generators for the tests of the augmentations."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Generator, Tensor


@pytest.fixture
def seeded() -> Callable[..., Generator]:
    """A generator with the given seed."""

    def make(seed: int = 0) -> Generator:
        return Generator().manual_seed(seed)

    return make


@pytest.fixture
def pictures() -> Callable[..., Tensor]:
    """Smooth and noisy uint8 pictures, with black, white, grey and pure colours in the first rows of some."""

    def make(count: int, channels: int = 3, height: int = 16, width: int = 16) -> Tensor:
        generator = Generator().manual_seed(9)
        noise = torch.rand(count, channels, height, width, generator=generator)
        smooth = torch.linspace(0, 1, width).expand(count, channels, height, width)
        smooth = smooth * torch.rand(count, channels, 1, 1, generator=generator)
        images = ((noise + smooth) * 127.5).to(torch.uint8)
        images[1::4] = smooth[1::4].mul(255).to(torch.uint8)
        images[2::4, :, 0] = images[2::4, :1, 0]  # grey
        images[3::4, :, 1, ::2] = 255
        images[3::4, 0, 1, 1::2] = 0
        return images

    return make
