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
from assay.data.parquet import read_parquet, read_unlabelled
from assay.data.shards import find_shards
from assay.data.split import Source

WriteParquet = Callable[..., Path]
Picture = Callable[..., np.ndarray]


def read(path: Path, label: str | None = None) -> Source:
    return read_parquet(find_shards(path, "parquet", ".parquet"), label)


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
    assert source.classes == ("0", "2")


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


def test_two_classes_of_one_name_stay_two(tmp_path: Path, write_parquet: WriteParquet) -> None:
    names = {"label": ["crane", "hen", "crane", "Hen"]}
    source = read(write_parquet(tmp_path / "a.parquet", {"label": [0, 1, 2, 3]}, names=names))
    assert source.classes == ("crane (0)", "hen", "crane (2)", "Hen")
    assert source.splits["train"].labels.tolist() == [0, 1, 2, 3]
    assert list(source.odd) == ["classes of the same name are told apart by their numbers: crane (0), crane (2)"]
    file = write_parquet(tmp_path / "a.parquet", {"label": ["crane"]}, names=names)
    assert refusal(file) == f"{file}: column label: labels are text, but two classes have the same name"


def test_no_label_column_lists_the_columns(tmp_path: Path, write_parquet: WriteParquet) -> None:
    text = refusal(write_parquet(tmp_path / "a.parquet", {"caption": ["u"], "id": [3]}))
    assert "no label column; choose one of caption, id with --data.label" in text


def with_columns(file: Path, described: str, **columns: object) -> Path:
    """A file of two rows; ``described`` are the columns that the hub calls an Image."""
    features = {name: {"_type": "Image"} for name in described.split()}
    metadata = {"huggingface": json.dumps({"info": {"features": features}})}
    pq.write_table(pa.table({**columns, "label": [0, 1]}).replace_schema_metadata(metadata), file)
    return file


@pytest.mark.parametrize(
    ("described", "others", "name"),
    [
        ("photo", ("mask", "image"), "photo"),
        ("mask image", ("mask",), "image"),
        ("", ("mask", "phash"), "image"),
        ("", ("mask",), "IMG"),
        ("", (), "x"),
    ],
)
def test_image_column_is_known_by_description_then_name_then_alone(
    tmp_path: Path,
    picture: Picture,
    as_png: Callable[..., bytes],
    described: str,
    others: tuple[str, ...],
    name: str,
) -> None:
    columns = {column: [b"no", b"image"] for column in others}
    file = with_columns(
        tmp_path / "a.parquet", described, **columns, **{name: [as_png(picture(seed)) for seed in (5, 6)]}
    )
    for images in (read(file).splits["train"].images, read_unlabelled(file)):
        assert np.array_equal(np.asarray(images.open(1)), picture(6))


@pytest.mark.parametrize("names", [("mask", "photo"), ("image", "img")])
def test_several_image_columns_are_refused(tmp_path: Path, names: tuple[str, ...]) -> None:
    file = with_columns(tmp_path / "a.parquet", "", **{name: [b"a", b"b"] for name in names})
    cure = "rename the right one to image"
    assert refusal(file) == f"{file}: several columns may hold the images ({', '.join(names)}); {cure}"


def test_missing_image_column(tmp_path: Path) -> None:
    pq.write_table(pa.table({"label": [0], "url": ["http://x"]}), tmp_path / "a.parquet")
    assert refusal(tmp_path / "a.parquet").endswith("no column of images among label, url")


def test_label_out_of_range_is_refused_with_its_row(tmp_path: Path, write_parquet: WriteParquet) -> None:
    write_parquet(tmp_path / "train.parquet", {"label": [0, 1]}, names={"label": ["a", "b"]})
    write_parquet(tmp_path / "test-0.parquet", {"label": [1]}, names={"label": ["a", "b"]})
    write_parquet(tmp_path / "test-1.parquet", {"label": [0, -2]}, names={"label": ["a", "b"]})
    assert refusal(tmp_path).endswith("test-1.parquet: row 1: column label: label -2 is not one of the 2 classes")
    write_parquet(tmp_path / "test-0.parquet", {"label": [2]}, names={"label": ["a", "b"]})
    assert refusal(tmp_path).endswith("test-0.parquet: row 0: column label: label 2 is not one of the 2 classes")


def test_numbers_without_names_are_the_classes_that_occur(tmp_path: Path, write_parquet: WriteParquet) -> None:
    write_parquet(tmp_path / "train.parquet", {"label": [977, 3, 40, 3]})
    write_parquet(tmp_path / "test.parquet", {"label": [40]})
    source = read(tmp_path)
    assert source.classes == ("3", "40", "977")
    assert [split.labels.tolist() for split in source.splits.values()] == [[2, 0, 1, 0], [1]]
    write_parquet(tmp_path / "test.parquet", {"label": [4]})
    assert refusal(tmp_path).endswith("test.parquet: row 0: column label: label 4 is not one of the 3 classes")


NAN = float("nan")


@pytest.mark.parametrize(
    ("labels", "names", "classes", "kept"),
    [
        (pa.array([0, None, 1, None]), None, ("0", "1"), [0, 1]),
        (pa.array([0, None, 1, None], pa.uint8()), ["a", "b"], ("a", "b"), [0, 1]),
        (pa.array([1, -1, 0, -1]), ["a", "b"], ("a", "b"), [1, 0]),
        (pa.array([7.0, NAN, 5.0, None]), None, ("5", "7"), [1, 0]),
        (pa.array([1.0, NAN, 0.0, -1.0], pa.float32()), ["a", "b"], ("a", "b"), [1, 0]),
        (pa.array(["None", None, "cat", None]), None, ("None", "cat"), [0, 1]),
        (pa.array(["dog", None, "cat", None]).dictionary_encode(), None, ("cat", "dog"), [1, 0]),
        (pa.array(["b", None, "b", None]), ["a", "b"], ("a", "b"), [1, 1]),
        (pa.array([True, None, False, None]), None, ("False", "True"), [1, 0]),
    ],
)
def test_rows_without_a_label_are_refused_or_left_out(
    tmp_path: Path,
    write_parquet: WriteParquet,
    picture: Picture,
    labels: pa.Array,
    names: list[str] | None,
    classes: tuple[str, ...],
    kept: list[int],
) -> None:
    file = write_parquet(tmp_path / "a.parquet", {"label": labels}, names={"label": names} if names else None)
    text = refusal(file)
    assert f"{file}: row 1: column label: label {labels[1].as_py()}: 2 of the 4 rows of train have no label" in text
    assert text.endswith("; leave them out with data.unlabelled skip")
    source = read_parquet(find_shards(file, "parquet", ".parquet"), unlabelled="skip")
    train = source.splits["train"]
    assert (source.classes, train.labels.tolist()) == (classes, kept)
    assert list(train.images.names) == ["train/00000", "train/00002"]
    assert np.array_equal(np.asarray(train.images.open(1)), picture(2))
    assert list(source.unlabelled) == ["2 of the 4 rows of train have no label"]


def test_split_with_hidden_labels_is_left_out_whole(tmp_path: Path, write_parquet: WriteParquet) -> None:
    names = {"label": ["a", "b"]}
    write_parquet(tmp_path / "train.parquet", {"label": [0, 1]}, names=names)
    write_parquet(tmp_path / "test.parquet", {"label": [-1, -1, -1]}, names=names)
    assert "3 of the 3 rows of test have no label; leave them out with data.unlabelled skip" in refusal(tmp_path)
    source = read_parquet(find_shards(tmp_path, "parquet", ".parquet"), unlabelled="skip")
    assert list(source.splits) == ["train"]
    assert list(source.unlabelled) == ["3 of the 3 rows of test have no label"]


@pytest.mark.parametrize("labels", [pa.nulls(2), pa.nulls(2, pa.int64()), pa.array([-1, -1]), pa.nulls(2, pa.string())])
def test_train_without_any_label_is_refused(tmp_path: Path, write_parquet: WriteParquet, labels: pa.Array) -> None:
    file = write_parquet(tmp_path / "a.parquet", {"label": labels})
    for unlabelled in ("error", "skip"):
        with pytest.raises(ValueError, match=r"2 of the 2 rows of train have no label; choose another column"):
            read_parquet(find_shards(file, "parquet", ".parquet"), unlabelled=unlabelled)


def test_columns_that_hold_no_classes_are_refused(tmp_path: Path, write_parquet: WriteParquet) -> None:
    def text(labels: list[object]) -> str:
        return refusal(write_parquet(tmp_path / "a.parquet", {"label": labels}, side=1))

    assert text([1.0, 0.5]).endswith("row 1: column label holds 0.5, expected classes: whole numbers or text")
    assert text([1.0, float("inf")]).endswith("row 1: column label holds inf, expected classes: whole numbers or text")
    assert "column label holds list<element: int64>, not one label for each image" in text([[1], [2]])
    assert "column label holds 120 different values in 120 rows: those are no classes" in text(list(range(120)))
    assert "column label holds 120 different values" in text([f"a bird, {row}" for row in range(120)])
    empty = write_parquet(tmp_path / "a.parquet", {"label": pa.array([], pa.int64())}, images=pa.array([], pa.binary()))
    assert refusal(empty).endswith("a.parquet: no row in train")


def described(file: Path, metadata: object) -> Path:
    content = metadata if isinstance(metadata, str) else json.dumps(metadata)
    pq.write_table(pq.read_table(file).replace_schema_metadata({"huggingface": content}), file)
    return file


@pytest.mark.parametrize(
    "metadata", ["words", [1], {"info": [1]}, {"info": {"features": [1]}}, {"info": {"features": "label"}}]
)
def test_metadata_that_is_not_the_hubs_is_refused(
    tmp_path: Path, write_parquet: WriteParquet, metadata: object
) -> None:
    file = described(write_parquet(tmp_path / "a.parquet", {"label": [0, 1]}), metadata)
    assert refusal(file) == f"{file}: its metadata 'huggingface' is not the hub's JSON object (info, in it features)"


@pytest.mark.parametrize("names", [[1, None], "ab", {"a": 0}, ["a", 2], 7])
def test_class_names_that_are_no_texts_are_refused(tmp_path: Path, write_parquet: WriteParquet, names: object) -> None:
    features = {"label": {"names": names, "_type": "ClassLabel"}}
    file = described(write_parquet(tmp_path / "a.parquet", {"label": [0, 1]}), {"info": {"features": features}})
    text = f"{file}: column label: its class names are {json.dumps(names)}, expected texts alone"
    assert refusal(file) == text


@pytest.mark.parametrize("metadata", [{}, {"info": None}, {"info": {"features": None}}, {"info": {}}])
def test_metadata_that_says_nothing_is_passed_over(
    tmp_path: Path, write_parquet: WriteParquet, metadata: object
) -> None:
    file = described(write_parquet(tmp_path / "a.parquet", {"label": [0, 1]}), metadata)
    assert read(file).classes == ("0", "1")


def test_files_must_agree_on_the_class_names(tmp_path: Path, write_parquet: WriteParquet) -> None:
    write_parquet(tmp_path / "train.parquet", {"label": [0, 1]}, names={"label": ["a", "b"]})
    write_parquet(tmp_path / "test.parquet", {"label": [0, 1]}, names={"label": ["b", "a"]})
    assert "test.parquet: column label: its class names are not those of " in refusal(tmp_path)


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
    kind = pa.struct([("bytes", pa.binary()), ("path", pa.string())])
    images = pa.array([{"bytes": None, "path": "far.png"}, {"bytes": b"", "path": "empty.png"}, None], kind)
    split = read(write_parquet(tmp_path / "a.parquet", {"label": [0] * 3}, images=images)).splits["train"]
    with pytest.raises(BadImageError, match=r"cannot be read \(the row holds a path but no bytes; save the set with "):
        split.images.open(0)
    for row in (1, 2):
        with pytest.raises(BadImageError, match=r": has no bytes$"):
            split.images.open(row)


def test_bytes_of_another_type_are_no_images(tmp_path: Path, write_parquet: WriteParquet) -> None:
    file = write_parquet(tmp_path / "a.parquet", {"label": [0]}, images=[{"bytes": "text", "path": "a.png"}])
    text = "a.parquet: no column of images among image (struct<bytes: string, path: string>), label"
    assert refusal(file).endswith(text)


def test_images_can_be_sent_to_a_worker(tmp_path: Path, write_parquet: WriteParquet, picture: Picture) -> None:
    images = read(write_parquet(tmp_path / "a.parquet", {"label": [0, 1]})).splits["train"].images
    buffer = io.BytesIO(pickle.dumps(images))
    assert np.array_equal(np.asarray(pickle.load(buffer).open(1)), picture(1))


def test_unlabelled_images(tmp_path: Path, write_parquet: WriteParquet, picture: Picture) -> None:
    images = read_unlabelled(write_parquet(tmp_path / "new.parquet", {"caption": ["u", "v"]}))
    assert list(images.names) == ["new/00000", "new/00001"]
    assert np.array_equal(np.asarray(images.open(1)), picture(1))


def test_a_small_file_that_unpacks_to_much_is_refused(tmp_path: Path) -> None:
    """Its rows are one dictionary entry, of which only the first rows are unpacked."""
    rows = [{"bytes": bytes(1_000_000), "path": None}] * 500
    pq.write_table(pa.table({"image": rows, "label": [0, 1] * 250}), tmp_path / "set.parquet", compression="zstd")
    with pytest.raises(ValueError, match=r"set\.parquet: unpacks to more than 268,435,456 bytes"):
        read_parquet({"train": [tmp_path / "set.parquet"]})


def test_paths_that_are_no_texts_are_no_names(tmp_path: Path, write_parquet: Callable[..., Path]) -> None:
    for number, path in enumerate((b"a", [1])):
        images = [{"bytes": b"x", "path": path}, {"bytes": b"y", "path": path * 2}]
        file = write_parquet(tmp_path / f"{number}.parquet", {"label": [0, 1]}, images=images)
        assert list(read_parquet({"train": [file]}).splits["train"].images.names) == ["train/00000", "train/00001"]
