"""Functions that run a study and show its results; the command line calls them too."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from rich.console import Console

from assay.studies.advice.advise import Advice, advise
from assay.studies.advice.words import as_text
from assay.studies.collect import collect
from assay.studies.conduct import Execute, StudyObserver, check_rows, conduct
from assay.studies.execution.local import run_here
from assay.studies.execution.on_ray import Ray
from assay.studies.execution.store import Store
from assay.studies.folder import PLAN_FILE, folder_of, publish, read_plan, source_of, store_of, write_plan
from assay.studies.looks import check_looks, judge, stages
from assay.studies.named import STUDIES, find_study
from assay.studies.plan import Plan, plan_study
from assay.studies.progress import LiveView
from assay.studies.ranking import rankings
from assay.studies.results import StudyResults
from assay.studies.runs_file import RUNS_FILE, as_lines, noting, runs_told, without_traces
from assay.studies.splits import check_splits, with_splits
from assay.studies.surface.report import SurfaceReport, look_at_surface, publish_surface
from assay.studies.table import Table


@dataclass(frozen=True)
class StudyReport:
    """A study's results, and what can be concluded from them.

    Attributes:
        folder: the study's folder.
        table: each row's estimate, its comparison with the control, and its cost.
        results: the runs behind the table.
        next_steps: main effects, and what to try next; None without results.
        surface: measures of the loss's surface and the published claims on them; None where no run was probed.
        remarks: how many runs of a file count, a line for each file.
    """

    folder: Path
    table: Table
    results: StudyResults
    next_steps: Advice | None
    surface: SurfaceReport | None
    remarks: tuple[str, ...] = ()

    @property
    def advice(self) -> str:
        """The main effects and what to try next, in Markdown; empty without results."""
        return as_text(self.next_steps) if self.next_steps else ""

    @property
    def failures(self) -> int:
        """The number of failed runs."""
        return sum(len(row.failures) for row in self.results.rows)


def run_study(
    study: str | Path,
    changes: Mapping[str, Any] | None = None,
    *,
    budget: str | None = None,
    seeds: int | Sequence[int] = 3,
    looks: Sequence[int] = (),
    until_decided: bool = False,
    control_seeds: int | None = None,
    selection: str | None = None,
    out: str | Path = "studies",
    margin: float = 1.0,
    runs: str | Path | None = None,
    splits: int | None = None,
    execute: Execute = run_here,
    progress: bool = True,
    command: str = "",
) -> StudyReport:
    """Run a whole table and compare its rows with the control; finished runs are not done again.

    Args:
        study: a name that ``assay study list`` shows, or a study's YAML file.
        changes: fields to change in every row, under dotted names.
        budget: ``full`` is the published setting, ``quick`` the study's stated proxy, ``medium`` that proxy with 30
            epochs; by default ``quick`` if the study has one.
        seeds: the number of runs of each row, with seeds from 0 on; or the seeds. Fewer than three give no verdict.
        looks: in place of ``seeds`` a sequential plan: the number of runs of a row at each of two or three looks, as
            (3, 5, 10). Each look spends a part of the level, so that adding seeds makes no more false claims.
        until_decided: go on beyond the first look with the rows that are undecided, until none is or no look is left.
        control_seeds: the number of runs of each control, at least that of a row; by default 10, or as many as of a
            row where these are more than 10 or fewer than three.
        selection: how the epoch is chosen: ``held-out``, ``last``, or ``test`` as many reports did.
        out: the folder of all studies, which share their runs; each gets a folder in it.
        margin: the largest difference that counts as none, in percentage points, above 0: a row may be shown to make
            no difference of it, and the table says how many seeds would resolve it.
        runs: a folder whose ``runs.jsonl`` tells of runs that were done elsewhere: those of equal keys count as done.
        splits: in place of the study, its controls on so many splits of the images (``data.split_seed``), from which
            the table tells what the split, the seed and the test images add to the variance.
        execute: does the runs: here, one after another, or ``assay.studies.execution.on_ray.Ray(...)``.
        progress: show what is running.
        command: a command that runs the study again; stated in the table.

    Returns:
        The table, the results, and the folder that holds them.

    Raises:
        ValueError: one line that names what is wrong in the study, its file or the arguments.
        InterruptedStudyError: a signal arrived; the same call continues the study.
    """
    _check_margin(margin)
    if looks:
        check_looks(looks)
    elif until_decided:
        raise ValueError("until decided: expected looks, as 3,5,10")
    seeds = looks[-1] if looks else seeds
    numbers = tuple(range(seeds)) if isinstance(seeds, int) else tuple(seeds)
    chosen, source = find_study(study), _source(study)
    if splits is not None:
        if control_seeds is not None:
            raise ValueError("control seeds: a study of splits compares no rows; give the number of seeds")
        chosen, source = with_splits(chosen, splits), f"{source}-splits"
    plan = plan_study(
        chosen,
        budget=budget,
        seeds=numbers,
        looks=looks,
        control_seeds=control_seeds,
        selection=selection,
        changes=changes,
        command=command or f"assay.run_study({str(study)!r})",
    )
    if looks and not plan.study.controls:
        raise ValueError(
            f"study {plan.study.name}: looks are for rows that are compared with a control, and it has none"
        )
    if splits is not None:
        check_splits(plan)
    folder = folder_of(plan, Path(out).expanduser())
    lines, remarks = runs_told(plan, folder, Path(runs).expanduser() if runs else None)
    store = Store(store_of(folder.parent).root, lines)
    check_rows(plan, store)
    with _ready(execute, plan, store):  # before anything is written: a study that cannot run leaves no folder
        write_plan(plan, folder, source)
        console = Console(quiet=not progress)
        for note in (*plan.study.notes, *remarks):
            console.print(note, markup=False)
        observer = LiveView(console) if progress else StudyObserver()
        try:
            for part in stages(plan, until_decided, lambda: judge(collect(plan, store), margin)):
                conduct(part, store, observer, noting(execute, plan, folder))
        finally:  # a study that was interrupted or failed shows what it has
            report = _report(folder, plan, store, margin, remarks)
            publish(report.table, report.advice, folder)
            publish_surface(report.surface, folder)
    return report


def _ready(execute: Execute, plan: Plan, store: Store) -> AbstractContextManager[None]:
    """A connection to the cluster that does the missing runs; raise ``ValueError`` if it cannot."""
    missing = [job for job in plan.order() if store.known(job) is None]
    return execute.ready(missing) if isinstance(execute, Ray) and missing else nullcontext()


def show_study(
    study: str | Path,
    *,
    out: str | Path = "studies",
    margin: float = 1.0,
    runs: str | Path | None = None,
    save: str | Path | None = None,
) -> StudyReport:
    """Return the report of a study as far as it has been run, without running anything.

    Args:
        study: its folder, its YAML file, or its name; ``out`` must hold just one folder of that name or file.
        out: the folder of all studies.
        margin: as in ``run_study``.
        runs: a folder with the study's ``study.json`` and ``runs.jsonl``, from which alone its table is made.
        save: a new folder, or that of a study, in which to write the tables and figures.

    Raises:
        ValueError: there is no such study, or more than one; or ``runs`` holds another study, or no runs; or ``save``
            holds other files.
    """
    _check_margin(margin)
    if save is not None:
        _check_place(Path(save).expanduser())
    if runs is None:
        folder = _find_folder(Path(study).expanduser(), Path(out).expanduser())
        store = store_of(folder.parent)
    else:
        folder = _folder_of_runs(str(study), Path(runs).expanduser())
        store = Store(folder / "runs")  # a study's folder has no store: its lines alone count
    plan = read_plan(folder)
    lines, remarks = runs_told(plan, folder)
    if runs is not None and (count := without_traces(plan, lines)):
        remarks += (f"{RUNS_FILE}: the loss's surface of {count} runs is not in it: they are of an earlier version",)
    report = _report(folder, plan, Store(store.root, lines), margin, remarks)
    if save is None:
        return report
    report = replace(report, folder=Path(save).expanduser())
    publish(report.table, report.advice, report.folder)
    publish_surface(report.surface, report.folder)
    return report


def export_runs(study: str | Path, *, out: str | Path = "studies") -> str:
    """Return a study's runs as the lines of ``runs.jsonl``: those of the store, and those that its own file tells of.

    Args:
        study: as in ``show_study``.
        out: the folder of all studies.

    Raises:
        ValueError: there is no such study, or more than one, or a record is damaged.
    """
    folder = _find_folder(Path(study).expanduser(), Path(out).expanduser())
    plan = read_plan(folder)
    return as_lines(plan, Store(store_of(folder.parent).root, runs_told(plan, folder)[0]))


def _check_place(folder: Path) -> None:
    """Raise ``ValueError`` where writing a study's files could take the place of others."""
    if folder.exists() and not (folder / PLAN_FILE).is_file() and not (folder.is_dir() and not any(folder.iterdir())):
        raise ValueError(f"{folder}: has files and no {PLAN_FILE}; expected a new folder, or that of a study")


def _folder_of_runs(study: str, folder: Path) -> Path:
    for name in (PLAN_FILE, RUNS_FILE):
        if not (folder / name).is_file():
            raise ValueError(f"{folder}: expected a folder with {PLAN_FILE} and {RUNS_FILE}; it has no {name}")
    name, source = source_of(folder)
    if study not in (name, source) and _source(study) != source:
        raise ValueError(f"{folder}: holds runs of study {name}, not of {study}")
    return folder


def _report(folder: Path, plan: Plan, store: Store, margin: float, remarks: tuple[str, ...]) -> StudyReport:
    results = collect(plan, store)
    advice = advise(results) if any(row.results for row in results.rows) else None
    surface = look_at_surface(plan, results, store)
    table = replace(judge(results, margin), rankings=tuple(rankings(plan, results, folder)))
    return StudyReport(folder, table, results, advice, surface, remarks)


def _check_margin(margin: float) -> None:
    if not (math.isfinite(margin) and margin > 0):
        raise ValueError(f"margin: {margin:g} is not a number of percentage points above 0")


def _source(study: str | Path) -> str:
    """Return a built-in study's name, or the absolute path of a study's file."""
    # Absolute, so that the study is found again from another working directory.
    return str(study) if str(study) in STUDIES else str(Path(study).expanduser().absolute())


def _find_folder(study: Path, out: Path) -> Path:
    if (study / PLAN_FILE).is_file():
        return study
    known, damaged = {}, ""
    for path in sorted(out.glob(f"*/{PLAN_FILE}")):
        try:
            known[path.parent] = source_of(path.parent)
        except ValueError as error:
            damaged += f"; cannot be read: {error}"
    found = [folder for folder, (name, source) in known.items() if str(study) == name or _source(study) == source]
    if len(found) == 1:
        return found[0]
    if not found:
        raise ValueError(
            f"{study}: nothing has been run of it in {out}; see assay study list, and assay study run{damaged}"
        )
    raise ValueError(f"{study}: which one? {', '.join(str(path) for path in found)}")
