"""The runs and the studies at the paths that a page is made of."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from assay.run.folder import RunFolder
from assay.studies.folder import PLAN_FILE

_DEEPEST = 2  # levels below a path: a folder of studies holds their runs as runs/KEY


@dataclass(frozen=True)
class FoundFolders:
    """The folders of runs and of studies, each once, in the order in which they were named."""

    runs: tuple[Path, ...]
    studies: tuple[Path, ...]


def find_folders(paths: Sequence[str | Path]) -> FoundFolders:
    """Find the runs and the studies at the paths.

    Args:
        paths: run folders, study folders, or folders that hold several of them.

    Raises:
        ValueError: one line; a path is none of these, or there is no path.
    """
    if not paths:
        raise ValueError("name a run folder, a study folder, or a folder that holds several of them")
    places = [folder for path in paths for folder in _find_in(Path(path).expanduser())]
    # A run may be named itself and lie in a folder that is named too, or be reached by a link.
    unique = tuple({place.resolve(): place for place in places}.values())
    return FoundFolders(tuple(filter(_is_run, unique)), tuple(filter(_is_study, unique)))


def _find_in(path: Path) -> list[Path]:
    if not path.is_dir():
        raise ValueError(f"{path}: no such folder; expected a run, a study, or a folder that holds several of them")
    found = list(_walk(path, _DEEPEST))
    if not found:
        raise ValueError(f"{path}: holds neither a run (recipe.yaml) nor a study ({PLAN_FILE})")
    return found


def _walk(path: Path, depth: int) -> Iterator[Path]:
    if _is_run(path) or _is_study(path):
        yield path
    elif depth:
        for child in sorted(path.iterdir()):
            if child.is_dir() and not child.name.startswith("."):
                yield from _walk(child, depth - 1)


def _is_run(path: Path) -> bool:
    return RunFolder(path).recipe.is_file()


def _is_study(path: Path) -> bool:
    return (path / PLAN_FILE).is_file()
