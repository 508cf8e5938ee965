"""A column of labels to the numbers of classes; rows without a label are refused, or left out."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from assay.data.places import Place
from assay.data.split import Source

NO_LABEL = -1
_ENOUGH = 100  # rows, to tell classes from identifiers
_LARGEST_WHOLE = 2**53  # floating-point numbers from here on have gaps of more than 1


@dataclass(frozen=True)
class Column:
    """Where labels stand, for messages: the column's name, its first file, and the file and place of each row."""

    name: str
    file: Place
    place: Callable[[int], str]


def known_labels(labels: pa.ChunkedArray, column: Column) -> pa.ChunkedArray:
    """The labels, floats as int64; null where a row has none: null, NaN, or -1, the hub's mark of hidden labels.

    Raises:
        ValueError: lists or structs, or numbers that are not whole.
    """
    if pa.types.is_nested(labels.type):
        raise ValueError(
            f"{column.file}: column {column.name} holds {labels.type}, not one label for each image; "
            "choose another with --data.label"
        )
    if pa.types.is_dictionary(labels.type):
        labels = labels.cast(labels.type.value_type)
    if pa.types.is_floating(labels.type):  # whole numbers become so where some are missing
        labels = _whole_numbers(labels.cast(pa.float64()), column)
    if pa.types.is_signed_integer(labels.type):
        labels = pc.if_else(pc.equal(labels, NO_LABEL), None, labels)
    return labels


def _whole_numbers(labels: pa.ChunkedArray, column: Column) -> pa.ChunkedArray:
    """Numbers as int64, null for NaN; raises ``ValueError`` if they are not whole."""
    labels = pc.if_else(pc.is_nan(labels), None, labels)
    values = np.asarray(pc.fill_null(labels, 0.0))
    broken = np.flatnonzero((values != np.rint(values)) | (np.abs(values) >= _LARGEST_WHOLE))
    if len(broken):
        raise ValueError(
            f"{column.place(int(broken[0]))}: column {column.name} holds {values[broken[0]]}, expected classes: whole "
            "numbers or text"
        )
    return labels.cast(pa.int64())


def occurring(labels: pa.ChunkedArray, column: Column) -> tuple[str, ...]:
    """The classes that occur, in order: numbers by their size, text by the alphabet.

    Raises:
        ValueError: they are nearly as many as the rows, as identifiers, times or captions are.
    """
    classes = tuple(str(value) for value in sorted(labels.drop_null().unique().to_pylist()))
    if 2 * len(classes) > len(labels) >= _ENOUGH:
        raise ValueError(
            f"{column.file}: column {column.name} holds {len(classes):,} different values in {len(labels):,} rows: "
            "those are no classes; choose another with --data.label"
        )
    return classes


def class_numbers(
    labels: pa.ChunkedArray, column: Column, classes: Sequence[str], *, are_numbers: bool
) -> NDArray[np.int64]:
    """The number of each row's class, int64 ``[N]``; ``NO_LABEL`` where there is none.

    Args:
        labels: as ``known_labels`` returns them.
        column: where they stand.
        classes: the names of the classes.
        are_numbers: the labels are numbers of classes already, not their names.

    Raises:
        ValueError: a label is none of the classes.
    """
    number: Mapping[Any, int] = {index if are_numbers else name: index for index, name in enumerate(classes)}
    if len(number) < len(classes):
        raise ValueError(f"{column.file}: column {column.name}: labels are text, but two classes have the same name")
    encoded = labels.combine_chunks().dictionary_encode()
    values = [value if are_numbers else str(value) for value in encoded.dictionary.to_pylist()]
    of_value = np.array([*(number.get(value, len(classes)) for value in values), NO_LABEL], dtype=np.int64)
    found: NDArray[np.int64] = of_value[np.asarray(encoded.indices.fill_null(-1))]  # -1 is the last: no label
    unknown = np.flatnonzero(found == len(classes))
    if len(unknown):
        place, value = column.place(int(unknown[0])), labels[int(unknown[0])].as_py()
        raise ValueError(f"{place}: column {column.name}: label {value!r} is not one of the {len(classes)} classes")
    return found


def without_unlabelled(
    source: Source, stored: Mapping[str, pa.ChunkedArray], columns: Mapping[str, Column], unlabelled: str
) -> Source:
    """The source without the rows that have no label, and without a split in which no row has one.

    Args:
        source: with ``NO_LABEL`` among its labels.
        stored: the column of labels of each split, for the message.
        columns: where each split's labels stand.
        unlabelled: ``"skip"``, or ``"error"`` for a refusal.

    Raises:
        ValueError: rows without a label are not to be skipped, or no row of train has one.
    """
    splits, left_out = dict(source.splits), []
    for name, split in source.splits.items():
        missing = np.flatnonzero(split.labels == NO_LABEL)
        if not len(missing):
            continue
        text = f"{len(missing)} of the {len(split)} rows of {name} have no label"
        is_hopeless = name == "train" and len(missing) == len(split)
        if unlabelled == "error" or is_hopeless:
            row, column = int(missing[0]), columns[name]
            value = stored[name][row].as_py()
            cure = (
                "choose another column with data.label" if is_hopeless else "leave them out with data.unlabelled skip"
            )
            raise ValueError(f"{column.place(row)}: column {column.name}: label {value}: {text}; {cure}")
        left_out.append(text)
        splits[name] = split.take(np.flatnonzero(split.labels != NO_LABEL))
    kept = {name: split for name, split in splits.items() if len(split) or split is source.splits[name]}
    return replace(source, splits=kept, unlabelled=left_out)
