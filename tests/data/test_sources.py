"""The named sets: what they hold, where they are looked for, and what is said where they are not."""

from __future__ import annotations

import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.error import URLError

import numpy as np
import pytest
import torch
import torchvision
from sklearn.datasets import load_digits

from assay.data.images import ArrayImages
from assay.data.sources import data_root, load_source

WriteParquet = Callable[..., Path]


def archive(classes: list[str], pixels: Any, labels: Any) -> type:
    """A set of torchvision's that is on disk already."""

    class Archive:
        def __init__(self, root: str, *, train: bool, download: bool) -> None:
            assert not download
            assert Path(root).is_absolute()
            self.data = pixels if train else pixels[:1]
            self.targets = labels if train else labels[:1]
            self.classes = classes

    return Archive


def test_digits_are_scikit_learns() -> None:
    source = load_source("digits")
    assert source.classes == tuple("0123456789")
    train, test = source.splits["train"], source.splits["test"]
    assert (len(train), len(test)) == (1442, 355)
    bunch = load_digits()
    rows = [int(name.removeprefix("digits/")) for split in (train, test) for name in split.images.names]
    assert sorted(rows) == list(range(1797))
    pixels = np.concatenate([split.images.pixels for split in (train, test) if isinstance(split.images, ArrayImages)])
    assert pixels.shape == (1797, 8, 8)
    assert np.abs(pixels - bunch.images[rows] * 255 / 16).max() <= 0.5
    assert np.concatenate([train.labels, test.labels]).tolist() == bunch.target[rows].tolist()


def test_every_fifth_of_each_digit_is_for_the_test() -> None:
    target = load_digits().target
    test = load_source("digits").splits["test"].images.names
    expected = sorted(int(row) for digit in range(10) for row in np.flatnonzero(target == digit)[4::5])
    assert [int(name.removeprefix("digits/")) for name in test] == expected


def test_cifar10_from_parquet(tmp_path: Path, write_parquet: WriteParquet) -> None:
    names = {"label": ["airplane", "automobile"]}
    for split, labels in {"train": [1, 0, 1], "test": [0]}.items():
        file = tmp_path / "cifar10" / "plain_text" / f"{split}-00000-of-00001.parquet"
        write_parquet(file, {"label": labels}, names=names, image_column="img")
    source = load_source("cifar10", root=tmp_path)
    assert source.classes == ("airplane", "automobile")
    assert {name: split.labels.tolist() for name, split in source.splits.items()} == {"train": [1, 0, 1], "test": [0]}


def test_cifar100_from_parquet_has_two_kinds_of_label(tmp_path: Path, write_parquet: WriteParquet) -> None:
    names = {"fine_label": ["apple", "bee", "bed"], "coarse_label": ["fruit", "insects"]}
    for split in ("train", "test"):
        columns = {"fine_label": [0, 1, 2], "coarse_label": [0, 1, 0]}
        write_parquet(tmp_path / "cifar100" / f"{split}-0.parquet", columns, names=names, image_column="img")
    fine, coarse = (load_source(name, root=tmp_path) for name in ("cifar100", "cifar100-coarse"))
    assert fine.classes == ("apple", "bee", "bed")
    assert coarse.classes == ("fruit", "insects")
    assert fine.splits["train"].labels.tolist() == [0, 1, 2]
    assert coarse.splits["train"].labels.tolist() == [0, 1, 0]


def test_official_archive(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, picture: Callable[..., np.ndarray]) -> None:
    pixels = np.stack([picture(row) for row in range(3)])
    monkeypatch.setattr(torchvision.datasets, "CIFAR10", archive(["cat", "dog"], pixels, [1, 0, 1]))
    source = load_source("cifar10", root=tmp_path)
    assert source.classes == ("cat", "dog")
    assert source.splits["train"].labels.tolist() == [1, 0, 1]
    assert source.splits["test"].labels.tolist() == [1]
    assert np.array_equal(np.asarray(source.splits["train"].images.open(2)), pixels[2])
    assert list(source.splits["train"].images.names) == ["train/00000", "train/00001", "train/00002"]


def test_fashion_mnist_is_gray(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pixels = torch.arange(2 * 28 * 28, dtype=torch.uint8).view(2, 28, 28)
    monkeypatch.setattr(torchvision.datasets, "FashionMNIST", archive(["a", "b"], pixels, torch.tensor([1, 0])))
    train = load_source("fashion-mnist", root=tmp_path).splits["train"]
    assert train.images.open(1).mode == "L"
    assert np.array_equal(np.asarray(train.images.open(1)), pixels[1].numpy())
    assert train.labels.tolist() == [1, 0]


def test_coarse_labels_of_the_official_archive(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, picture: Callable[..., np.ndarray]
) -> None:
    pixels = np.stack([picture(row) for row in range(3)])
    monkeypatch.setattr(torchvision.datasets, "CIFAR100", archive(["x", "y", "z"], pixels, [0, 1, 2]))
    folder = tmp_path / "cifar-100-python"
    folder.mkdir()
    contents = {
        "train": {"coarse_labels": [1, 0, 1]},
        "test": {"coarse_labels": [1]},
        "meta": {"coarse_label_names": ["fish", "trees"]},
    }
    for file, content in contents.items():
        (folder / file).write_bytes(pickle.dumps(content))
    source = load_source("cifar100-coarse", root=tmp_path)
    assert source.classes == ("fish", "trees")
    assert source.splits["train"].labels.tolist() == [1, 0, 1]
    assert source.splits["test"].labels.tolist() == [1]


class Unreachable:
    """A set of torchvision's that is neither on disk nor to be had."""

    def __init__(self, _root: str, *, download: bool, **_: bool) -> None:
        if download:
            raise URLError("no route\nto host")
        raise RuntimeError("Dataset not found or corrupted. You can use download=True to download it")


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("cifar10", "CIFAR10"),
        ("cifar100", "CIFAR100"),
        ("cifar100-coarse", "CIFAR100"),
        ("fashion-mnist", "FashionMNIST"),
    ],
)
def test_nothing_there_and_no_network(name: str, kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torchvision.datasets, kind, Unreachable)
    with pytest.raises(ValueError, match=r"--data\.root") as caught:
        load_source(name, root=tmp_path)
    text = str(caught.value)
    assert "\n" not in text
    assert str(tmp_path) in text
    assert "no route to host" in text


@pytest.mark.parametrize(
    ("name", "hint"),
    [("cifra10", "did you mean cifar10?"), ("digit", "did you mean digits?"), ("zzzzzz", "folder:PATH")],
)
def test_unknown_name_is_refused_with_the_nearest(name: str, hint: str) -> None:
    with pytest.raises(ValueError, match=f"unknown data '{name}': ") as caught:
        load_source(name)
    assert hint in str(caught.value)


def test_label_is_for_parquet_only(tmp_path: Path, write_parquet: WriteParquet) -> None:
    with pytest.raises(ValueError, match=r"data\.label is for parquet:PATH and webdataset:PATH sets"):
        load_source("digits", label="label")
    file = write_parquet(tmp_path / "a.parquet", {"label": [0, 0], "class": [1, 0]})
    assert load_source(f"parquet:{file}", label="class").splits["train"].labels.tolist() == [1, 0]


def test_paths_begin_at_home_where_they_say_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, make_folder: Callable[..., Path], write_parquet: WriteParquet
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    make_folder(tmp_path / "pets", {"cat": 1, "dog": 1})
    write_parquet(tmp_path / "cifar10" / "train-0.parquet", {"label": [0, 1]})
    assert load_source("folder:~/pets").classes == ("cat", "dog")
    assert len(load_source("parquet:~/cifar10").splits["train"]) == 2
    assert len(load_source("cifar10", root=Path("~")).splits["train"]) == 2


def test_root_comes_from_the_environment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, write_parquet: WriteParquet
) -> None:
    write_parquet(tmp_path / "cifar10" / "train-0.parquet", {"label": [0, 1, 1]})
    monkeypatch.setenv("ASSAY_DATA", str(tmp_path))
    assert data_root() == tmp_path
    assert len(load_source("cifar10").splits["train"]) == 3


def test_root_is_the_users_own_folder_otherwise(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("ASSAY_DATA", raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    assert data_root().is_relative_to(tmp_path)


def test_parquet_files_of_no_split_are_remarked_on(tmp_path: Path, write_parquet: Callable[..., Path]) -> None:
    for name in ("train-0", "extra-0", "extra-1"):
        write_parquet(tmp_path / "data" / f"{name}.parquet", {"label": [0, 1]})
    source = load_source(f"parquet:{tmp_path}")
    assert list(source.odd) == ["data/extra-0.parquet, data/extra-1.parquet: in no split by name"]
    assert list(load_source(f"parquet:{tmp_path / 'data' / 'extra-0.parquet'}").odd) == []
