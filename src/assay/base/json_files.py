"""JSON files and logs of JSON lines: written atomically, read with an error that names the file."""

from __future__ import annotations

import json
import math
import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, NoReturn

from assay.base.atomic import replace_file
from assay.base.text import quoted, shorten

JsonObject = dict[str, Any]
"""a JSON object: names with JSON values"""


_DEEPEST = 100
_LONGEST_REASON = 200


def parse_json(text: str | bytes) -> Any:
    """The values of a JSON text.

    Raises:
        ValueError: in one short line, if the text is not JSON, has more than 100 levels, or a number that is not
            finite: NaN and Infinity are Python's own.
    """
    try:
        values = json.loads(text, parse_constant=_refuse_constant, parse_float=_finite_number)
    except RecursionError:
        raise ValueError(f"not JSON: more than {_DEEPEST} levels, one in another") from None
    except ValueError as error:
        raise ValueError(f"not JSON: {shorten(str(error), _LONGEST_REASON)}") from None
    if _is_deep(values):
        raise ValueError(f"more than {_DEEPEST} levels, one in another")
    return values


def _refuse_constant(text: str) -> NoReturn:
    raise ValueError(f"{text} is no number of JSON")


def _finite_number(text: str) -> float:
    if not math.isfinite(number := float(text)):
        raise ValueError(f"{quoted(text)} is too large a number")
    return number


def _is_deep(values: Any) -> bool:
    level = [values]
    for _ in range(_DEEPEST + 1):
        inside = (one.values() if isinstance(one, dict) else one for one in level if isinstance(one, dict | list))
        level = [one for several in inside for one in several]
        if not level:
            return False
    return True


def read_json(path: Path) -> JsonObject:
    """The values of a JSON file, empty if there is no such file; raises ``ValueError`` if it is damaged."""
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        return {}
    except OSError as error:
        raise ValueError(f"{path}: {error.strerror}") from None
    return json_object(content, str(path))


def json_object(content: bytes, place: str) -> JsonObject:
    """The values of a JSON file by its content; raises ``ValueError``, which names its place, if it is damaged."""
    try:
        values = parse_json(content)
    except ValueError as error:
        raise ValueError(f"{place}: {error}") from None
    if not isinstance(values, dict):
        raise ValueError(f"{place}: expected a mapping, not {type(values).__name__}")
    return values


def write_json(path: Path, values: Mapping[str, Any]) -> None:
    """Write plain values, atomically; numbers that are not finite become null."""
    replace_file(path, to_json(values))


def to_json(values: Mapping[str, Any]) -> str:
    """The text of a JSON file; numbers that are not finite become null."""
    return json.dumps(_finite(values), indent=2) + "\n"


def to_json_line(values: Mapping[str, Any]) -> str:
    """The text of a line of JSON; numbers that are not finite become null."""
    return json.dumps(_finite(values)) + "\n"


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
            file.writelines(map(to_json_line, rows))
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
        """All whole lines, without a last one that a kill has cut short; raises ``ValueError`` if one is damaged."""
        return [self._row(number, line) for number, line in enumerate(self._content().split(b"\n")[:-1], start=1)]

    def rows_until(self, size: int) -> list[JsonObject]:
        """The lines of the first ``size`` bytes; raises ``ValueError`` if they are not there, or not whole."""
        start = self._content()[:size]
        if len(start) < size:
            raise ValueError(f"{self._path}: {len(start):,} bytes, where the checkpoint has seen {size:,}")
        if size and not start.endswith(b"\n"):
            raise ValueError(f"{self._path}: other lines than those that the checkpoint has seen")
        return [self._row(number, line) for number, line in enumerate(start.split(b"\n")[:-1], start=1)]

    def _content(self) -> bytes:
        return self._path.read_bytes() if self._path.exists() else b""

    def _row(self, number: int, line: bytes) -> JsonObject:
        try:
            row = parse_json(line)
        except ValueError as error:
            raise ValueError(f"{self._path}: line {number}: {error}") from None
        if not isinstance(row, dict):
            raise ValueError(f"{self._path}: line {number}: expected a mapping, not {type(row).__name__}")
        return row


def _finite(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _finite(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(item) for item in value]
    # Python would write NaN and Infinity, which are no JSON: other programs refuse the whole file.
    return None if isinstance(value, float) and not math.isfinite(value) else value
