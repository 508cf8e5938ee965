"""Images that no cut parts: copies of each other, and those with an equal value in a column."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from assay.data import traits
from assay.data.load import load_data
from assay.data.preprocess import Wanted
from assay.data.sources import load_source
from assay.data.split import Cut
from assay.data.storage import Storage

Picture = Callable[..., np.ndarray]


@pytest.fixture
def copies(tmp_path: Path, picture: Picture) -> Path:
    """Sixteen pictures in two classes: 3 is a copy of 0, and 5 a brighter 1; and a validation image, a copy of 2."""
    for number in range(16):
        pixels = picture({3: 0}.get(number, number), 64, 64) // 2
        if number == 5:
            pixels = picture(1, 64, 64) // 2 + 40
        file = tmp_path / "set" / "train" / "ab"[number % 2] / f"{number:02d}.png"
        file.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(pixels).save(file)
    for split, seed in (("val", 2), ("test", 0)):
        (tmp_path / "set" / split / "a").mkdir(parents=True)
        Image.fromarray(picture(seed, 64, 64) // 2).save(tmp_path / "set" / split / "a" / "copy.png")
    return tmp_path / "set"


def groups_of(folder: Path) -> dict[str, int]:
    source = load_source(f"folder:{folder}", groups="near-duplicates")
    assert source.splits["test"].groups is None
    found = {}
    for split in (source.splits["train"], source.splits["held-out"]):
        assert split.groups is not None
        found |= dict(zip(map(str, split.images.names), split.groups.tolist(), strict=True))
    return {name.removeprefix("train/"): number for name, number in found.items()}


def test_copies_and_near_duplicates_are_of_one_group_across_splits(copies: Path) -> None:
    found = groups_of(copies)
    assert found["a/00.png"] == found["b/03.png"]
    assert found["b/01.png"] == found["b/05.png"]
    assert found["a/02.png"] == found["val/a/copy.png"]
    assert len(set(found.values())) == 17 - 3


def test_images_are_compared_once(copies: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    found = groups_of(copies)
    monkeypatch.setattr(traits, "to_pixels", None)
    assert groups_of(copies) == found


def test_images_that_cannot_be_decoded_are_like_no_other(copies: Path) -> None:
    for name in ("a/00.png", "b/01.png"):
        (copies / "train" / name).write_bytes(b"no image")
    found = groups_of(copies)
    assert len(set(found.values())) == 17 - 1


def test_pictures_too_small_to_compare_are_alone_but_for_exact_copies(
    tmp_path: Path, make_folder: Callable[..., Path]
) -> None:
    make_folder(tmp_path, {"a": 4, "b": 4})
    Image.open(tmp_path / "a" / "001.png").save(tmp_path / "b" / "copy.png")
    source = load_source(f"folder:{tmp_path}", groups="near-duplicates")
    assert source.splits["train"].groups is not None
    assert len(set(source.splits["train"].groups.tolist())) == 8


def test_a_column_marks_groups_across_files_and_splits(tmp_path: Path, write_parquet: Callable[..., Path]) -> None:
    write_parquet(tmp_path / "train-0.parquet", {"label": [0, 1, 0], "patient": ["x", "y", "x"]})
    write_parquet(tmp_path / "train-1.parquet", {"label": [0, 1], "patient": ["z", "y"]})
    write_parquet(tmp_path / "validation.parquet", {"label": [0, 1], "patient": ["y", "w"]})
    write_parquet(tmp_path / "test.parquet", {"label": [0]})  # which is not cut, and needs no column
    source = load_source(f"parquet:{tmp_path}", label="label", groups="patient")
    numbers = {split: None if part.groups is None else part.groups.tolist() for split, part in source.splits.items()}
    assert numbers == {"train": [0, 1, 0, 2, 1], "held-out": [1, 3], "test": None}


@pytest.mark.parametrize(
    ("column", "said"),
    [
        ("patients", "no column 'patients': did you mean patient\\?"),
        ("image", "no column 'image': choose from label, patient, boxes, gaps"),
        ("boxes", "data.groups: the column holds list"),
        ("gaps", "row 1: data.groups: the column has no value"),
    ],
)
def test_columns_that_mark_no_groups_are_refused(
    column: str, said: str, tmp_path: Path, write_parquet: Callable[..., Path]
) -> None:
    columns = {"label": [0, 1], "patient": ["x", "y"], "boxes": [[1], [2]], "gaps": ["x", None]}
    file = write_parquet(tmp_path / "set.parquet", columns)
    with pytest.raises(ValueError, match=said) as caught:
        load_source(f"parquet:{file}", groups=column)
    assert "\n" not in str(caught.value)


def test_other_sets_have_no_columns() -> None:
    with pytest.raises(ValueError, match=r"columns are those of parquet:PATH sets; digits takes near-dup"):
        load_source("digits", groups="writer")


def test_groups_without_a_cut_are_refused(copies: Path) -> None:
    source = load_source(f"folder:{copies}", groups="near-duplicates")
    with pytest.raises(ValueError, match=r"^data\.groups changes nothing"):
        load_data(source, Wanted(8), cut=Cut(), storage=Storage(torch.device("cpu")))
