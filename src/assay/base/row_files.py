"""Rows as CSV, JSON lines or Parquet: the ending of the file's name chooses."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from assay.base.atomic import replace_file
from assay.base.registry import choose

Rows = Sequence[Mapping[str, Any]]
_FORMULA = ("=", "+", "-", "@", "\t", "\r")
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


def to_json_lines(rows: Rows) -> bytes:
    """One JSON object per line."""
    return "".join(json.dumps(dict(row), ensure_ascii=False) + "\n" for row in rows).encode(errors="backslashreplace")


def to_parquet(rows: Rows) -> bytes:
    """One Parquet file."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    buffer = io.BytesIO()
    # Parquet's text is UTF-8, which names of files need not be.
    stored = with_texts(rows, lambda text: text.encode(errors="backslashreplace").decode())
    pq.write_table(pa.Table.from_pylist(stored), buffer)
    return buffer.getvalue()


FORMATS: dict[str, Callable[[Rows], bytes]] = {
    ".csv": to_csv,
    ".jsonl": to_json_lines,
    ".parquet": to_parquet,
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


def write_rows(path: Path, rows: Rows) -> None:
    """Write rows with equal keys, atomically. Raises ``ValueError`` for an unknown format."""
    replace_file(path, choose("output format", path.suffix.lower(), FORMATS)(rows))
