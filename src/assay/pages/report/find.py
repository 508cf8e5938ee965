"""The runs and the studies at the paths that a page is made of, and the names that the page gives to them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from assay.run.folder import RunFolder
from assay.studies.folder import PLAN_FILE, read_plan, store_of

MOST_RUNS = 200
"""Of a study with more runs a page shows the table alone, as each run takes up to 60 kB of it."""
_DEEPEST = 2  # levels below a path: a folder of studies holds their runs as runs/KEY


@dataclass(frozen=True)
class FoundFolders:
    """The folders of runs and of studies, each once, in the order in which they were named."""

    runs: tuple[Path, ...]
    studies: tuple[Path, ...]

    @cached_property
    def of_studies(self) -> dict[Path, dict[Path, list[str]]]:
        """For each study the folders of its runs that have begun, each with the rows and seeds that it is of."""
        return {study: _runs_of(study) for study in self.studies}


def find_folders(paths: Sequence[str | Path]) -> FoundFolders:
    """Find the runs and the studies at the paths.

    Args:
        paths: run folders, study folders, or folders that hold several of them.

    Raises:
        ValueError: one line; a path is none of these, or there is no path.
    """
    if not paths:
        raise ValueError("name a run folder, a study folder, or a folder that holds several of them")
    places: list[Path] = []
    for path in (Path(path).expanduser() for path in paths):
        if not path.is_dir():
            raise ValueError(f"{path}: no such folder; expected a run, a study, or a folder that holds several of them")
        found = list(_walk(path, _DEEPEST))
        if not found:
            raise ValueError(f"{path}: holds neither a run (recipe.yaml) nor a study ({PLAN_FILE})")
        places += found
    # A run may be named itself and lie in a folder that is named too, or be reached by a link.
    unique = tuple({place.resolve(): place for place in places}.values())
    return FoundFolders(tuple(filter(_is_run, unique)), tuple(filter(_is_study, unique)))


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


def name_runs(found: FoundFolders) -> dict[Path, str]:
    """Return each run's folder with a name, those of the studies included that have no more than `MOST_RUNS`.

    A run of a study is called by its row and seed; one that several rows or studies share has all its names.
    Any other run has the end of its path, as long as it takes to tell it from the others.
    """
    names: dict[Path, list[str]] = {}
    of_large: set[Path] = set()
    for study, runs in found.of_studies.items():
        if len(runs) > MOST_RUNS:
            of_large |= runs.keys()
            continue
        prefix = f"{study.name}: " if len(found.studies) > 1 else ""
        for folder, places in runs.items():
            names.setdefault(folder, []).extend(f"{prefix}{place}" for place in places)
    alone = [path for path in found.runs if path.resolve() not in names.keys() | of_large]
    return {**shortest_names(alone), **{folder: " = ".join(several) for folder, several in names.items()}}


def _runs_of(study: Path) -> dict[Path, list[str]]:
    try:
        plan, store = read_plan(study), store_of(study.parent)
    except ValueError:  # the study's own part of the page says why
        return {}
    places: dict[Path, list[str]] = {}
    for row, jobs in plan.jobs.items():
        for seed, job in jobs.items():
            places.setdefault(store.folder(job).resolve(), []).append(f"{row}, seed {seed}")
    return {folder: several for folder, several in places.items() if _is_run(folder)}


def shortest_names(folders: Sequence[Path]) -> dict[Path, str]:
    """Return the last part of each path, or as many parts as it takes to tell the path from the others."""
    parts = {folder: folder.resolve().parts[1:] for folder in folders}  # without the root
    names = {folder: folder.resolve().name for folder in folders}
    for length in range(2, max(map(len, parts.values()), default=0) + 1):
        counts = Counter(names.values())
        names |= {folder: "/".join(parts[folder][-length:]) for folder in folders if counts[names[folder]] > 1}
    return names
