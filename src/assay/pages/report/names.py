"""The names that a page gives to its runs."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

from assay.pages.report.find import FoundFolders
from assay.run.folder import RunFolder
from assay.studies.folder import read_plan, store_of


def name_runs(found: FoundFolders) -> dict[Path, str]:
    """Return each run's folder with a name, those of the studies included.

    A run of a study is called by its row and seed; one that several rows or studies share has all its names.
    Any other run has the end of its path, as long as it takes to tell it from the others.
    """
    names: dict[Path, list[str]] = {}
    for study in found.studies:
        for folder, name in _runs_of(study):
            names.setdefault(folder, []).append(f"{study.name}: {name}" if len(found.studies) > 1 else name)
    alone = [path for path in found.runs if path.resolve() not in names]
    return {**shortest_names(alone), **{folder: " = ".join(several) for folder, several in names.items()}}


def _runs_of(study: Path) -> Iterator[tuple[Path, str]]:
    """Yield the folder of each run that a study has begun, with its row and seed."""
    try:
        plan = read_plan(study)
    except ValueError:  # the study's own part of the page says why
        return
    store = store_of(study.parent)
    for row, jobs in plan.jobs.items():
        for seed, job in jobs.items():
            folder = store.folder(job).resolve()
            if RunFolder(folder).recipe.is_file():
                yield folder, f"{row}, seed {seed}"


def shortest_names(folders: Sequence[Path]) -> dict[Path, str]:
    """Return the last part of each path, or as many parts as it takes to tell the path from the others."""
    parts = {folder: folder.resolve().parts[1:] for folder in folders}
    names = {folder: folder.resolve().name for folder in folders}
    for length in range(2, max(map(len, parts.values()), default=0) + 1):
        counts = Counter(names.values())
        names |= {folder: "/".join(parts[folder][-length:]) for folder in folders if counts[names[folder]] > 1}
    return names
