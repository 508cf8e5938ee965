"""Twelve pictures in two classes, and damage to their files."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from assay.data.folder import read_folder
from assay.data.images import FileImages
from assay.data.split import Split


@pytest.fixture
def split(tmp_path: Path, make_folder: Callable[..., Path]) -> Split:
    """Twelve pictures of 12x12 pixels in two classes."""
    return read_folder(make_folder(tmp_path / "set", {"a": 7, "b": 5}, side=12)).splits["train"]


@pytest.fixture
def damage(split: Split) -> Callable[[int], str]:
    """Cuts the file of a row off in its pixels and returns its name."""
    images = split.images
    assert isinstance(images, FileImages)

    def cut_off(row: int) -> str:
        path = images.paths[row]
        path.write_bytes(path.read_bytes()[:120])
        return images.names[row]

    return cut_off
