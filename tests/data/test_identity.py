"""What a split is known by: its images, their labels and names, and their order."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from assay.data.dataset import Dataset, MemoryDataset, StreamedDataset
from assay.data.identity import first_difference, identity
from assay.data.images import FileImages
from assay.data.preprocess import Preprocessing


def held(pixels: list[int], labels: list[int], names: str) -> Dataset:
    images = torch.tensor(pixels, dtype=torch.uint8).view(-1, 1, 1, 1)
    return MemoryDataset(images, torch.tensor(labels), list(names))


@pytest.mark.parametrize(
    ("other", "difference"),
    [
        (held([1, 2, 3], [0, 1, 1], "abc"), None),
        (held([2, 1, 3], [0, 1, 1], "abc"), "train pixels"),
        (held([1, 2, 3], [1, 0, 1], "abc"), "train labels"),
        (held([1, 2, 3], [0, 1, 1], "abd"), "train names"),
        (held([2, 1, 3], [1, 0, 1], "bac"), "train names"),  # the same images in another order
        (held([1, 2], [0, 1], "ab"), "train names"),
    ],
)
def test_what_differs_is_named(other: Dataset, difference: str | None) -> None:
    usual = identity({"train": held([1, 2, 3], [0, 1, 1], "abc")})
    assert first_difference(usual, identity({"train": other})) == difference


def test_a_split_that_came_or_went_is_a_difference() -> None:
    train, both = ({name: held([1], [0], "a") for name in names} for names in (["train"], ["train", "test"]))
    assert first_difference(identity(train), identity(both)) == "test names"
    assert first_difference(identity(both), identity(train)) == "test names"


def test_streamed_images_are_known_by_their_lengths_and_excerpts(tmp_path: Path) -> None:
    paths = [tmp_path / name for name in "abc"]
    for path, content in zip(paths, (bytes(9000), bytes(4500) + b"x" + bytes(4499), bytes(9001)), strict=True):
        path.write_bytes(content)

    def known(*places: int) -> str:
        images = FileImages([paths[place] for place in places], "ab")
        streamed = StreamedDataset(images, torch.tensor([0, 1]), Preprocessing(3, 8, 8), torch.device("cpu"), 0)
        return identity({"train": streamed})["train bytes"]

    assert known(0, 1) == known(0, 1)
    assert len({known(0, 1), known(1, 0), known(0, 0), known(0, 2)}) == 4
    paths[1].unlink()
    assert len({known(0, 1), known(0, 0), known(1, 1)}) == 3
