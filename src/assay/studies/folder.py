"""A study's folder: what was asked for, its table in every form, its pictures, what to try next."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from assay.analysis.plots import save_figure
from assay.atomic import replace_file
from assay.execution.store import Store
from assay.record import read_json, write_json
from assay.studies.advice import advise, as_text
from assay.studies.formats import as_csv, as_latex, as_markdown
from assay.studies.plan import Plan, plan_study
from assay.studies.plots import plot_cost, plot_forest
from assay.studies.results import StudyResults
from assay.studies.study import Study
from assay.studies.table import Table, make_table

ASKED = "study.json"


def folder_of(plan: Plan, out: Path) -> Path:
    """``OUT/NAME-BUDGET``, with the way to choose the epoch where it is not the study's own."""
    own = plan.study.base.train.select
    asked = plan.setting.selection
    return out / "-".join([plan.setting.study, plan.setting.budget, *([asked] if asked != own else [])])


def store_of(out: Path) -> Store:
    """The runs of all studies in ``out``, which share them."""
    return Store(out / "runs")


def write_plan(plan: Plan, folder: Path, source: str, asked: Mapping[str, Any]) -> None:
    """Write down what was asked for, and under which keys its runs are stored.

    Args:
        plan: the study's runs.
        folder: of the study; made where it is not there.
        source: the study's name, or its YAML file.
        asked: the arguments of ``plan_study``.
    """
    folder.mkdir(parents=True, exist_ok=True)
    runs = {row: {str(seed): job.key for seed, job in jobs.items()} for row, jobs in plan.jobs.items()}
    write_json(folder / ASKED, {"study": source, "asked": dict(asked), "runs": runs})


def read_plan(folder: Path, find: Callable[[str], Study]) -> Plan:
    """The plan as it was written, with the keys of that time.

    Args:
        folder: of the study.
        find: from a study's name or file to the study.

    Raises:
        ValueError: it is no study's folder, or its study cannot be found any more.
    """
    written = read_json(folder / ASKED)
    if not written:
        raise ValueError(f"{folder}: no study in it; expected {ASKED}")
    study = find(written["study"])
    plan = plan_study(study, **written["asked"])
    jobs = {
        row: {seed: replace(job, known_as=written["runs"].get(row, {}).get(str(seed))) for seed, job in of_row.items()}
        for row, of_row in plan.jobs.items()
    }
    return replace(plan, jobs=jobs)


def publish(results: StudyResults, folder: Path, wanted: float = 1.0) -> Table:
    """Write table, pictures and advice into the study's folder, each atomically.

    Args:
        results: what the runs gave.
        folder: of the study.
        wanted: the difference, in percentage points, for which the table says how many seeds resolve it.

    Returns:
        The table.
    """
    table = make_table(results, wanted)
    replace_file(folder / "table.md", as_markdown(table))
    replace_file(folder / "table.tex", as_latex(table))
    replace_file(folder / "table.csv", as_csv(table))
    if any(row.results for row in results.rows):
        replace_file(folder / "next.md", as_text(advise(results)))
        for kind in ("png", "svg"):
            save_figure(plot_forest(table), folder / f"forest.{kind}")
            save_figure(plot_cost(table), folder / f"cost.{kind}")
    return table
