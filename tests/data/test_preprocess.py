"""From decoded pixels to the network's input, against torchvision."""

from __future__ import annotations

import json
from collections.abc import Callable

import numpy as np
import pytest
import torch
import torchvision.transforms.functional as TF
from PIL import Image
from torch import Tensor
from torch.testing import assert_close
from torchvision.transforms import InterpolationMode

from assay.data.preprocess import Normalize, Preprocessing

CPU = torch.device("cpu")
MEAN, STD = (0.49, 0.48, 0.45), (0.25, 0.02, 0.26)


def batch(channels: int = 3, side: int = 8) -> Tensor:
    return torch.randint(0, 256, (4, channels, side, side), generator=torch.Generator().manual_seed(0)).byte()


def torchvisions(pixels: Tensor, mean: tuple[float, ...], std: tuple[float, ...], size: int) -> Tensor:
    images = TF.normalize(TF.convert_image_dtype(pixels, torch.float32), list(mean), list(std))
    return TF.resize(images, [size, size], InterpolationMode.BILINEAR, antialias=False)


@pytest.mark.parametrize("size", [8, 12, 16, 31])
@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last])
def test_equals_torchvision(size: int, layout: torch.memory_format) -> None:
    images = Normalize(Preprocessing(3, 8, size, MEAN, STD), CPU, layout)(batch())
    assert_close(images, torchvisions(batch(), MEAN, STD, size), atol=1e-5, rtol=1e-5)
    assert images.dtype == torch.float32
    assert images.is_contiguous(memory_format=layout)


def test_one_channel() -> None:
    images = Normalize(Preprocessing(1, 8, 16, (0.3,), (0.4,)), CPU, torch.contiguous_format)(batch(1))
    assert_close(images, torchvisions(batch(1), (0.3,), (0.4,), 16), atol=1e-5, rtol=1e-5)


def test_pixels_are_not_changed() -> None:
    pixels = batch()
    Normalize(Preprocessing(3, 8, 8, MEAN, STD), CPU, torch.contiguous_format)(pixels)
    assert torch.equal(pixels, batch())


def test_dictionary_and_back_through_json() -> None:
    how = Preprocessing(3, 8, 16, MEAN, STD)
    assert Preprocessing.from_dict(json.loads(json.dumps(how.to_dict()))) == how


def test_image_of_the_stored_size_is_not_resampled(picture: Callable[..., np.ndarray]) -> None:
    pixels = picture(0)
    assert np.array_equal(Preprocessing(3, 8, 16).decode(Image.fromarray(pixels), "x"), pixels.transpose(2, 0, 1))


def test_oblong_image_loses_its_ends(picture: Callable[..., np.ndarray]) -> None:
    wide, how = picture(0, 8, 14), Preprocessing(3, 8, 8)
    assert np.array_equal(how.decode(Image.fromarray(wide), "x"), wide[:, 3:11].transpose(2, 0, 1))
    tall = wide.transpose(1, 0, 2).copy()
    assert np.array_equal(how.decode(Image.fromarray(tall), "x"), tall[3:11].transpose(2, 0, 1))


def test_shrinking_smooths() -> None:
    """Half of the pixels of a checkerboard are white: nearest neighbours would leave black or white."""
    board = (np.indices((32, 32)).sum(0) % 2 * 255).astype(np.uint8)
    small = Preprocessing(1, 8, 8).decode(Image.fromarray(board), "x")
    assert np.abs(small[0, 1:-1, 1:-1].astype(int) - 127.5).max() < 2


@pytest.mark.parametrize("channels", [1, 3])
def test_any_size_and_mode_gives_the_stored_shape(channels: int, picture: Callable[..., np.ndarray]) -> None:
    how = Preprocessing(channels, 6, 6)
    for image in (picture(0, 3, 11), picture(1, 20, 7, 1), picture(2, 6, 6, 1)):
        decoded = how.decode(Image.fromarray(image), "x")
        assert (decoded.shape, decoded.dtype) == ((channels, 6, 6), np.uint8)
