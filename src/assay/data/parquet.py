"""``parquet:PATH``: image sets in the layout of the Hugging Face hub.

A column of images (a struct of encoded ``bytes`` and ``path``, or plain binary) and a column of
labels (numbers, whose names are in the schema's metadata, or text).
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from numpy.typing import NDArray

from assay.base.registry import nearest
from assay.base.text import quoted
from assay.data.folder import SPLIT_FOLDERS
from assay.data.images import EncodedImages
from assay.data.split import Source, Split


@dataclass(frozen=True)
class RowReader:
    """Fetches the encoded bytes of a row; a class so that it can be sent to worker processes."""

    column: pa.ChunkedArray

    def __call__(self, row: int) -> bytes | None:
        """The bytes of the image in ``row``; None if the row is empty."""
        content: Any = self.column[row].as_py()
        image: bytes | None = content["bytes"] if isinstance(content, dict) else content
        return image


def find_parquet(path: Path) -> dict[str, list[Path]]:
    """The Parquet files of each split: ``train-*.parquet`` and so on, in the folder or below.

    Raises:
        ValueError: nothing there, or no file of a train split.
    """
    if path.is_file():
        return {"train": [path]}
    if not path.is_dir():
        raise ValueError(f"parquet:{path}: no such file or folder")
    files = sorted(path.rglob("*.parquet"))
    found = {split: [file for file in files if _is_of(file, path, names)] for split, names in SPLIT_FOLDERS.items()}
    if not files:
        raise ValueError(f"parquet:{path}: no .parquet file in it")
    if not found["train"]:
        raise ValueError(f"parquet:{path}: none of its {len(files)} files is named train-*.parquet")
    return {split: part for split, part in found.items() if part}


def read_parquet(files: Mapping[str, Sequence[Path]], label: str | None = None, groups: str | None = None) -> Source:
    """Labelled splits from Parquet files.

    Args:
        files: the files of each split, in order.
        label: the label column; needed only where there are several.
        groups: a column whose equal values mark train and held-out images that no cut parts.

    Raises:
        ValueError: not Parquet, no image column, no or several label columns, a label out of range, no such column of
            groups, or a row without a group.
    """
    schema = _schema(files["train"][0])
    image_column = _image_column(schema, files["train"][0])
    label_column = _label_column(schema, label, image_column, files["train"][0])
    if groups is not None:
        _check_column(schema, groups, image_column, files["train"][0])
    columns = list(dict.fromkeys([image_column, label_column, *filter(None, [groups])]))
    # Groups keep images of train together, also those of the set's own held-out split where folds are cut from both.
    tables = {
        split: _read(part, [c for c in columns if c != groups or split != "test"]) for split, part in files.items()
    }
    classes = _classes(schema, label_column, tables["train"])
    names = _names({split: table[image_column] for split, table in tables.items()})
    group_of: dict[Any, int] = {}
    splits = {
        split: Split(
            EncodedImages(RowReader(table[image_column]), names[split], tuple(files[split])),
            _labels(files[split][0], table[label_column], classes),
            None if groups is None or split == "test" else _groups(files[split][0], table[groups], group_of),
        )
        for split, table in tables.items()
    }
    return Source(splits, classes)


def read_unlabelled(file: Path) -> EncodedImages:
    """The images of one Parquet file, whatever other columns it has; raises ``ValueError`` if it has none."""
    column = _image_column(_schema(file), file)
    images = _read([file], [column])[column]
    return EncodedImages(RowReader(images), _names({file.stem: images})[file.stem], (file,))


def _is_of(file: Path, root: Path, names: Sequence[str]) -> bool:
    """Whether the first word of the file's name, or of its folder's, is one of the names."""
    first_words = [re.split(r"[-_.]", part)[0] for part in file.relative_to(root).parts[-2:]]
    return any(word in names for word in first_words)


def _schema(file: Path) -> pa.Schema:
    try:
        return pq.read_schema(file)
    except FileNotFoundError:
        raise ValueError(f"{file}: no such file") from None
    except (OSError, pa.ArrowException) as error:
        raise ValueError(f"{file}: not a Parquet file ({' '.join(str(error).split())})") from None


def _read(files: Sequence[Path], columns: list[str]) -> pa.Table:
    try:
        return pa.concat_tables([pq.read_table(file, columns=columns) for file in files])
    except (OSError, KeyError, pa.ArrowException) as error:
        raise ValueError(f"{files[0]}: cannot be read ({' '.join(str(error).split())})") from None


def _features(schema: pa.Schema) -> Mapping[str, Any]:
    """The hub's own description of the columns, from the schema's metadata."""
    text = (schema.metadata or {}).get(b"huggingface", b"{}")
    description = json.loads(text)
    features = description.get("info", {}).get("features", {}) if isinstance(description, dict) else {}
    return {name: feature for name, feature in features.items() if isinstance(feature, dict)}  # some are lists


def _image_column(schema: pa.Schema, file: Path) -> str:
    for field in schema:
        is_struct = pa.types.is_struct(field.type) and field.type.get_field_index("bytes") >= 0
        if is_struct or pa.types.is_binary(field.type) or pa.types.is_large_binary(field.type):
            return str(field.name)
    raise ValueError(f"{file}: no column of images among {', '.join(schema.names)}")


def _label_column(schema: pa.Schema, wanted: str | None, image_column: str, file: Path) -> str:
    others = [name for name in schema.names if name != image_column]
    if wanted is not None:
        _check_column(schema, wanted, image_column, file)
        return wanted
    named = [name for name in others if _features(schema).get(name, {}).get("_type") == "ClassLabel"]
    candidates = named or [name for name in others if "label" in name.lower() or "class" in name.lower()]
    if len(candidates) != 1:
        problem = f"several label columns ({', '.join(candidates)})" if candidates else "no label column"
        raise ValueError(f"{file}: {problem}; choose one of {', '.join(others)} with --data.label")
    return str(candidates[0])


def _check_column(schema: pa.Schema, wanted: str, image_column: str, file: Path) -> None:
    others = [name for name in schema.names if name != image_column]
    if wanted not in others:
        raise ValueError(f"{file}: no column {quoted(wanted)}: {nearest(wanted, others)}")


def _classes(schema: pa.Schema, column: str, train: pa.Table) -> tuple[str, ...]:
    names = _features(schema).get(column, {}).get("names")
    if names:
        classes = tuple(map(str, names))
        twice = [name for name, times in Counter(classes).items() if times > 1]
        if twice:
            raise ValueError(f"column {column} has two classes called {twice[0]!r}; expected a name for each")
        return classes
    kind = schema.field(column).type
    if pa.types.is_nested(kind):
        raise ValueError(
            f"column {column} holds {kind}, not one label for each image; choose another with --data.label"
        )
    values = sorted(set(train[column].to_pylist()) - {None})  # an empty cell is no class; _labels names its row
    if pa.types.is_integer(kind):
        if values and values[-1] >= 100_000:  # identifiers or times, which would make as many outputs of the network
            raise ValueError(f"column {column} holds numbers up to {values[-1]}: those are not class numbers")
        return tuple(str(number) for number in range(max(values) + 1))
    return tuple(str(value) for value in values)


def _labels(file: Path, column: pa.ChunkedArray, classes: tuple[str, ...]) -> NDArray[np.int64]:
    if pa.types.is_integer(column.type):
        labels: NDArray[np.int64] = np.array(column.cast(pa.int64()).fill_null(-1))
    else:
        number = {text: index for index, text in enumerate(classes)}
        labels = np.array([number.get(str(value), -1) for value in column.to_pylist()], dtype=np.int64)
    wrong = np.flatnonzero((labels < 0) | (labels >= len(classes)))
    if len(wrong):
        value = column[int(wrong[0])].as_py()
        raise ValueError(f"{file}: row {wrong[0]}: label {value!r} is not one of the {len(classes)} classes")
    return labels


def _groups(file: Path, column: pa.ChunkedArray, numbers: dict[Any, int]) -> NDArray[np.int64]:
    """The number of the group of each row; ``numbers`` holds those of the values that were met before."""
    if pa.types.is_nested(column.type):
        raise ValueError(f"{file}: data.groups: the column holds {column.type}, not one value for each image")
    if column.null_count:
        row = column.is_null().to_pylist().index(True)
        raise ValueError(f"{file}: row {row}: data.groups: the column has no value")
    return np.array([numbers.setdefault(value, len(numbers)) for value in column.to_pylist()], dtype=np.int64)


def _names(columns: Mapping[str, pa.ChunkedArray]) -> dict[str, list[str]]:
    """The names of each split's images: the paths beside them, or split and number if the paths are not unique.

    Where two splits have a path in common, the split stands before it: names tell images apart in reports, and bad
    images are left out by name.
    """
    names = {}
    for split, column in columns.items():
        has_paths = pa.types.is_struct(column.type) and column.type.get_field_index("path") >= 0
        paths = pc.struct_field(column, "path").to_pylist() if has_paths else []
        is_unique = len(set(paths)) == len(column) and all(paths)
        names[split] = paths if is_unique else [f"{split}/{row:05d}" for row in range(len(column))]
    is_shared = len(set(chain.from_iterable(names.values()))) < sum(map(len, names.values()))
    return {split: [f"{split}/{name}" for name in part] if is_shared else part for split, part in names.items()}
