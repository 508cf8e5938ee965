"""Pictures within the page."""

from __future__ import annotations

import base64
import io

import numpy as np
import pytest
from PIL import Image

from assay.models.kernels import Kernels
from assay.pages.report.pictures import kernel_mosaic, thumbnail


def opened(address: str) -> tuple[str, Image.Image]:
    kind, _, content = address.partition(";base64,")
    return kind, Image.open(io.BytesIO(base64.b64decode(content)))


@pytest.mark.parametrize("channels", [1, 3])
def test_a_small_picture_keeps_every_pixel(channels: int) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (8, 12, channels), dtype=np.uint8)
    kind, image = opened(thumbnail(pixels))
    assert kind == "data:image/png"
    np.testing.assert_array_equal(np.asarray(image).reshape(8, 12, channels), pixels)


def test_a_large_picture_is_made_small() -> None:
    kind, image = opened(thumbnail(np.full((224, 448, 3), (200, 30, 30), np.uint8)))
    assert kind == "data:image/webp"
    assert image.size == (112, 56)
    np.testing.assert_allclose(np.asarray(image.convert("RGB")).mean(axis=(0, 1)), (200, 30, 30), atol=6)


def test_kernels_stand_side_by_side_with_a_gap() -> None:
    weights = np.zeros((2, 3, 2, 2), np.float32)
    weights[0, 0], weights[1, 2] = 1.0, -0.5  # all red; all less blue
    address, said = kernel_mosaic(Kernels("stem", weights))
    pixels = np.asarray(opened(address)[1])
    assert pixels.shape == (2, 5, 4)
    np.testing.assert_array_equal(pixels[0, 0], (255, 128, 128, 255))
    np.testing.assert_array_equal(pixels[0, 3], (128, 128, 0, 255))
    assert pixels[0, 2, 3] == 0
    assert "2 of 2 kernels of stem, 2x2" in said


def test_kernels_of_grey_pictures_are_red_and_blue() -> None:
    weights = np.stack([np.full((1, 3, 3), 1.0), np.full((1, 3, 3), -1.0)]).astype(np.float32)
    pixels = np.asarray(opened(kernel_mosaic(Kernels("first", weights))[0])[1]).astype(int)
    assert pixels[0, 0, 0] > pixels[0, 0, 2] + 50
    assert pixels[0, 4, 2] > pixels[0, 4, 0] + 50
