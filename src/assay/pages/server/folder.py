"""The served folder: runs and studies by name. A name is looked up in a list, and never joined to a path."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from starlette.exceptions import HTTPException

from assay.base.json_files import read_json
from assay.base.registry import nearest
from assay.run.folder import FOLDS
from assay.studies.folder import PLAN_FILE, store_of
from assay.studies.plan_shape import is_key

Kind = Literal["run", "study"]
_MOST_NAMED = 20  # names in an error's text
_MOST_ECHOED = 200  # letters of an unknown name in an error's text


@dataclass(frozen=True)
class ServedFolder:
    """A folder of runs and studies.

    Links are not followed. A run or a study that holds a link to a place outside, or in a circle, is left out, so that
    no file outside can be read.

    Attributes:
        root: the folder's path with all links resolved.
    """

    root: Path

    @classmethod
    def open(cls, path: Path) -> ServedFolder:
        """Return the folder at a path; raise ``ValueError`` if there is none."""
        # Path.resolve raises for a circle of links before Python 3.13.
        root = Path(os.path.realpath(path.expanduser()))
        if not root.is_dir():
            raise ValueError(f"{path}: no such folder of runs")
        return cls(root)

    def find(self, kind: Kind) -> dict[str, Path]:
        """Return the folders of all runs or all studies, sorted by name, which is the path inside the served folder."""
        return dict(
            # The served folder may itself be a run or a study; its path inside itself would be ".".
            sorted(
                (self.root.name if folder == self.root else folder.relative_to(self.root).as_posix(), folder)
                for found, folder in self._walk()
                if found == kind
            )
        )

    def hide(self, text: str) -> str:
        """Return a message as one line that does not tell where on this machine the folder is."""
        return " ".join(text.replace(f"{self.root}{os.sep}", "").replace(str(self.root), self.root.name).split())

    def _walk(self) -> Iterator[tuple[Kind, Path]]:
        for place, folders, files in os.walk(self.root):
            folder = Path(place)
            # os.walk enters only the folders that are left here.
            folders[:] = [name for name in folders if not name.startswith(".") and _has_address(name)]
            if "recipe.yaml" in files:
                folders[:] = [name for name in folders if name == FOLDS]  # other folders below a run belong to it
                if self._holds_all(folder):
                    yield "run", folder
            elif PLAN_FILE in files:
                folders.clear()
                if self._holds_all(folder) and self._holds_runs_of(folder):
                    yield "study", folder

    def _holds_all(self, folder: str | Path) -> bool:
        """Return whether all links below lead to places inside the served folder."""
        try:
            with os.scandir(folder) as entries:  # which know the links without a question for each
                return all(
                    self._leads_inside(Path(entry.path)) if entry.is_symlink() else self._holds_all(entry.path)
                    for entry in entries
                    if entry.is_symlink() or entry.is_dir()
                )
        except OSError:  # a run that has not begun, or that nobody can read
            return True

    def _holds_runs_of(self, study: Path) -> bool:
        """Return whether the runs that a study names lie inside too; the study's file could name any path."""
        store = store_of(study.parent).root
        try:
            keys = [str(key) for row in read_json(study / PLAN_FILE)["rows"] for key in row["runs"].values()]
        except (ValueError, LookupError, TypeError, AttributeError, RecursionError):
            keys = []  # the file is damaged, so no run of it will be read
        if not all(map(is_key, keys)):
            return False
        runs = [store / key for key in keys]
        inside = all(self._leads_inside(path) for path in (store, *runs))
        return inside and all(self._holds_all(run) for run in runs)

    def _leads_inside(self, path: Path) -> bool:
        """Return whether the path leads inside the served folder, existing or not; a circle of links does not."""
        try:
            real = os.path.realpath(path, strict=True)
        except FileNotFoundError:  # a run that has not begun
            real = os.path.realpath(path)
        except OSError:  # a circle of links
            return False
        return Path(real).is_relative_to(self.root)


def look_up(kind: str, name: str, found: Mapping[str, Path]) -> Path:
    """Return ``found[name]``, or raise status 404 with the nearest name."""
    if name not in found:
        echoed = name if len(name) <= _MOST_ECHOED else f"{name[:_MOST_ECHOED]}…"
        is_short = 0 < len(found) <= _MOST_NAMED
        hint = nearest(echoed, found) if is_short else f"the list of runs names the {len(found)} there are"
        raise HTTPException(404, f"no {kind} {echoed!r} here: {hint}")
    return found[name]


def _has_address(name: str) -> bool:
    """Return whether an address can hold the name: not if it has a line break, or bytes that are not UTF-8."""
    return "\n" not in name and not any("\ud800" <= letter <= "\udfff" for letter in name)
