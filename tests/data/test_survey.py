"""What the headers say: sizes, grayscale or colour, which are unreadable."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from unittest.mock import Mock

import numpy as np
import pytest
from PIL import Image

from assay.data.images import ArrayImages, FileImages
from assay.data.survey import survey


def files(folder: Path, **images: Image.Image | bytes) -> FileImages:
    """PNG files, or the bytes as they are."""
    for name, image in images.items():
        if isinstance(image, bytes):
            (folder / name).write_bytes(image)
        else:
            image.save(folder / name, "png")
    return FileImages([folder / name for name in images], list(images))


def test_sides_in_pixels(tmp_path: Path) -> None:
    seen = survey(files(tmp_path, a=Image.new("L", (3, 5)), b=Image.new("RGB", (20, 10))))
    assert seen.widths.tolist() == [3, 20]
    assert seen.heights.tolist() == [5, 10]
    assert seen.readable.all()


@pytest.mark.parametrize(("orientation", "size"), [(1, (3, 5)), (3, (3, 5)), (6, (5, 3)), (8, (5, 3))])
def test_sides_are_those_after_turning(tmp_path: Path, orientation: int, size: tuple[int, int]) -> None:
    image = Image.new("L", (3, 5))
    image.getexif()[0x0112] = orientation
    image.save(tmp_path / "a.png", exif=image.getexif())
    seen = survey(FileImages([tmp_path / "a.png"], ["a"]))
    assert (seen.widths[0], seen.heights[0]) == size


@pytest.mark.parametrize(
    ("mode", "gray"), [("1", 1), ("L", 1), ("I;16", 1), ("LA", 0), ("P", 0), ("RGB", 0), ("RGBA", 0)]
)
def test_grayscale_by_mode(tmp_path: Path, mode: str, gray: int) -> None:
    assert survey(files(tmp_path, a=Image.new(mode, (2, 2)))).gray.tolist() == [bool(gray)]


def test_unreadable_images_are_named_with_their_reason(tmp_path: Path) -> None:
    images = files(tmp_path, good=Image.new("L", (2, 2)), empty=b"", text=b"words")
    seen = survey(images)
    assert seen.readable.tolist() == [True, False, False]
    assert [error.name for error in seen.errors(images)] == ["empty", "text"]
    assert all("not an image" in error.reason for error in seen.errors(images))


def test_headers_are_read_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    images = files(tmp_path, good=Image.new("L", (2, 3)), text=b"words")
    first = survey(images)
    monkeypatch.setattr(FileImages, "open", None)  # what calls it again fails
    again = survey(images)
    assert again.widths.tolist() == first.widths.tolist() == [2, 0]
    assert again.heights.tolist() == [3, 0]
    assert again.gray.tolist() == first.gray.tolist()
    assert list(again.reasons) == list(first.reasons)


def test_what_the_system_refused_once_is_read_again(tmp_path: Path) -> None:
    images = files(tmp_path, a=Image.new("L", (2, 3)))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Image, "open", Mock(side_effect=PermissionError(13, "Permission denied")))
        assert "Permission denied" in survey(images).reasons[0]
    assert survey(images).widths.tolist() == [2]


def test_changed_file_is_read_again(tmp_path: Path) -> None:
    survey(files(tmp_path, a=Image.new("L", (2, 3))))
    assert survey(files(tmp_path, a=Image.new("L", (200, 30)))).widths.tolist() == [200]


def test_no_images(tmp_path: Path) -> None:
    seen = survey(files(tmp_path))
    assert len(seen.widths) == len(seen.readable) == 0


@pytest.mark.parametrize("channels", [1, 3])
def test_arrays(channels: int, picture: Callable[..., np.ndarray]) -> None:
    seen = survey(ArrayImages(np.stack([picture(0, 3, 5, channels)] * 2), ["a", "b"]))
    assert (seen.widths.tolist(), seen.heights.tolist()) == ([5, 5], [3, 3])
    assert seen.gray.tolist() == [channels == 1] * 2
