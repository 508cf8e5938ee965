"""Parquet sets that memory does not hold: read by groups of rows, and shuffled in windows."""

from __future__ import annotations

import io
import pickle
from collections.abc import Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch
from PIL import Image
from torch import Generator, Tensor

import assay
from assay.data import parquet_readers, windows
from assay.data.images import ChainedImages, EncodedImages
from assay.data.parquet import read_parquet
from assay.data.split import SomeImages, Source
from assay.data.survey import survey


def write(file: Path, values: Sequence[int], rows: int, *, names: bool = True) -> Path:
    """Images of one gray level each, in groups of so many rows; the label is the level's parity."""
    images = []
    for value in values:
        buffer = io.BytesIO()
        Image.fromarray(np.full((16, 16), value, np.uint8)).save(buffer, "png")
        images.append({"bytes": buffer.getvalue(), "path": f"{value}.png" if names else None})
    column = pa.array(images, pa.struct({"bytes": pa.binary(), "path": pa.string()}))
    pq.write_table(pa.table({"image": column, "label": [v % 2 for v in values]}), file, row_group_size=rows)
    return file


def read(files: Mapping[str, list[Path]], memory: float = 0.0) -> Source:
    return read_parquet(files, memory=memory)


def levels(images: Any) -> list[int]:
    return [int(np.asarray(images.open(row))[0, 0]) for row in range(len(images.names))]


@pytest.fixture
def files(tmp_path: Path) -> dict[str, list[Path]]:
    train = [write(tmp_path / "train-0.parquet", range(25), 10), write(tmp_path / "train-1.parquet", range(25, 40), 4)]
    return {"train": train, "test": [write(tmp_path / "test-0.parquet", range(50, 55), 2, names=False)]}


def test_groups_of_rows_give_the_same_set_as_memory(files: dict[str, list[Path]]) -> None:
    large, small = read(files), read(files, memory=1.0)
    assert large.classes == small.classes
    for name, split in small.splits.items():
        assert list(large.splits[name].images.names) == list(split.images.names)
        assert large.splits[name].labels.tolist() == split.labels.tolist()
        assert levels(large.splits[name].images) == levels(split.images)


def test_a_group_is_read_once_for_a_window_of_images(
    files: dict[str, list[Path]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(parquet_readers, "WINDOW", 11)  # two groups: they have 5.7 images in the mean
    images = read(files).splits["train"].images
    asked: list[tuple[str, list[int]]] = []

    def count(of: list[Path], columns: list[str], groups: list[int]) -> pa.Table:
        asked.append((of[0].name, groups))
        return real(of, columns, groups)

    real = parquet_readers.read_columns
    monkeypatch.setattr(parquet_readers, "read_columns", count)
    for row in windows.shuffled(images, Generator().manual_seed(0)).tolist():
        images.open(row)
    assert len(asked) == 7  # 3 groups of the first file, 4 of the second
    assert len(images.read._kept) <= 2


def test_a_window_holds_few_groups_and_an_epoch_all_images(
    files: dict[str, list[Path]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(parquet_readers, "WINDOW", 11)
    images = read(files).splits["train"].images
    assert isinstance(images, EncodedImages)
    orders = [windows.shuffled(images, Generator().manual_seed(seed)) for seed in range(50)]
    groups = np.repeat(np.arange(7), np.diff(images.parts.starts))
    for order in orders:
        assert sorted(order.tolist()) == list(range(40))
        met = [group for group, _ in zip(groups[order], order, strict=True)]
        first, last = {g: met.index(g) for g in set(met)}, {g: len(met) - met[::-1].index(g) for g in set(met)}
        assert max(sum(first[g] <= place < last[g] for g in first) for place in range(40)) <= 2
    begins = {int(order[0]) for order in orders}
    assert len(begins) > 20  # any image may be the first


def test_a_window_of_large_images_has_fewer(files: dict[str, list[Path]], monkeypatch: pytest.MonkeyPatch) -> None:
    assert read(files).splits["train"].images.parts.window > 7  # all of them
    monkeypatch.setattr(parquet_readers, "WINDOW_BYTES", 2_000)  # a group has about 500
    assert 3 <= read(files).splits["train"].images.parts.window <= 5
    monkeypatch.setattr(parquet_readers, "WINDOW_BYTES", 1)
    assert read(files).splits["train"].images.parts.window == 2


def test_a_set_of_one_window_is_shuffled_as_any_other(files: dict[str, list[Path]]) -> None:
    images = read(files).splits["train"].images
    expected = torch.randperm(40, generator=Generator().manual_seed(3))
    assert torch.equal(windows.shuffled(images, Generator().manual_seed(3)), expected)


def order_of(images: Any) -> Tensor:
    return windows.shuffled(images, Generator().manual_seed(1))


def test_selections_and_chains_keep_to_the_windows(
    files: dict[str, list[Path]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(parquet_readers, "WINDOW", 11)
    source = read(files)
    train, test = source.splits["train"].images, source.splits["test"].images
    some = SomeImages(train, np.arange(39, -1, -2))
    assert sorted(order_of(some).tolist()) == list(range(20))
    groups = [train.read.group_of(int(some.rows[row])) for row in order_of(some)]
    assert sum(a != b for a, b in pairwise(groups)) < 19
    chained = ChainedImages([train, test])
    assert sorted(order_of(chained).tolist()) == list(range(45))


def test_readers_are_sent_without_what_they_keep(files: dict[str, list[Path]]) -> None:
    images = read(files).splits["train"].images
    before = levels(images)
    sent = pickle.loads(pickle.dumps(images))
    assert not sent.read._kept
    assert levels(sent) == before


def test_reading_all_headers_leaves_no_group_in_memory(files: dict[str, list[Path]]) -> None:
    images = read(files).splits["train"].images
    assert survey(images).widths.tolist() == [16] * 40
    assert not images.read._kept
    assert len(levels(images)) == 40


def test_excerpts_tell_sets_apart_without_reading_groups(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    one, two = (
        read({"train": [write(tmp_path / f"{name}.parquet", values, 5)]}).splits["train"].images
        for name, values in (("one", range(20)), ("two", range(100, 120)))
    )
    monkeypatch.setattr(parquet_readers, "read_columns", lambda *_: pytest.fail("a group is read"))
    assert [one.excerpt(row) for row in range(20)] != [two.excerpt(row) for row in range(20)]
    assert all(one.excerpt(row) for row in range(20))


@pytest.mark.usefixtures("files")
def test_a_training_from_groups_is_one_from_memory(tmp_path: Path) -> None:
    fields = {"data.name": f"parquet:{tmp_path}", "train.epochs": 1, "train.batch_size": 8, "train.threads": 1}
    fields |= {"data.held_out": 0.2, "data.workers": 1, "train.tensorboard": False}
    losses = [
        assay.train("simple-cnn", {**fields, "data.memory": memory}, out=tmp_path / str(memory), progress=False).metrics
        for memory in (0, 1)
    ]
    assert losses[0] == losses[1]
