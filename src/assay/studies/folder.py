"""A study's folder: its plan, its table in every form, its figures and its advice."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from assay.analysis.figures.style import figure_as
from assay.base.atomic import replace_files
from assay.base.json_files import read_json, to_json
from assay.base.text import shorten
from assay.recipe.recipe import Recipe
from assay.studies.execution.store import Job, Store
from assay.studies.factorial.design import Design
from assay.studies.factorial.words import as_csv as effects_as_csv
from assay.studies.forms.formats import as_csv, as_latex, as_markdown
from assay.studies.forms.plots import plot_cost, plot_forest
from assay.studies.plan import Plan, with_seed
from assay.studies.plan_shape import check_plan
from assay.studies.results import Setting
from assay.studies.study import Row, Study
from assay.studies.table import Table

PLAN_FILE = "study.json"
_LISTS = ("seeds", "control_seeds", "repeats", "commits", "looks", "notes")
_OF_RESULTS = {"effects.csv", "next.md", "forest.png", "forest.svg", "cost.png", "cost.svg"}


def folder_of(plan: Plan, out: Path) -> Path:
    """Return ``OUT/NAME-BUDGET``, with the selection if it is not the study's own, and a hash of altered fields."""
    setting, own = plan.setting, plan.study.base.train.select
    parts = [setting.study, setting.budget.replace(", ", "-")]  # such as "quick, altered"
    parts += [setting.selection] if setting.selection != own else []
    if setting.changes and "altered" in setting.budget:  # other changes must not overwrite each other's tables
        parts.append(hashlib.sha256(setting.changes.encode()).hexdigest()[:6])
    return out / "-".join(parts)


def store_of(out: Path) -> Store:
    """Return the store that all studies in ``out`` share."""
    return Store(out / "runs")


def write_plan(plan: Plan, folder: Path, source: str) -> None:
    """Write the whole study, its source (a name or a YAML file), and the keys under which its runs are stored.

    Raises:
        ValueError: the folder belongs to a study from another file of the same name, or has a plan of other looks.
    """
    before = read_json(folder / PLAN_FILE)
    if before.get("source", source) != source:
        raise ValueError(f"{folder} holds another study, of {before['source']}; choose another --out")
    setting = before.get("setting")
    looks = setting.get("looks") if isinstance(setting, dict) else None
    if looks and looks != list(plan.setting.looks):
        text = ",".join(map(str, looks))
        raise ValueError(f"{folder} has looks at {text} seeds, planned before its verdicts; go on with --seeds {text}")
    rows = [_row_to_dict(row, plan.jobs[row.name]) for row in plan.study.rows]
    base = plan.study.base.to_dict()
    written = {"source": source, "setting": asdict(plan.setting), "base": base, "rows": rows}
    replace_files(folder, {PLAN_FILE: to_json(written)})


def read_plan(folder: Path) -> Plan:
    """Return the plan as it was written, with its keys: those of today's code may differ.

    Raises:
        ValueError: the folder holds no study, or the plan is damaged.
    """
    written = read_json(folder / PLAN_FILE)
    if not written:
        raise ValueError(f"{folder}: no study in it; expected {PLAN_FILE}")
    try:
        return _plan_from_dict(written)
    except (KeyError, TypeError, AttributeError, ValueError) as error:
        raise ValueError(f"{folder / PLAN_FILE}: damaged, or of another version ({shorten(str(error), 300)})") from None


def source_of(folder: Path) -> tuple[str, str]:
    """Return the study's name, and the name or file from which it was read."""
    written = read_json(folder / PLAN_FILE)
    setting = written.get("setting")
    return str(setting.get("study") if isinstance(setting, dict) else None), str(written.get("source"))


def publish(table: Table, advice: str, folder: Path) -> None:
    """Write table, figures and advice (Markdown) into the study's folder, all of them or none.

    Empty advice means that there are no results; then old figures and advice are deleted.
    """
    contents: dict[str, str | bytes] = {
        "table.md": as_markdown(table),
        "table.tex": as_latex(table),
        "table.csv": as_csv(table),
    }
    if table.effects:
        contents["effects.csv"] = effects_as_csv(table.effects)
    if advice:
        contents["next.md"] = advice
        figures = {"forest": plot_forest(table), "cost": plot_cost(table)}
        contents |= {f"{name}.{kind}": figure_as(kind, one) for name, one in figures.items() for kind in ("png", "svg")}
    replace_files(folder, contents)
    for name in _OF_RESULTS - contents.keys():
        (folder / name).unlink(missing_ok=True)


def _row_to_dict(row: Row, jobs: Mapping[int, Job]) -> dict[str, Any]:
    plain = {name: getattr(row, name) for name in ("name", "published", "seconds", "note", "split", "control")}
    return {
        **plain,
        "changes": json.loads(json.dumps(dict(row.changes), default=str)),  # YAML has dates, which JSON lacks
        "after": {name: first.to_dict() for name, first in row.after.items()},
        "recipe": next(iter(jobs.values())).recipe.to_dict(),
        "first_runs": {
            name: {"key": first.key, "recipe": first.recipe.to_dict()}
            for name, first in next(iter(jobs.values())).after.items()
        },
        "runs": {str(seed): job.key for seed, job in jobs.items()},
    }


def _plan_from_dict(written: Mapping[str, Any]) -> Plan:
    check_plan(written)
    lists = {name: tuple(written["setting"].get(name, ())) for name in _LISTS}
    design = written["setting"].get("design")
    setting = Setting(**{**written["setting"], **lists, "design": Design.from_dict(design) if design else None})
    rows, jobs = [], {}
    for row in written["rows"]:
        fields = {name: row[name] for name in ("name", "published", "seconds", "note", "split", "changes")}
        after = {name: Recipe.from_dict(first) for name, first in row["after"].items()}
        rows.append(Row(**fields, after=after, control=row.get("control")))  # old folders have no control by row
        recipe = Recipe.from_dict(row["recipe"])
        # The key depends on the code, so a run is found only under the key of the code that did it.
        firsts = {
            name: Job(Recipe.from_dict(first["recipe"]), known_as=first["key"])
            for name, first in row.get("first_runs", {}).items()
        }
        jobs[row["name"]] = {
            int(seed): Job(with_seed(recipe, int(seed)), firsts, known_as=key) for seed, key in row["runs"].items()
        }
    base = Recipe.from_dict(written["base"])
    has_own = any(row.control for row in rows)  # then the setting describes the controls in words
    control, pairs = (None, str(setting.control)) if has_own else (setting.control, "")
    study = Study(
        setting.study, setting.purpose, base, tuple(rows), control, setting.source, setting.protocol, pairs=pairs,
        repeats=setting.repeats, design=setting.design,
    )  # fmt: skip
    return Plan(study, setting, jobs)
