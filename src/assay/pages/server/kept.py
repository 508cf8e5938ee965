"""Overviews kept in the cache folder for the next server: to read the records of thousands of runs takes seconds."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from functools import cache
from pathlib import Path

from pydantic import TypeAdapter

from assay.base.json_files import read_json, write_json
from assay.data.cache import cache_folder
from assay.pages.server.overview import Overview, Stamps

_WORTH = 50  # runs that were read anew, from which the file is written: trainings change every few seconds


@dataclass(frozen=True)
class Known:
    """A run's overview as it was read, the stamps of the files that it was read from, and its patience in seconds."""

    stamps: Stamps
    view: Overview
    patience: float


@dataclass
class Kept:
    """The file with the overviews of a served folder; it may be deleted at any time."""

    file: Path
    _written: dict[Path, Known] = field(default_factory=dict)

    @classmethod
    def of(cls, root: Path) -> Kept:
        """The file of a folder; of each version of the program another one."""
        name = hashlib.sha256(f"{_program()}\0{root}".encode(errors="surrogateescape")).hexdigest()[:32]
        return cls(cache_folder() / "overviews" / f"{name}.json")

    def read(self) -> dict[Path, Known]:
        """What is kept; nothing if that is damaged."""
        with suppress(ValueError, OSError):
            self._written = _Content.validate_python(read_json(self.file).get("runs", {}))
        return dict(self._written)

    def write(self, known: Mapping[Path, Known]) -> None:
        """Keep what is known where much of it is new."""
        if sum(self._written.get(folder) != one for folder, one in known.items()) < _WORTH:
            return
        with suppress(OSError):  # a cache that cannot be written costs time only
            self.file.parent.mkdir(parents=True, exist_ok=True)
            write_json(self.file, {"runs": {str(folder): asdict(one) for folder, one in known.items()}})
        self._written = dict(known)


_Content = TypeAdapter(dict[Path, Known])


@cache
def _program() -> str:
    """A digest of the program's files: another version may read a record otherwise."""
    digest = hashlib.sha256()
    for file in sorted(Path(__file__).parents[2].rglob("*.py")):
        digest.update(file.read_bytes())
    return digest.hexdigest()
