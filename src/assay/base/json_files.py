"""JSON files and logs of JSON lines: written atomically, read with an error that names the file."""

from __future__ import annotations

import json
import math
import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from assay.base.atomic import replace_file

JsonObject = dict[str, Any]
"""a JSON object: names with JSON values"""


def read_json(path: Path) -> JsonObject:
    """The values of a JSON file, empty if there is no such file; raises ``ValueError`` if it is damaged."""
    if not path.exists():
        return {}
    try:
        values = json.loads(path.read_text())
    except (ValueError, OSError, RecursionError) as error:
        raise ValueError(f"{path}: {error}") from None
    if not isinstance(values, dict):
        raise ValueError(f"{path}: expected a mapping, not {type(values).__name__}")
    return values


def write_json(path: Path, values: Mapping[str, Any]) -> None:
    """Write plain values, atomically; numbers that are not finite become null."""
    replace_file(path, json.dumps(_finite(values), indent=2) + "\n")


class LineLog:
    """A file of JSON lines that can be cut back to where a checkpoint left it."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def append(self, row: Mapping[str, Any]) -> None:
        """Add a line; it is on the disk when this returns."""
        self.extend([row])

    def extend(self, rows: Iterable[Mapping[str, Any]]) -> None:
        """Add lines; they are on the disk when this returns."""
        with self._path.open("a") as file:
            file.writelines(json.dumps(_finite(row)) + "\n" for row in rows)
            file.flush()
            os.fsync(file.fileno())

    def size(self) -> int:
        """Bytes so far."""
        return self._path.stat().st_size if self._path.exists() else 0

    def cut(self, size: int) -> None:
        """Drop everything after the first ``size`` bytes."""
        if self._path.exists():
            os.truncate(self._path, min(size, self.size()))

    def rows(self) -> list[JsonObject]:
        """All whole lines, without a last one that a kill has cut short."""
        if not self._path.exists():
            return []
        try:
            lines = self._path.read_text().splitlines(keepends=True)
            return [json.loads(line) for line in lines if line.endswith("\n")]
        except (ValueError, RecursionError) as error:
            raise ValueError(f"{self._path}: {error}") from None


def _finite(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _finite(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(item) for item in value]
    # Python would write NaN and Infinity, which are no JSON: other programs refuse the whole file.
    return None if isinstance(value, float) and not math.isfinite(value) else value
