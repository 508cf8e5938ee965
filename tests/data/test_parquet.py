"""Parquet files, as they lie on the Hugging Face hub and as others write them."""

from __future__ import annotations

import io
import json
import pickle
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from assay.data.images import BadImageError
from assay.data.parquet import find_parquet, read_parquet, read_unlabelled
from assay.data.split import Source

WriteParquet = Callable[..., Path]
Picture = Callable[..., np.ndarray]


def read(path: Path, label: str | None = None) -> Source:
    return read_parquet(find_parquet(path), label)


def refusal(path: Path, label: str | None = None) -> str:
    with pytest.raises(ValueError) as caught:  # noqa: PT011 - the caller looks at the text
        read(path, label)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_hub_layout(tmp_path: Path, write_parquet: WriteParquet, picture: Picture) -> None:
    names = {"label": ["cat", "dog"]}
    write_parquet(tmp_path / "data" / "train-00000-of-00002.parquet", {"label": [0, 1, 1]}, names=names)
    write_parquet(tmp_path / "data" / "train-00001-of-00002.parquet", {"label": [0]}, names=names)
    write_parquet(tmp_path / "data" / "test-00000-of-00001.parquet", {"label": [1, 0]}, names=names)
    write_parquet(tmp_path / "data" / "validation-00000-of-00001.parquet", {"label": [1]}, names=names)
    source = read(tmp_path)
    assert source.classes == ("cat", "dog")
    assert {name: split.labels.tolist() for name, split in source.splits.items()} == {
        "train": [0, 1, 1, 0],
        "held-out": [1],
        "test": [1, 0],
    }
    train = source.splits["train"]
    assert train.labels.dtype == np.int64
    assert list(train.images.names) == [f"train/0000{row}" for row in range(4)]
    assert np.array_equal(np.asarray(train.images.open(2)), picture(2))  # row 2 of the first file
    assert np.array_equal(np.asarray(train.images.open(3)), picture(0))  # row 0 of the second


def test_folders_named_after_splits(tmp_path: Path, write_parquet: WriteParquet) -> None:
    write_parquet(tmp_path / "default" / "train" / "0000.parquet", {"label": [0, 1]})
    write_parquet(tmp_path / "default" / "test" / "0000.parquet", {"label": [1]})
    assert {name: len(split) for name, split in read(tmp_path).splits.items()} == {"train": 2, "test": 1}


def test_single_file_is_train(tmp_path: Path, write_parquet: WriteParquet) -> None:
    source = read(write_parquet(tmp_path / "pets.parquet", {"label": [2, 0]}))
    assert list(source.splits) == ["train"]
    assert source.classes == ("0", "1", "2")


def test_text_labels_are_sorted(tmp_path: Path, write_parquet: WriteParquet) -> None:
    source = read(write_parquet(tmp_path / "a.parquet", {"label": ["dog", "cat", "dog"]}))
    assert source.classes == ("cat", "dog")
    assert source.splits["train"].labels.tolist() == [1, 0, 1]


def test_dictionary_encoded_labels(tmp_path: Path, write_parquet: WriteParquet) -> None:
    labels = pa.array(["dog", "cat", "dog"]).dictionary_encode()
    assert read(write_parquet(tmp_path / "a.parquet", {"label": labels})).splits["train"].labels.tolist() == [1, 0, 1]


@pytest.mark.parametrize("kind", [pa.binary(), pa.large_binary()])
def test_plain_binary_column(
    tmp_path: Path, write_parquet: WriteParquet, picture: Picture, as_png: Callable[..., bytes], kind: pa.DataType
) -> None:
    images = pa.array([as_png(picture(5)), as_png(picture(6))], kind)
    file = write_parquet(tmp_path / "a.parquet", {"label": [0, 1]}, images=images, image_column="jpg")
    split = read(file).splits["train"]
    assert np.array_equal(np.asarray(split.images.open(1)), picture(6))


def test_rows_are_named_by_their_paths_where_these_are_unique(
    tmp_path: Path, write_parquet: WriteParquet, as_png: Callable[..., bytes], picture: Picture
) -> None:
    def names(*paths: str | None) -> list[str]:
        images = [{"bytes": as_png(picture(0)), "path": path} for path in paths]
        file = write_parquet(tmp_path / "a.parquet", {"label": [0, 1]}, images=images)
        return list(read(file).splits["train"].images.names)

    assert names("x.png", "y.png") == ["x.png", "y.png"]
    assert names("x.png", "x.png") == names("x.png", None) == ["train/00000", "train/00001"]


def test_several_label_columns_need_a_choice(tmp_path: Path, write_parquet: WriteParquet) -> None:
    names = {"fine_label": ["a", "b", "c"], "coarse_label": ["x", "y"]}
    columns = {"fine_label": [0, 2], "coarse_label": [1, 0], "caption": ["u", "v"]}
    file = write_parquet(tmp_path / "a.parquet", columns, names=names)
    text = refusal(file)
    assert "several label columns (fine_label, coarse_label)" in text
    assert "--data.label" in text
    coarse = read(file, "coarse_label")
    assert (coarse.classes, coarse.splits["train"].labels.tolist()) == (("x", "y"), [1, 0])
    assert read(file, "fine_label").classes == ("a", "b", "c")
    assert "no column 'fine_labl': did you mean fine_label?" in refusal(file, "fine_labl")


def test_described_label_column_comes_before_one_that_is_called_so(tmp_path: Path, write_parquet: WriteParquet) -> None:
    columns = {"label_text": ["u", "v"], "kind": [1, 0]}
    assert read(write_parquet(tmp_path / "a.parquet", columns, names={"kind": ["x", "y"]})).classes == ("x", "y")


def test_two_classes_of_one_name_are_refused(tmp_path: Path, write_parquet: WriteParquet) -> None:
    file = write_parquet(tmp_path / "a.parquet", {"label": [0, 1]}, names={"label": ["a", "a"]})
    assert refusal(file) == "column label has two classes called 'a'; expected a name for each"


def test_no_label_column_lists_the_columns(tmp_path: Path, write_parquet: WriteParquet) -> None:
    text = refusal(write_parquet(tmp_path / "a.parquet", {"caption": ["u"], "id": [3]}))
    assert "no label column; choose one of caption, id with --data.label" in text


def test_missing_image_column(tmp_path: Path) -> None:
    pq.write_table(pa.table({"label": [0], "url": ["http://x"]}), tmp_path / "a.parquet")
    assert refusal(tmp_path / "a.parquet").endswith("no column of images among label, url")


def test_label_out_of_range_is_refused_with_its_row(tmp_path: Path, write_parquet: WriteParquet) -> None:
    write_parquet(tmp_path / "train.parquet", {"label": [0, 1]}, names={"label": ["a", "b"]})
    write_parquet(tmp_path / "test.parquet", {"label": [0, -1]}, names={"label": ["a", "b"]})
    assert refusal(tmp_path).endswith("test.parquet: row 1: label -1 is not one of the 2 classes")
    write_parquet(tmp_path / "test.parquet", {"label": [2, 0]}, names={"label": ["a", "b"]})
    assert refusal(tmp_path).endswith("test.parquet: row 0: label 2 is not one of the 2 classes")


@pytest.mark.parametrize("names", [None, {"label": ["a", "b"]}], ids=["numbers", "named"])
@pytest.mark.parametrize("kind", [pa.int64(), pa.uint8()])
def test_missing_number_is_refused_with_its_row(
    tmp_path: Path, write_parquet: WriteParquet, names: dict[str, list[str]] | None, kind: pa.DataType
) -> None:
    file = write_parquet(tmp_path / "a.parquet", {"label": pa.array([0, None, 1], kind)}, names=names)
    assert refusal(file).endswith("row 1: label None is not one of the 2 classes")


def test_missing_text_is_refused_with_its_row(tmp_path: Path, write_parquet: WriteParquet) -> None:
    file = write_parquet(tmp_path / "a.parquet", {"label": ["cat", "dog", None]})
    assert refusal(file).endswith("row 2: label None is not one of the 2 classes")


def test_columns_described_by_lists_are_passed_over(tmp_path: Path, write_parquet: WriteParquet) -> None:
    file = write_parquet(tmp_path / "a.parquet", {"label": [0, 1], "boxes": [[1], [2]]})
    features = {"label": {"names": ["a", "b"], "_type": "ClassLabel"}, "boxes": [{"dtype": "int64", "_type": "Value"}]}
    described = {"huggingface": json.dumps({"info": {"features": features}})}
    pq.write_table(pq.read_table(file).replace_schema_metadata(described), file)
    assert read(file).classes == ("a", "b")


@pytest.mark.parametrize("split", ["train", "test"])
def test_cut_off_file_is_refused_by_name(tmp_path: Path, write_parquet: WriteParquet, split: str) -> None:
    for name in ("train", "test"):
        write_parquet(tmp_path / f"{name}-0.parquet", {"label": [0, 1]})
    file = tmp_path / f"{split}-0.parquet"
    file.write_bytes(file.read_bytes()[:-100])
    assert f"{split}-0.parquet: " in refusal(tmp_path)


def test_split_without_the_label_column_is_refused(tmp_path: Path, write_parquet: WriteParquet) -> None:
    write_parquet(tmp_path / "train.parquet", {"label": [0, 1]})
    write_parquet(tmp_path / "test.parquet", {"other": [0, 1]})
    assert "test.parquet: cannot be read" in refusal(tmp_path)


def test_nothing_there(tmp_path: Path, write_parquet: WriteParquet) -> None:
    assert refusal(tmp_path / "nowhere").endswith("nowhere: no such file or folder")
    assert refusal(tmp_path).endswith("no .parquet file in it")
    write_parquet(tmp_path / "pets.parquet", {"label": [0]})
    assert refusal(tmp_path).endswith("none of its 1 files is named train-*.parquet")


def test_file_that_is_not_parquet(tmp_path: Path) -> None:
    (tmp_path / "a.parquet").write_text("words")
    assert "a.parquet: not a Parquet file (" in refusal(tmp_path / "a.parquet")


def test_row_without_bytes_is_a_bad_image(tmp_path: Path, write_parquet: WriteParquet) -> None:
    images = pa.array([{"bytes": None, "path": "far.png"}], pa.struct([("bytes", pa.binary()), ("path", pa.string())]))
    split = read(write_parquet(tmp_path / "a.parquet", {"label": [0]}, images=images)).splits["train"]
    with pytest.raises(BadImageError, match=r"^far\.png: has no bytes$"):
        split.images.open(0)


def test_images_can_be_sent_to_a_worker(tmp_path: Path, write_parquet: WriteParquet, picture: Picture) -> None:
    images = read(write_parquet(tmp_path / "a.parquet", {"label": [0, 1]})).splits["train"].images
    buffer = io.BytesIO(pickle.dumps(images))
    assert np.array_equal(np.asarray(pickle.load(buffer).open(1)), picture(1))


def test_unlabelled_images(tmp_path: Path, write_parquet: WriteParquet, picture: Picture) -> None:
    images = read_unlabelled(write_parquet(tmp_path / "new.parquet", {"caption": ["u", "v"]}))
    assert list(images.names) == ["new/00000", "new/00001"]
    assert np.array_equal(np.asarray(images.open(1)), picture(1))
