"""The front door of studies; the command calls it too."""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.console import Console

from assay.execution.local import run_here
from assay.studies import STUDIES, find_study
from assay.studies.collect import collect
from assay.studies.conduct import Execute, Silence, conduct
from assay.studies.folder import ASKED, folder_of, publish, read_plan, store_of, write_plan
from assay.studies.plan import plan_study
from assay.studies.progress import LiveView
from assay.studies.results import StudyResults
from assay.studies.table import Table


@dataclass(frozen=True)
class StudyReport:
    """What a study gave: its folder, its table, and the runs behind it."""

    folder: Path
    table: Table
    results: StudyResults

    @property
    def failures(self) -> int:
        """How many of its runs failed."""
        return sum(len(row.failures) for row in self.results.rows)


def run_study(
    study: str | Path,
    changes: Mapping[str, Any] | None = None,
    *,
    budget: str | None = None,
    seeds: int | Sequence[int] = 3,
    selection: str | None = None,
    out: str | Path = "studies",
    wanted: float = 1.0,
    execute: Execute = run_here,
    progress: bool = True,
    command: str = "",
) -> StudyReport:
    """Run a whole table, and say what can be concluded; a run that is done already is not done again.

    Args:
        study: a name that ``assay study list`` shows, or a study's YAML file.
        changes: fields to change in every row, under dotted names.
        budget: ``full`` is the published setting, ``quick`` the study's stated proxy; by default
            ``quick`` where there is one.
        seeds: how many runs of each row, with seeds from 0 on; or the seeds.
        selection: how the epoch is chosen: ``held-out``, ``last``, or ``test`` as many reports did.
        out: holds the runs of all studies, and a folder for each study.
        wanted: a difference in percentage points: the table says how many seeds would resolve it.
        execute: does the runs: here, one after another, or ``assay.execution.on_ray.Ray(...)``.
        progress: show what is running.
        command: what runs it again; stated in the table.

    Returns:
        The table, the results, and the folder that holds them.

    Raises:
        ValueError: one line that names what is wrong in the study, its file or the arguments.
        InterruptedStudyError: a signal arrived; the same call goes on.
    """
    found = find_study(study)
    numbers = tuple(range(seeds)) if isinstance(seeds, int) else tuple(seeds)
    asked: dict[str, Any] = {
        "budget": budget,
        "seeds": numbers,
        "selection": selection,
        "changes": {name: str(value) if isinstance(value, Path) else value for name, value in (changes or {}).items()},
        "command": command or f"assay.run_study({str(study)!r})",
    }
    plan = plan_study(found, **asked)
    folder = folder_of(plan, Path(out).expanduser())
    write_plan(plan, folder, _source(study), asked)
    view = LiveView(Console()) if progress else Silence()
    try:
        results = conduct(plan, store_of(folder.parent), view, execute)
    finally:
        table = publish(collect(plan, store_of(folder.parent)), folder, wanted)
    return StudyReport(folder, table, results)


def show_study(study: str | Path, *, out: str | Path = "studies", wanted: float = 1.0) -> StudyReport:
    """What has been done of a study, without running anything.

    Args:
        study: its folder, or its name where ``out`` holds one folder of it.
        out: where studies are kept.
        wanted: as in ``run_study``.

    Raises:
        ValueError: there is no such study, or more than one.
    """
    folder = _find_folder(Path(study).expanduser(), Path(out).expanduser())
    results = collect(read_plan(folder, find_study), store_of(folder.parent))
    return StudyReport(folder, publish(results, folder, wanted), results)


def _source(study: str | Path) -> str:
    """By what the study is found again, from wherever that is asked."""
    return str(study) if str(study) in STUDIES else str(Path(study).expanduser().absolute())


def _find_folder(study: Path, out: Path) -> Path:
    if (study / ASKED).is_file():
        return study
    name = study.stem if study.suffix in (".yaml", ".yml") else study.name
    found = sorted(path.parent for path in out.glob(f"{name}-*/{ASKED}"))
    if len(found) == 1:
        return found[0]
    if not found:
        raise ValueError(f"{study}: nothing has been run of it in {out}; assay study run {shlex.quote(str(study))}")
    raise ValueError(f"{study}: which one? {', '.join(str(path) for path in found)}")
