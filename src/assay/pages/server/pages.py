"""The HTML text of the server's pages; the page of a run or a study is the report's."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Callable, Hashable, Mapping
from dataclasses import replace
from datetime import datetime
from functools import cache, lru_cache, partial
from pathlib import Path
from typing import Any, Literal, TypeVar
from urllib.parse import quote

from jinja2 import ChoiceLoader, Environment, PackageLoader

from assay.analysis.errors.results import Errors
from assay.classifier.accuracy import in_brackets
from assay.pages.report.collect import collect
from assay.pages.report.content import Report, RunPart, StudyPart
from assay.pages.report.page import asset, curve_data, render, runtime
from assay.pages.report.page import environment as report_environment
from assay.run.record import RunRecord

Part = TypeVar("Part", RunPart, StudyPart, Errors)
_PACKAGE = "assay.pages.server"


def site_page(name: Literal["list", "predict"], **values: Any) -> str:
    """Return the page that lists the folder's runs and studies, or the one on which a model is tried."""
    return _environment().get_template(f"{name}.html").render(here=name, **values)


@cache
def _environment() -> Environment:
    """Return the report's environment, in which the server's templates take precedence."""
    report = report_environment()
    loaders = [PackageLoader(_PACKAGE), *([report.loader] if report.loader else [])]
    environment = report.overlay(loader=ChoiceLoader(loaders))
    # New dictionaries, because an overlay shares those of the report's environment.
    environment.filters = {
        **environment.filters,
        "in_brackets": in_brackets,
        "when": lambda seconds: f"{datetime.fromtimestamp(seconds):%Y-%m-%d %H:%M}",
    }
    environment.globals = {**environment.globals, "site_asset": partial(asset, package=_PACKAGE)}
    return environment


def report_page(
    folders: Mapping[str, Path],
    title: str,
    hide: Callable[[str], str],
    *,
    training: Mapping[str, str] | None = None,
    model: str = "",
) -> str:
    """Return the report of runs or of a study, with a way back to the list; it is updated while runs train.

    Args:
        folders: by their names on this server.
        title: of the page.
        hide: removes from a remark what visitors must not see.
        training: the progress of each run that trains, in words.
        model: the name of the one model that can be tried; empty if there is none, or more than one.
    """
    live = [f"run={quote(name, safe='')}" for name in folders] if training else []
    more = {"live": live, **standing(training or {}), "model": model}
    template: Any = _environment().get_template("report.html")
    return render(_as_served(collect(list(folders.values()), title=title), folders, hide), template, **more)


@lru_cache(8)
def run_page(
    folders: tuple[tuple[str, Path], ...],
    _stamps: Hashable,
    hide: Callable[[str], str],
    training: tuple[tuple[str, str], ...],
    model: str,
) -> str:
    """Return the report of runs, kept until one of their files changes: many may ask for the same page at once."""
    title = ", ".join(name for name, _ in folders)
    return report_page(dict(folders), title, hide, training=dict(training), model=model)


def standing(training: Mapping[str, str]) -> dict[str, Any]:
    """Return which runs train, and their progress in a line."""
    return {"training": list(training), "standing": "; ".join(training.values())}


def curves(folders: Mapping[str, Path]) -> dict[str, Any]:
    """Return what the charts of the runs' page draw now."""
    runs = []
    for place, (name, folder) in enumerate(folders.items(), start=1):
        try:
            record = RunRecord.read(folder)
        except (ValueError, OSError):
            record = None  # damaged; the other curves are still drawn
        runs.append(RunPart(f"run-{place}", name, folder, record))
    return curve_data(runs)


@cache
def report_policy() -> str:
    """Return the Content-Security-Policy of a report's page, which allows only the scripts of this program."""
    scripts = [runtime(), asset("charts.js"), asset("page.js"), asset("live.js", _PACKAGE)]
    digests = [base64.b64encode(hashlib.sha256(script.encode()).digest()).decode() for script in scripts]
    allowed = " ".join(f"'sha256-{digest}'" for digest in digests)
    return (
        f"default-src 'none'; script-src {allowed}; style-src 'unsafe-inline'; img-src data:; connect-src 'self'; "
        "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    )


def _as_served(report: Report, folders: Mapping[str, Path], hide: Callable[[str], str]) -> Report:
    """Return the report with the runs' names on this server, and remarks that do not tell where they lie."""
    names = {folder: name for name, folder in folders.items()}
    runs = [replace(_hidden(run, hide), name=names.get(run.folder, run.name)) for run in report.runs]
    together = [
        replace(one, remark=hide(one.remark), errors=one.errors and _hidden(one.errors, hide))
        for one in report.together
    ]
    studies = []
    for study in report.studies:
        made = study.report
        if made:
            lines = tuple(replace(line, failures=tuple(map(hide, line.failures))) for line in made.table.lines)
            made = replace(made, table=replace(made.table, lines=lines))
        studies.append(replace(_hidden(study, hide), report=made))
    return replace(report, runs=tuple(runs), studies=tuple(studies), together=tuple(together))


def _hidden(part: Part, hide: Callable[[str], str]) -> Part:
    """Return the part with remarks that do not tell where the served folder lies."""
    return replace(part, remarks=tuple(map(hide, part.remarks)))
