"""Folders of images, as people leave them on disk."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from assay.data.folder import find_images, read_folder
from assay.data.images import BadImageError
from assay.data.survey import survey

MakeFolder = Callable[..., Path]


def test_one_folder_per_class(tmp_path: Path, make_folder: MakeFolder) -> None:
    source = read_folder(make_folder(tmp_path, {"dog": 2, "cat": 1}))
    assert source.classes == ("cat", "dog")
    assert list(source.splits) == ["train"]
    assert list(source.splits["train"].images.names) == ["cat/000.png", "dog/000.png", "dog/001.png"]
    assert source.splits["train"].labels.tolist() == [0, 1, 1]
    assert source.splits["train"].labels.dtype == np.int64
    assert list(source.odd) == []


@pytest.mark.parametrize("held_out", ["val", "valid", "validation", "dev", "held-out"])
@pytest.mark.parametrize(("train", "test"), [("train", "test"), ("training", "testing")])
def test_folders_of_splits(tmp_path: Path, make_folder: MakeFolder, train: str, held_out: str, test: str) -> None:
    counts = {f"{train}/a": 3, f"{train}/b": 2, f"{held_out}/b": 1, f"{test}/a": 1, f"{test}/b": 2}
    source = read_folder(make_folder(tmp_path, counts))
    assert source.classes == ("a", "b")
    assert {name: split.labels.tolist() for name, split in source.splits.items()} == {
        "train": [0, 0, 0, 1, 1],
        "held-out": [1],
        "test": [0, 1, 1],
    }
    assert source.splits["test"].images.names[0] == f"{test}/a/000.png"


def test_pixels_are_those_of_the_named_file(
    tmp_path: Path, make_folder: MakeFolder, picture: Callable[..., np.ndarray]
) -> None:
    split = read_folder(make_folder(tmp_path, {"a": 2, "b": 1})).splits["train"]
    for row in range(3):  # the pictures are noise from the seeds 0, 1, 2 in this order
        with split.images.open(row) as image:
            assert np.array_equal(np.asarray(image), picture(row))


def test_a_test_folder_without_train_is_a_class(tmp_path: Path, make_folder: MakeFolder) -> None:
    assert read_folder(make_folder(tmp_path, {"test": 2, "other": 1})).classes == ("other", "test")


def test_images_in_nested_folders_belong_to_the_class(tmp_path: Path, make_folder: MakeFolder) -> None:
    source = read_folder(make_folder(tmp_path, {"a/2020/may": 1, "a": 1, "b": 1}))
    assert source.classes == ("a", "b")
    assert list(source.splits["train"].images.names) == ["a/000.png", "a/2020/may/000.png", "b/000.png"]


def test_hidden_files_and_folders_are_passed_over(tmp_path: Path, make_folder: MakeFolder) -> None:
    make_folder(tmp_path, {"a": 1, "b": 1, ".git": 1, "a/.thumbnails": 1})
    (tmp_path / "a" / "._000.png").write_bytes(b"resource fork")
    source = read_folder(tmp_path)
    assert source.classes == ("a", "b")
    assert list(source.splits["train"].images.names) == ["a/000.png", "b/000.png"]
    assert list(source.odd) == []


def test_a_hidden_folder_above_does_not_hide_the_set(tmp_path: Path, make_folder: MakeFolder) -> None:
    assert len(read_folder(make_folder(tmp_path / ".cache" / "set", {"a": 2})).splits["train"]) == 2


def test_other_files_are_remarked_on(tmp_path: Path, make_folder: MakeFolder) -> None:
    make_folder(tmp_path, {"a": 1, "b": 1})
    (tmp_path / "b" / "notes.txt").write_text("words")
    assert list(read_folder(tmp_path).odd) == ["b/notes.txt: not an image by its name"]


def test_files_of_one_ending_share_a_remark(tmp_path: Path, make_folder: MakeFolder) -> None:
    make_folder(tmp_path, {"a": 1, "b": 1})
    for number in range(5):
        (tmp_path / "b" / f"{number}.txt").touch()
    (tmp_path / "LICENSE").touch()
    (tmp_path / "cover.png").touch()
    assert list(read_folder(tmp_path).odd) == [
        "cover.png: an image that is in no class folder",
        "LICENSE: not an image by its name",
        "5 files .txt: b/0.txt, b/1.txt, b/2.txt and 2 more: not an image by its name",
    ]


@pytest.mark.parametrize("name", ["a.HEIC", "a.heif", "a.jxl"])
def test_images_of_formats_that_are_not_read_are_bad_images(tmp_path: Path, make_folder: MakeFolder, name: str) -> None:
    (make_folder(tmp_path, {"b": 1}) / "b" / name).write_bytes(b"....ftypheic")
    images = read_folder(tmp_path).splits["train"].images
    kind = name.partition(".")[2].upper()
    with pytest.raises(BadImageError, match=rf"^b/{name}: {kind} files are not read; convert it to JPEG or PNG$"):
        images.open(list(images.names).index(f"b/{name}"))


@pytest.mark.parametrize("where", ["", "b", "b/deep"])
def test_a_folder_that_cannot_be_read_is_named(
    tmp_path: Path, make_folder: MakeFolder, monkeypatch: pytest.MonkeyPatch, where: str
) -> None:
    make_folder(tmp_path, {"a": 1, "b/deep": 1})
    closed, scandir = tmp_path / where, os.scandir

    def guarded(path: Path) -> object:
        if Path(path) == closed:
            raise PermissionError(13, "Permission denied", str(path))
        return scandir(path)

    monkeypatch.setattr(os, "scandir", guarded)
    with pytest.raises(ValueError, match=rf"^{closed}: cannot be read \(Permission denied\)$"):
        read_folder(tmp_path)


def test_links_to_folders_and_files_are_followed_once(tmp_path: Path, make_folder: MakeFolder) -> None:
    make_folder(tmp_path / "else", {"cat/deep": 2})
    make_folder(tmp_path / "set", {"dog": 1})
    (tmp_path / "set" / "cat").symlink_to(tmp_path / "else" / "cat")
    (tmp_path / "set" / "dog" / "more").symlink_to(tmp_path / "else" / "cat" / "deep")
    (tmp_path / "set" / "dog" / "up").symlink_to(tmp_path / "set")
    (tmp_path / "set" / "dog" / "self").symlink_to("self")
    source = read_folder(tmp_path / "set")
    assert list(source.splits["train"].images.names) == [
        *["cat/deep/000.png", "cat/deep/001.png"],
        *["dog/000.png", "dog/more/000.png", "dog/more/001.png"],
    ]
    assert list(source.odd) == ["dog/self: not an image by its name"]


def test_a_link_to_nothing_is_a_bad_image(tmp_path: Path, make_folder: MakeFolder) -> None:
    (make_folder(tmp_path, {"a": 1, "b": 1}) / "a" / "gone.png").symlink_to("nowhere.png")
    images = read_folder(tmp_path).splits["train"].images
    assert [str(error) for error in survey(images).errors(images)] == ["a/gone.png: no such file"]


def test_a_folder_called_train_beside_classes_is_refused(tmp_path: Path, make_folder: MakeFolder) -> None:
    make_folder(tmp_path, {"bus": 1, "car": 1, "train/red": 1})
    with pytest.raises(ValueError, match=r": train may be a split or a class, as bus, car beside it hold images too; "):
        read_folder(tmp_path)
    make_folder(tmp_path, {"test/red": 1})  # now it is a split
    source = read_folder(tmp_path)
    assert source.classes == ("red",)
    assert list(source.odd) == ["2 files .png: bus/000.png, car/000.png: an image that is in no class folder"]


def test_a_folder_without_images_beside_train_is_no_class(tmp_path: Path, make_folder: MakeFolder) -> None:
    make_folder(tmp_path, {"train/a": 1, "train/b": 1, "annotations": 0})
    (tmp_path / "annotations" / "a.xml").touch()
    assert list(read_folder(tmp_path).odd) == ["annotations/a.xml: not an image by its name"]


def test_splits_without_train_are_refused(tmp_path: Path, make_folder: MakeFolder) -> None:
    make_folder(tmp_path, {"test/cat": 1, "test/dog": 1})
    with pytest.raises(ValueError, match=rf"no folder train in it; .* name it: folder:{tmp_path}/test$"):
        read_folder(tmp_path)
    assert read_folder(tmp_path / "test").classes == ("cat", "dog")
    make_folder(tmp_path, {"cat": 1, "dog": 1, "cow": 1})
    with pytest.raises(ValueError, match=r": test holds the classes cat, dog as the folder itself does; move "):
        read_folder(tmp_path)


def test_a_test_folder_without_class_folders_has_no_labels(tmp_path: Path, make_folder: MakeFolder) -> None:
    make_folder(tmp_path, {"train/cat": 1, "train/dog": 1, "test": 3})
    with pytest.raises(
        ValueError, match=r"test: 3 images in no class folder; leave it out with data\.unlabelled skip$"
    ):
        read_folder(tmp_path)
    source = read_folder(tmp_path, "skip")
    assert list(source.splits) == ["train"]
    assert list(source.unlabelled) == ["test: 3 images in no class folder"]
    assert list(source.odd) == []


def test_endings_in_capitals_are_images(tmp_path: Path) -> None:
    for name in ("b.JPG", "a.Png", "c.jpeg", "d.txt", "e"):
        (tmp_path / name).touch()
    assert [path.name for path in find_images(tmp_path)] == ["a.Png", "b.JPG", "c.jpeg"]


@pytest.mark.parametrize("split", ["test", "val"])
def test_unknown_class_in_another_split_is_refused(tmp_path: Path, make_folder: MakeFolder, split: str) -> None:
    make_folder(tmp_path, {"train/cat": 1, "train/dog": 1, f"{split}/cat": 1, f"{split}/cow": 1})
    with pytest.raises(ValueError, match=rf"/{split}: class 'cow' is not among the classes of train$"):
        read_folder(tmp_path)


def test_class_without_images_is_refused_in_train_only(tmp_path: Path, make_folder: MakeFolder) -> None:
    make_folder(tmp_path, {"train/cat": 1, "train/dog": 1, "test/cat": 1, "test/dog": 0})
    assert len(read_folder(tmp_path).splits["test"]) == 1
    make_folder(tmp_path, {"train/empty": 0})
    with pytest.raises(ValueError, match=r"class 'empty' has no images$"):
        read_folder(tmp_path)


def test_missing_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"nowhere: no such folder$"):
        read_folder(tmp_path / "nowhere")


def test_folder_without_class_folders_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"expected one folder per class, found none$"):
        read_folder(tmp_path)
    (tmp_path / "a.png").touch()
    with pytest.raises(ValueError, match=r"expected one folder per class, found 1 image in no class folder$"):
        read_folder(tmp_path)
