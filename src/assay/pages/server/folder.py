"""What lies in the served folder: runs and studies by name. A name is looked up here, and never joined to a path."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from assay.base.json_files import read_json
from assay.base.registry import nearest
from assay.studies.folder import ASKED, store_of

Kind = Literal["run", "study"]
_MOST_NAMED = 20
_MOST_ECHOED = 200  # letters of a name
_KEY = re.compile(r"[0-9a-f]{16}")


class UnknownNameError(LookupError):
    """There is nothing of that name in the folder."""


@dataclass(frozen=True)
class ServedFolder:
    """A folder of runs and studies.

    Links are not followed, and a run or a study from which a link leads outside, or in a circle, is left out.

    Attributes:
        root: as it is when all links are resolved.
    """

    root: Path

    @classmethod
    def open(cls, path: Path) -> ServedFolder:
        """Raises ``ValueError`` where there is no such folder."""
        root = Path(os.path.realpath(path.expanduser()))
        if not root.is_dir():
            raise ValueError(f"{path}: no such folder of runs")
        return cls(root)

    def find(self, kind: Kind) -> dict[str, Path]:
        """All runs or all studies, sorted: the path inside the folder, with ``/`` between its parts, to the folder."""
        return dict(sorted((self._name(folder), folder) for found, folder in self._walk() if found == kind))

    def look_up(self, kind: Kind, name: str) -> Path:
        """The folder of the run or study of that name; raises ``UnknownNameError``."""
        return look_up(kind, name, self.find(kind))

    def hide(self, text: str) -> str:
        """A message in one line, without the place of the folder on this machine."""
        return " ".join(text.replace(f"{self.root}{os.sep}", "").replace(str(self.root), self.root.name).split())

    def _walk(self) -> Iterator[tuple[Kind, Path]]:
        for place, folders, files in os.walk(self.root):
            folder = Path(place)
            folders[:] = [name for name in folders if not name.startswith(".") and _has_address(name)]
            if "recipe.yaml" in files:
                folders.clear()  # what lies in a run folder belongs to the run
                if self._holds_all(folder):
                    yield "run", folder
            elif ASKED in files:
                folders.clear()
                if self._holds_all(folder) and self._holds_runs_of(folder):
                    yield "study", folder

    def _name(self, folder: Path) -> str:
        return self.root.name if folder == self.root else folder.relative_to(self.root).as_posix()

    def _holds_all(self, folder: Path) -> bool:
        """Whether every link below leads to a place inside the served folder."""
        paths = [Path(place, name) for place, folders, files in os.walk(folder) for name in (*folders, *files)]
        return all(self._leads_inside(path) for path in paths if path.is_symlink())

    def _holds_runs_of(self, study: Path) -> bool:
        """Whether the runs that a study names lie inside too: they are beside it, under keys that it names itself."""
        store, keys = store_of(study.parent).root, _keys(study)
        if not all(_KEY.fullmatch(key) for key in keys):
            return False
        runs = [store / key for key in keys]
        inside = all(self._leads_inside(path) for path in (store, *runs))
        return inside and all(self._holds_all(run) for run in runs)

    def _leads_inside(self, path: Path) -> bool:
        """Whether it, or what will once be there, lies in the served folder; what links in a circle lies nowhere."""
        try:
            real = os.path.realpath(path, strict=True)
        except FileNotFoundError:
            real = os.path.realpath(path)
        except OSError:
            return False
        return Path(real).is_relative_to(self.root)


def _keys(study: Path) -> list[str]:
    """Of the runs that a study names; none where it is damaged, for then no run of it is read."""
    try:
        return [str(key) for row in read_json(study / ASKED)["rows"] for key in row["runs"].values()]
    except (ValueError, LookupError, TypeError, AttributeError, RecursionError):
        return []


def look_up(kind: str, name: str, found: Mapping[str, Path]) -> Path:
    """``found[name]``; raises ``UnknownNameError`` with the nearest name."""
    if name not in found:
        asked = name if len(name) <= _MOST_ECHOED else f"{name[:_MOST_ECHOED]}…"
        hint = (
            nearest(asked, found)
            if 0 < len(found) <= _MOST_NAMED
            else f"the list of runs names the {len(found)} there are"
        )
        raise UnknownNameError(f"no {kind} {asked!r} here: {hint}")
    return found[name]


def _has_address(name: str) -> bool:
    """Whether a browser could ask for it: not for bytes that are not UTF-8, nor for several lines."""
    return "\n" not in name and not any("\ud800" <= letter <= "\udfff" for letter in name)
