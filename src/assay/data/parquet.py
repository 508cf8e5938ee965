"""``parquet:PATH``: image sets in the layout of the Hugging Face hub.

A column of images (a struct of encoded ``bytes`` and ``path``, or plain binary) and a column of
labels (numbers, whose names are in the schema's metadata, or text).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from itertools import chain
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from numpy.typing import NDArray

from assay.data.byte_range import for_arrow
from assay.data.choices import OnUnlabelled
from assay.data.images import EncodedImages
from assay.data.labels import Column, class_numbers, known_labels, occurring, without_unlabelled
from assay.data.parquet_columns import check_column, class_names, image_column, label_column
from assay.data.parquet_readers import GroupReader, RowReader, read_columns, read_paths
from assay.data.places import Place, UnreachableError, size_of
from assay.data.split import Source, Split

MEMORY = 4.0  # GiB


def read_parquet(
    files: Mapping[str, Sequence[Place]],
    label: str | None = None,
    groups: str | None = None,
    unlabelled: OnUnlabelled = "error",
    memory: float = MEMORY,
) -> Source:
    """Labelled splits from Parquet files.

    Numbers without names in the hub's description become the classes that occur in train, named by their numbers.

    Args:
        files: the files of each split, in order.
        label: the label column; needed only where there are several.
        groups: a column whose equal values mark train and held-out images that no cut parts.
        unlabelled: ``"skip"`` leaves rows without a label out (null, NaN, or -1), and a split that has no other.
        memory: GiB of files up to which the encoded images are held; of larger sets a group of rows is read at a time.

    Raises:
        ValueError: not Parquet, no or several image columns, no or several label columns, a row without a label,
            a label that is no class, no such column of groups, or a row without a group.
    """
    first = files["train"][0]
    schema = _schema(first)
    images = image_column(schema, first)
    labels = label_column(schema, label, images, first)
    if groups is not None:
        check_column(schema, groups, images, first)
    # Groups keep images of train together, also those of the set's own held-out split where folds are cut from both.
    tables = {
        split: read_columns(part, [labels] if groups is None or split == "test" else list({labels: 0, groups: 0}))
        for split, part in files.items()
    }
    if not len(tables["train"]):
        raise ValueError(f"{first}: no row in train")
    stored = {split: table[labels] for split, table in tables.items()}
    columns_of = {split: Column(labels, part[0], partial(_place_of, part)) for split, part in files.items()}
    classes, numbers = _classes(files, stored, columns_of)
    encoded = _images(files, images, schema, memory)
    group_of: dict[Any, int] = {}
    splits = {
        split: Split(
            encoded[split],
            numbers[split],
            None if groups is None or split == "test" else _groups(files[split], table[groups], group_of),
        )
        for split, table in tables.items()
    }
    return without_unlabelled(Source(splits, classes), stored, columns_of, unlabelled)


def read_unlabelled(file: Place) -> EncodedImages:
    """The images of one Parquet file, whatever other columns it has; raises ``ValueError`` if it has none."""
    schema = _schema(file)
    return _images({file.stem: [file]}, image_column(schema, file), schema, MEMORY)[file.stem]


def _images(
    files: Mapping[str, Sequence[Place]], column: str, schema: pa.Schema, memory: float
) -> dict[str, EncodedImages]:
    """The images of each split: in memory if all the files are no larger than it, else read by groups of rows."""
    size = sum(size_of(file) for file in chain.from_iterable(files.values()))
    if size <= memory * 2**30:
        columns = {split: read_columns(part, [column])[column] for split, part in files.items()}
        paths = {split: pc.struct_field(part, "path") for split, part in columns.items() if _has_paths(part.type)}
        names = _names({split: len(part) for split, part in columns.items()}, paths)
        return {
            split: EncodedImages(RowReader(part), names[split], tuple(files[split])) for split, part in columns.items()
        }
    readers = {split: GroupReader.of(part, column) for split, part in files.items()}
    has_paths = _has_paths(schema.field(column).type)
    paths = {split: read_paths(part, column) for split, part in files.items()} if has_paths else {}
    names = _names({split: int(reader.starts[-1]) for split, reader in readers.items()}, paths)
    return {
        split: EncodedImages(reader, names[split], tuple(files[split]), reader.parts, reader.excerpt)
        for split, reader in readers.items()
    }


def _has_paths(kind: pa.DataType) -> bool:
    place = kind.get_field_index("path") if pa.types.is_struct(kind) else -1
    return place >= 0 and bool(pa.types.is_string(kind.field(place).type))


def _schema(file: Place) -> pa.Schema:
    try:
        with for_arrow(file) as opened:
            return pq.read_schema(opened)
    except UnreachableError:
        raise
    except FileNotFoundError:
        raise ValueError(f"{file}: no such file") from None
    except (OSError, pa.ArrowException) as error:
        raise ValueError(f"{file}: not a Parquet file ({' '.join(str(error).split())})") from None


def _classes(
    files: Mapping[str, Sequence[Place]], stored: Mapping[str, pa.ChunkedArray], columns: Mapping[str, Column]
) -> tuple[tuple[str, ...], dict[str, NDArray[np.int64]]]:
    """The names of the classes, and the number of the class of each row of each split."""
    labels = {split: known_labels(part, columns[split]) for split, part in stored.items()}
    described = _described_classes(files, columns["train"].name)
    classes = described or occurring(labels["train"], columns["train"])
    numbers = {
        split: class_numbers(
            part, columns[split], classes, are_numbers=bool(described) and pa.types.is_integer(part.type)
        )
        for split, part in labels.items()
    }
    return classes, numbers


def _described_classes(files: Mapping[str, Sequence[Place]], column: str) -> tuple[str, ...]:
    """The hub's names of the classes; those of another order in one of the files would be other labels."""
    first = files["train"][0]
    names = class_names(_schema(first), column, first)
    for file in chain.from_iterable(files.values()):
        others = class_names(_schema(file), column, file)
        if others and names and others != names:
            raise ValueError(f"{file}: column {column}: its class names are not those of {first}")
    return names


def _groups(files: Sequence[Place], column: pa.ChunkedArray, numbers: dict[Any, int]) -> NDArray[np.int64]:
    """The number of the group of each row; ``numbers`` holds those of the values that were met before."""
    if pa.types.is_nested(column.type):
        raise ValueError(f"{files[0]}: data.groups: the column holds {column.type}, not one value for each image")
    if column.null_count:
        place = _place_of(files, column.is_null().to_pylist().index(True))
        raise ValueError(f"{place}: data.groups: the column has no value")
    return np.array([numbers.setdefault(value, len(numbers)) for value in column.to_pylist()], dtype=np.int64)


def _names(counts: Mapping[str, int], paths: Mapping[str, pa.ChunkedArray]) -> dict[str, list[str]]:
    """The names of each split's images: the paths beside them, or split and number if the paths are not unique.

    Where two splits have a path in common, the split stands before it: names tell images apart in reports, and bad
    images are left out by name.
    """
    names = {}
    for split, count in counts.items():
        given = paths[split].to_pylist() if split in paths else []
        is_unique = len(set(given)) == count and all(given)
        names[split] = given if is_unique else [f"{split}/{row:05d}" for row in range(count)]
    is_shared = len(set(chain.from_iterable(names.values()))) < sum(map(len, names.values()))
    return {split: [f"{split}/{name}" for name in part] if is_shared else part for split, part in names.items()}


def _place_of(files: Sequence[Place], row: int) -> str:
    """The file that a split's row comes from, and its row there, from 0."""
    for file in files:
        with for_arrow(file) as opened:
            count = pq.read_metadata(opened).num_rows
        if row < count:
            break
        row -= count
    return f"{file}: row {row}"
