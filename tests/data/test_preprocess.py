"""From decoded pixels to the network's input, against torchvision."""

from __future__ import annotations

import json
from collections.abc import Callable

import numpy as np
import pytest
import torch
import torchvision.transforms.functional as TF
from PIL import Image, ImageOps
from torch import Tensor
from torch.testing import assert_close
from torchvision.transforms import InterpolationMode, v2

from assay.data.preprocess import Normalize, Preprocessing, Wanted

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


def test_plain_squares_are_pillows_fit(picture: Callable[..., np.ndarray]) -> None:
    """The default's pixels, made with Pillow alone: the largest central square, bilinear."""
    for seed, (height, width) in enumerate([(11, 23), (40, 17), (5, 5), (31, 32)]):
        image = Image.fromarray(picture(seed, height, width))
        expected = np.asarray(ImageOps.fit(image, (12, 12), Image.Resampling.BILINEAR)).transpose(2, 0, 1)
        assert np.array_equal(Preprocessing(3, 12, 12).decode(image, "x"), expected)


CROPS = {0.875: (28, 32), 224 / 232: (224, 232), 0.95: (224, 235), 0.9: (16, 17), 28 / 50: (28, 50), 1.0: (16, 16)}


@pytest.mark.parametrize("interpolation", ["bilinear", "bicubic"])
@pytest.mark.parametrize("crop_pct", CROPS)
@pytest.mark.parametrize("shape", [(40, 57), (57, 40), (20, 20), (28, 28), (32, 32), (33, 16), (91, 256)])
def test_crop_equals_torchvisions(
    crop_pct: float, interpolation: str, shape: tuple[int, int], picture: Callable[..., np.ndarray]
) -> None:
    size, scaled = CROPS[crop_pct]
    torchvisions = v2.Compose([v2.Resize(scaled, InterpolationMode(interpolation)), v2.CenterCrop(size)])
    how = Preprocessing(3, size, size, crop_pct=crop_pct, interpolation=interpolation)
    image = Image.fromarray(picture(0, *shape))
    assert how.scaled == scaled
    assert np.array_equal(how.decode(image, "x"), np.asarray(torchvisions(image)).transpose(2, 0, 1))


def test_bicubic_fit_is_pillows(picture: Callable[..., np.ndarray]) -> None:
    image = Image.fromarray(picture(0, 30, 30))
    expected = np.asarray(image.resize((12, 12), Image.Resampling.BICUBIC)).transpose(2, 0, 1)
    assert np.array_equal(Preprocessing(3, 12, 12, interpolation="bicubic").decode(image, "x"), expected)


@pytest.mark.parametrize("interpolation", ["bilinear", "bicubic"])
@pytest.mark.parametrize(("crop_pct", "scaled"), [(None, 28), (0.875, 32)])
def test_enlarging_on_the_device_equals_enlarging_the_images(
    interpolation: str, crop_pct: float | None, scaled: int
) -> None:
    """Pillow rounds to whole levels after each of two directions, and the kernel's weights add up to 1.3 at most."""
    how = Preprocessing(3, 8, 28, (0.0,) * 3, (1 / 255,) * 3, crop_pct, interpolation)
    pixels = (batch() > 127).byte() * 255  # sharp edges, at which the bicubic kernel overshoots
    images = Normalize(how, CPU, torch.channels_last)(pixels)
    torchvisions = v2.Compose(
        [v2.Resize(scaled, InterpolationMode(interpolation)), v2.CenterCrop(28), v2.PILToTensor()]
    )
    expected = torch.stack([torchvisions(Image.fromarray(one.permute(1, 2, 0).numpy())) for one in pixels])
    assert images.shape == (4, 3, 28, 28)
    assert_close(images, expected.float(), atol=0.5 + 0.5 * 1.3, rtol=0)
    assert images.min() >= -1e-3
    assert images.max() <= 255.001


def test_an_image_is_cropped_once(picture: Callable[..., np.ndarray]) -> None:
    """Where the device enlarges, decoding keeps the whole square."""
    pixels = picture(0)
    how = Preprocessing(3, 8, 16, MEAN, STD, crop_pct=0.5)
    assert np.array_equal(how.decode(Image.fromarray(pixels), "x"), pixels.transpose(2, 0, 1))
    ready = torch.zeros(1, 3, 16, 16, dtype=torch.uint8)
    assert Normalize(how, CPU, torch.contiguous_format)(ready).std(dim=(2, 3)).max() == 0


def test_dictionary_without_the_newer_fields() -> None:
    older = {"channels": 3, "stored": 8, "size": 16, "mean": list(MEAN), "std": list(STD)}
    assert Preprocessing.from_dict(older) == Preprocessing(3, 8, 16, MEAN, STD)
    newer = Preprocessing(3, 16, 16, MEAN, STD, 0.9, "bicubic")
    assert Preprocessing.from_dict(json.loads(json.dumps(newer.to_dict()))) == newer


def test_unknown_interpolation_is_refused() -> None:
    with pytest.raises(ValueError, match=r"^unknown interpolation 'bicubical': did you mean bicubic\?$"):
        Preprocessing(3, 8, 8, interpolation="bicubical")


def test_what_is_given_wins_over_what_weights_want() -> None:
    weights = Wanted(224, 0.875, "bicubic", MEAN, STD, 3)
    assert weights.but(size=None, crop_pct=None, interpolation=None) == weights
    assert weights.but(size=64, crop_pct=1.0) == Wanted(64, 1.0, "bicubic", MEAN, STD, 3)
