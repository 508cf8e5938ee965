"""Images of every mode against colours worked out by hand, and errors that name the image."""

from __future__ import annotations

import io
import pickle
import re
import struct
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from assay.data.images import (
    ArrayImages,
    BadImageError,
    EncodedImages,
    open_image,
    quiet,
    to_pixels,
    to_plain,
)


def decoded(image: Image.Image, channels: int = 3) -> np.ndarray:
    """The pixels as ``[H, W]`` or ``[H, W, 3]``; the image itself is of the same ones."""
    plain = to_plain(image, "x", channels=channels)
    assert plain.mode == {1: "L", 3: "RGB"}[channels]
    pixels = to_pixels(image, "x", channels=channels)
    assert np.array_equal(np.atleast_3d(np.asarray(plain)).transpose(2, 0, 1), pixels)
    assert pixels.dtype == np.uint8
    assert pixels.shape[0] == channels
    return pixels[0] if channels == 1 else pixels.transpose(1, 2, 0)


def saved(image: Image.Image, kind: str, **options: object) -> Image.Image:
    """The image after a round through a file of that kind."""
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return open_image(io.BytesIO(buffer.getvalue()), "x")


def gray_of(rows: list[list[int]]) -> np.ndarray:
    return np.repeat(np.array(rows, dtype=np.uint8)[..., None], 3, axis=2)


def test_gray_is_kept_and_repeated_for_colour(picture: Callable[..., np.ndarray]) -> None:
    pixels = picture(0, 3, 5, 1)
    image = saved(Image.fromarray(pixels), "png")
    assert image.mode == "L"
    assert np.array_equal(decoded(image, 1), pixels)
    assert np.array_equal(decoded(image), gray_of(pixels.tolist()))


def test_colour_is_kept(picture: Callable[..., np.ndarray]) -> None:
    pixels = picture(0, 3, 5)
    assert np.array_equal(decoded(saved(Image.fromarray(pixels), "png")), pixels)


def test_colour_to_gray_is_the_weighted_sum_of_bt_601() -> None:
    pixels = np.array([[[255, 0, 0], [0, 255, 0], [0, 0, 255], [10, 200, 30]]], dtype=np.uint8)
    expected = pixels @ np.array([0.299, 0.587, 0.114])
    assert np.abs(decoded(Image.fromarray(pixels), 1) - expected).max() <= 1


def test_one_bit_is_black_and_white() -> None:
    image = saved(Image.fromarray(np.array([[True, False, True]])), "png")
    assert image.mode == "1"
    assert decoded(image, 1).tolist() == [[255, 0, 255]]
    assert np.array_equal(decoded(image), gray_of([[255, 0, 255]]))


def test_transparent_gray_lies_over_white() -> None:
    values = np.array([[[0, 255], [90, 255], [90, 0], [0, 128]]], dtype=np.uint8)
    image = saved(Image.fromarray(values, "LA"), "png")
    assert image.mode == "LA"
    assert np.abs(decoded(image, 1).astype(int) - [[0, 90, 255, 127]]).max() <= 1


def test_transparent_colour_lies_over_white() -> None:
    values = np.array([[[9, 8, 7, 255], [9, 8, 7, 0], [0, 255, 0, 51]]], dtype=np.uint8)
    image = saved(Image.fromarray(values, "RGBA"), "png")
    assert image.mode == "RGBA"
    expected = [[[9, 8, 7], [255, 255, 255], [204, 255, 204]]]
    assert np.abs(decoded(image).astype(int) - expected).max() <= 1


def with_palette() -> Image.Image:
    image = Image.fromarray(np.array([[0, 1, 2, 1]], dtype=np.uint8), "P")
    image.putpalette([1, 2, 3, 200, 100, 50, 0, 0, 255])
    return image


@pytest.mark.parametrize("kind", ["png", "gif"])
def test_palette_is_looked_up(kind: str) -> None:
    image = saved(with_palette(), kind)
    assert image.mode == "P"
    assert decoded(image).tolist() == [[[1, 2, 3], [200, 100, 50], [0, 0, 255], [200, 100, 50]]]


def test_transparent_palette_entry_lies_over_white() -> None:
    image = saved(with_palette(), "png", transparency=1)
    assert image.mode == "P"
    assert decoded(image).tolist() == [[[1, 2, 3], [255] * 3, [0, 0, 255], [255] * 3]]


def test_transparent_key_colour_lies_over_white() -> None:
    gray = saved(Image.fromarray(np.array([[7, 8]], dtype=np.uint8)), "png", transparency=7)
    colour = saved(Image.fromarray(np.array([[[7, 8, 9], [1, 2, 3]]], dtype=np.uint8)), "png", transparency=(7, 8, 9))
    assert (gray.mode, colour.mode) == ("L", "RGB")
    assert decoded(gray, 1).tolist() == [[255, 8]]
    assert decoded(colour).tolist() == [[[255, 255, 255], [1, 2, 3]]]


def test_inks_are_subtracted() -> None:
    inks = np.array([[[0, 0, 0, 0], [255, 0, 0, 0], [0, 255, 255, 0], [0, 0, 0, 255]]], dtype=np.uint8)
    image = saved(Image.fromarray(inks, "CMYK"), "tiff")
    assert image.mode == "CMYK"
    assert decoded(image).tolist() == [[[255, 255, 255], [0, 255, 255], [255, 0, 0], [0, 0, 0]]]


def test_luma_and_chroma_follow_bt_601() -> None:
    values = np.array([[[60, 128, 128], [120, 100, 160]]], dtype=np.uint8)
    image = saved(Image.fromarray(values, "YCbCr"), "tiff")
    assert image.mode == "YCbCr"
    second = [120 + 1.402 * 32, 120 + 0.344136 * 28 - 0.714136 * 32, 120 - 1.772 * 28]
    assert np.abs(decoded(image) - np.array([[[60, 60, 60], second]])).max() <= 1


@pytest.mark.parametrize("kind", ["png", "tiff"])
def test_sixteen_bits_are_scaled_to_eight(kind: str) -> None:
    values = np.array([[0, 256, 257, 128 * 257, 65535]], dtype=np.uint16)
    image = saved(Image.fromarray(values), kind)
    assert image.mode == "I;16"
    assert decoded(image, 1).tolist() == [[0, 0, 1, 128, 255]]
    assert np.array_equal(decoded(image), gray_of([[0, 0, 1, 128, 255]]))


def test_sixteen_bits_of_the_other_byte_order() -> None:
    big = Image.frombytes("I;16B", (2, 1), bytes([255, 255, 1, 1]))
    assert decoded(big, 1).tolist() == [[255, 1]]


def whole_numbers(*values: int, kind: str = "tiff") -> Image.Image:
    image = saved(Image.fromarray(np.array([values], dtype=np.int32)), kind)
    assert image.mode == "I"
    return image


def test_whole_numbers_are_read_with_the_bits_that_they_need() -> None:
    assert decoded(whole_numbers(0, 1, 128, 255), 1).tolist() == [[0, 1, 128, 255]]
    assert np.array_equal(decoded(whole_numbers(0, 1, 128, 255)), gray_of([[0, 1, 128, 255]]))
    assert decoded(whole_numbers(0, 256, 257, 65535), 1).tolist() == [[0, 0, 1, 255]]


def test_a_dark_pgm_file_of_sixteen_bits_stays_dark() -> None:
    assert decoded(whole_numbers(0, 200, 255, kind="ppm"), 1).tolist() == [[0, 0, 0]]
    assert decoded(whole_numbers(0, 255, 65535, kind="ppm"), 1).tolist() == [[0, 0, 255]]


@pytest.mark.parametrize("values", [(-5, 0), (0, 65536), (-1, 10**6)])
def test_whole_numbers_beyond_sixteen_bits_are_refused_and_never_cut_off(values: tuple[int, int]) -> None:
    text = rf"^x: 32-bit pixels from {values[0]} to {values[1]} have no defined range; save it with 8 or 16 bits$"
    with pytest.raises(BadImageError, match=text):
        to_pixels(whole_numbers(*values), "x", channels=1)


def test_floating_point_is_refused() -> None:
    image = saved(Image.fromarray(np.zeros((2, 2), dtype=np.float32)), "tiff")
    assert image.mode == "F"
    with pytest.raises(BadImageError, match=r"^x: floating-point pixels have no defined range"):
        to_pixels(image, "x", channels=1)


TURNED: dict[int, Callable[[np.ndarray], np.ndarray]] = {  # what a viewer shows, EXIF 2.3 section 4.6.4
    1: lambda a: a,
    2: lambda a: a[:, ::-1],
    3: lambda a: a[::-1, ::-1],
    4: lambda a: a[::-1],
    5: lambda a: a.swapaxes(0, 1),
    6: lambda a: np.rot90(a, -1),
    7: lambda a: a[::-1, ::-1].swapaxes(0, 1),
    8: lambda a: np.rot90(a, 1),
}


@pytest.mark.parametrize("orientation", TURNED)
@pytest.mark.parametrize("kind", ["png", "tiff"])
def test_exif_orientation_is_undone(orientation: int, kind: str, picture: Callable[..., np.ndarray]) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    pixels = picture(0, 3, 5)
    image = saved(Image.fromarray(pixels), kind, exif=exif)
    assert np.array_equal(decoded(image), TURNED[orientation](pixels))


def jpeg(pixels: np.ndarray) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "jpeg")
    return buffer.getvalue()


def refusal(file: Path, name: str = "cat/1.jpg") -> str:
    with pytest.raises(BadImageError) as caught, open_image(file, name) as image:
        to_pixels(image, name, channels=3)
    text = str(caught.value)
    with pytest.raises(BadImageError, match=rf"^{re.escape(text)}$"), open_image(file, name) as image:
        to_plain(image, name, channels=3)
    assert text == f"{caught.value.name}: {caught.value.reason}"
    assert text.startswith(f"{name}: ")
    assert "\n" not in text
    return text


def test_truncated_file_is_refused(tmp_path: Path, picture: Callable[..., np.ndarray]) -> None:
    whole = jpeg(picture(0, 64, 64))
    (tmp_path / "a").write_bytes(whole[: len(whole) // 2])
    assert "truncated" in refusal(tmp_path / "a")


@pytest.mark.parametrize("content", [b"", b"not a picture\n" * 20], ids=["empty", "text"])
def test_file_without_an_image_is_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "a").write_bytes(content)
    assert "not an image" in refusal(tmp_path / "a")


def test_postscript_is_refused_before_anything_runs_it(tmp_path: Path) -> None:
    Image.new("RGB", (8, 8)).save(tmp_path / "a", format="EPS")
    assert "PostScript is a program, not an image" in refusal(tmp_path / "a")


def test_missing_file_is_refused(tmp_path: Path) -> None:
    assert refusal(tmp_path / "a").endswith("no such file")


def test_folder_is_refused(tmp_path: Path) -> None:
    refusal(tmp_path)


@pytest.mark.parametrize("limit", [40, 10], ids=["where Pillow warns", "where Pillow raises"])
@pytest.mark.parametrize("silent", [False, True])
def test_decompression_bomb_is_refused(
    limit: int, silent: bool, tmp_path: Path, as_png: Callable[..., bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "a").write_bytes(as_png(np.zeros((8, 8, 3), dtype=np.uint8)))
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", limit)
    if silent:
        with quiet():
            assert "too large" in refusal(tmp_path / "a")
    else:
        refusal(tmp_path / "a")


def test_image_at_the_limit_is_read(
    tmp_path: Path, as_png: Callable[..., bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "a").write_bytes(as_png(np.zeros((8, 8, 3), dtype=np.uint8)))
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 64)
    with open_image(tmp_path / "a", "x") as image:
        assert image.size == (8, 8)


def damaged(start: bytes, place: int, byte: int, length: int) -> bytes:
    content = bytearray(start)
    content[place % len(content)] = byte
    return bytes(content[:length])


def small(image: Image.Image) -> Image.Image:
    return image.resize((4, 4))


SOUND = [jpeg(np.arange(192, dtype=np.uint8).reshape(8, 8, 3))]
for _kind in ("png", "gif", "bmp", "tiff", "webp"):
    _buffer = io.BytesIO()
    Image.fromarray(np.arange(192, dtype=np.uint8).reshape(8, 8, 3)).save(_buffer, _kind)
    SOUND.append(_buffer.getvalue())


@settings(max_examples=150, deadline=None)
@given(st.builds(damaged, st.sampled_from(SOUND), st.integers(0, 400), st.integers(0, 255), st.integers(0, 900)))
def test_damaged_file_is_an_image_or_a_bad_image(content: bytes) -> None:
    with quiet():
        try:
            pixels = to_pixels(open_image(io.BytesIO(content), "x"), "x", channels=3, reshape=small)
        except BadImageError as error:
            text = str(error)
        else:
            assert pixels.shape == (3, 4, 4)
            return
    assert text.startswith("x: ")
    assert "\n" not in text


def test_error_survives_the_way_from_a_worker() -> None:
    error = pickle.loads(pickle.dumps(BadImageError("a.png", "two\nlines")))
    assert (type(error), error.name, str(error)) == (BadImageError, "a.png", "a.png: two lines")


def test_arrays_are_images_of_their_pixels(picture: Callable[..., np.ndarray]) -> None:
    colour, gray = np.stack([picture(0), picture(1)]), np.stack([picture(0, channels=1), picture(1, channels=1)])
    assert np.array_equal(decoded(ArrayImages(colour, ["a", "b"]).open(1)), colour[1])
    assert np.array_equal(decoded(ArrayImages(gray, ["a", "b"]).open(1), 1), gray[1])


def test_encoded_images_are_opened_by_row(as_png: Callable[..., bytes]) -> None:
    rows = [as_png(np.full((2, 2), value, dtype=np.uint8)) for value in (5, 9)]
    images = EncodedImages(rows.__getitem__, ["a", "b"], [])
    assert decoded(images.open(1), 1).tolist() == [[9, 9], [9, 9]]


def signed_tiff(values: np.ndarray) -> bytes:
    """A TIFF of 16 bits with a sign, by its specification (Adobe 1992, TIFF 6.0, sections 2 and 19)."""
    height, width = values.shape
    data = values.astype("<i2").tobytes()
    tags = [(256, width), (257, height), (258, 16), (259, 1), (262, 1), (273, 8), (277, 1), (278, height)]
    entries = [struct.pack("<HHII", tag, 3, 1, value) for tag, value in [*tags, (279, len(data)), (339, 2)]]
    return b"II*\0" + struct.pack("<I", 8 + len(data)) + data + struct.pack("<H", 10) + b"".join(entries) + bytes(4)


def test_a_dark_image_of_16_bits_with_a_sign_stays_dark() -> None:
    dark, bright = np.array([[0, 200], [100, 255]]), np.array([[0, 25700], [100, 255]])
    for values in (dark, bright):
        image = Image.open(io.BytesIO(signed_tiff(values)))
        assert (image.mode, np.asarray(image).tolist()) == ("I", values.tolist())
        assert to_pixels(image, "x", channels=1)[0].tolist() == (values // 257).tolist()


@pytest.mark.parametrize("content", [b"", None])
def test_row_without_bytes_is_refused(content: bytes | None) -> None:
    with pytest.raises(BadImageError, match=r"^a: has no bytes$"):
        EncodedImages([content].__getitem__, ["a"], []).open(0)


def test_row_that_cannot_be_read_is_refused() -> None:
    with pytest.raises(BadImageError, match=r"^a: cannot be read \(.*\)$"):
        EncodedImages([].__getitem__, ["a"], []).open(0)
