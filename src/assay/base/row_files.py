"""Rows as CSV, JSON lines or Parquet: the ending of the file's name chooses."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import Any, BinaryIO

from assay.base.atomic import replacing
from assay.base.registry import choose

Rows = Sequence[Mapping[str, Any]]
_FORMULA = ("=", "+", "-", "@", "\t", "\r")
_AT_A_TIME = 10_000  # rows
_CSV_DIGITS = 6  # CSV is for people too, and further digits of a probability change with the machine


def to_csv(rows: Rows, digits: int | None = _CSV_DIGITS) -> bytes:
    """Comma-separated, with a header; floats, such as probabilities, to six significant digits, or all for None."""
    buffer = io.StringIO()
    writer = csv.DictWriter(buffer, fieldnames=list(rows[0]) if rows else [], lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows if digits is None else [_rounded(row, digits) for row in rows])
    return buffer.getvalue().encode(errors="backslashreplace")  # names of files may hold bytes that are not UTF-8


def _rounded(row: Mapping[str, Any], digits: int) -> dict[str, Any]:
    return {name: f"{value:.{digits}g}" if isinstance(value, float) else value for name, value in row.items()}


def spreadsheet_safe(rows: Rows) -> list[dict[str, Any]]:
    """Return the rows with ``'`` before each text that a spreadsheet would run as a formula (OWASP, CSV injection)."""
    return with_texts(rows, lambda text: f"'{text}" if text.startswith(_FORMULA) else text)


def with_texts(rows: Rows, change: Callable[[str], str]) -> list[dict[str, Any]]:
    """Return the rows with each text changed, and all other values as they are."""
    return [{name: change(value) if isinstance(value, str) else value for name, value in row.items()} for row in rows]


def _write_csv(file: BinaryIO, parts: Iterable[Rows]) -> None:
    for place, rows in enumerate(parts):
        text = to_csv(rows)
        file.write(text if place == 0 else text.partition(b"\n")[2])  # one header


def _write_json_lines(file: BinaryIO, parts: Iterable[Rows]) -> None:
    """One JSON object per line."""
    for rows in parts:
        lines = "".join(json.dumps(dict(row), ensure_ascii=False) + "\n" for row in rows)
        file.write(lines.encode(errors="backslashreplace"))


def _write_parquet(file: BinaryIO, parts: Iterable[Rows]) -> None:
    """A group of rows for each part."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    writer = None
    for rows in parts:
        # Parquet's text is UTF-8, which names of files need not be.
        stored = with_texts(rows, lambda text: text.encode(errors="backslashreplace").decode())
        table = pa.Table.from_pylist(stored, None if writer is None else writer.schema)
        writer = writer or pq.ParquetWriter(file, table.schema)
        writer.write_table(table)
    assert writer is not None  # there is a first part
    writer.close()


FORMATS: dict[str, Callable[[BinaryIO, Iterable[Rows]], None]] = {
    ".csv": _write_csv,
    ".jsonl": _write_json_lines,
    ".parquet": _write_parquet,
}


def check_format(path: Path) -> None:
    """Raise ``ValueError`` if the ending names no format or the folder is missing: called before any work is done."""
    choose("output format", path.suffix.lower(), FORMATS)
    check_place(path)


def check_place(path: Path) -> None:
    """Raise ``ValueError`` if the file could not be written because of its folder."""
    if path.is_dir():
        raise ValueError(f"{path}: a folder, not a file to write to")
    if not path.parent.is_dir():
        raise ValueError(f"{path.parent}: no such folder to write to")


def check_folder(folder: Path) -> None:
    """Raise ``ValueError`` if the folder could not be made, because a file is in its place or above."""
    there = next(path for path in (folder, *folder.absolute().parents) if path.exists())
    if not there.is_dir():
        raise ValueError(f"{there}: a file, not a folder to write to")


def write_rows(path: Path, rows: Iterable[Mapping[str, Any]]) -> None:
    """Write rows with equal keys, atomically, some thousands at a time. Raises ``ValueError`` for an unknown format."""
    write = choose("output format", path.suffix.lower(), FORMATS)
    with replacing(path) as file:
        write(file, _parts(iter(rows)))


def _parts(rows: Iterator[Mapping[str, Any]]) -> Iterator[Rows]:
    """The rows in lists; the first one may be empty."""
    yield list(islice(rows, _AT_A_TIME))
    while part := list(islice(rows, _AT_A_TIME)):
        yield part
