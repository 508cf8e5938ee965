"""Predictions of any number of images to a file: in constant memory, and after a kill from where they had come to."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeGuard

from assay.base.atomic import naming
from assay.base.json_files import JsonObject, LineLog, parse_json, read_json, write_json
from assay.base.numbers import is_whole
from assay.base.row_files import write_rows
from assay.classifier.prediction import Part
from assay.data.images import BadImageError

AT_LEAST = 1000
"""predictions that are kept at a time"""


@dataclass(frozen=True)
class Written:
    """How many predictions a file holds, and the errors of the images that were left out."""

    rows: int
    left_out: tuple[BadImageError, ...]


class Journal:
    """Two hidden files beside the one that is wanted: the rows so far, and how far they are.

    Args:
        out: the file that is wanted.
        request: what is predicted of what, as text; rows of another request are not gone on with.
    """

    def __init__(self, out: Path, request: str) -> None:
        self._out = out
        self._rows, self._state = (out.with_name(f".{out.name}.{kind}") for kind in ("rows", "state"))
        self._log, self._request = LineLog(self._rows), hashlib.sha256(request.encode(errors="replace")).hexdigest()
        self.end, self._count, self._left_out = 0, 0, list[tuple[str, str]]()

    def begin(self, *, resume: bool) -> None:
        """Find out where to begin: ``end`` is the place of the first image.

        Raises:
            ValueError: there are rows and they are not to be gone on with, or they are of another request or damaged.
        """
        state = read_json(self._state)
        if not state:
            self._log.cut(0)
            return
        if not resume:
            raise ValueError(
                f"{self._out}: predictions of {state.get('end')} images are there already; go on with --resume, or "
                f"delete {self._state}"
            )
        if state.get("request") != self._request:
            raise ValueError(
                f"{self._out}: what is there was predicted by another model, of other images or with other options; "
                f"delete {self._state} to begin anew"
            )
        end, rows, size, left_out = (state.get(name) for name in ("end", "rows", "size", "left_out"))
        if (
            not (is_whole(end) and is_whole(rows) and is_whole(size) and _are_pairs(left_out))
            or size > self._log.size()
        ):
            raise ValueError(f"{self._state}: damaged; delete it to begin anew")
        self.end, self._count, self._left_out = end, rows, [(name, reason) for name, reason in left_out]
        self._log.cut(size)  # what a kill has left behind the last whole part

    def add(self, part: Part, *, is_last: bool) -> None:
        """Keep a part, safely on the disk. Of the last one the state does not tell: it is soon done again."""
        with naming(self._out):
            self._log.extend(prediction.to_row() for prediction in part.rows)
        self.end, self._count = part.end, self._count + len(part.rows)
        self._left_out += [(error.name, error.reason) for error in part.left_out]
        if is_last:
            return
        write_json(
            self._state,
            {
                "request": self._request,
                "end": self.end,
                "rows": self._count,
                "size": self._log.size(),
                "left_out": self._left_out,
            },
        )

    def abandon(self) -> None:
        """Leave only what can be gone on with: rows without a state are nothing."""
        if not self._state.exists():
            self._rows.unlink(missing_ok=True)

    def finish(self, change: Callable[[JsonObject], JsonObject]) -> Written:
        """Write the file that is wanted, each row changed so, and remove the journal."""
        write_rows(self._out, map(change, self._read()))
        self._state.unlink(missing_ok=True)
        self.abandon()
        return Written(self._count, tuple(BadImageError(name, reason) for name, reason in self._left_out))

    def _read(self) -> Iterator[JsonObject]:
        with self._rows.open("rb") as file:
            yield from map(parse_json, file)


def _are_pairs(value: Any) -> TypeGuard[list[list[str]]]:
    return isinstance(value, list) and all(
        isinstance(pair, list) and len(pair) == 2 and all(isinstance(text, str) for text in pair) for pair in value
    )
