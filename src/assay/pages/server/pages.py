"""From values to the HTML text of the server's pages; the page of a run or a study is the report's own."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from functools import cache
from importlib import resources
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import quote

from jinja2 import ChoiceLoader, Environment, PackageLoader
from markupsafe import Markup

from assay.analysis.errors.results import Errors
from assay.pages.report.collect import collect
from assay.pages.report.content import Report, RunPart, StudyPart
from assay.pages.report.page import asset, curve_data, render, runtime
from assay.pages.report.page import environment as report_environment
from assay.pages.server.overview import Overview, StudyOverview
from assay.run.record import RunRecord
from assay.studies.api import StudyReport

Part = TypeVar("Part", RunPart, StudyPart, Errors)


def list_page(folder: str, runs: Sequence[Overview], studies: Sequence[StudyOverview]) -> str:
    """All runs and studies of the folder."""
    return _environment().get_template("list.html").render(here="list", folder=folder, runs=runs, studies=studies)


def predict_page(models: Sequence[str], chosen: str, most: int) -> str:
    """Where an image is dropped: on one of the models, of at most so many bytes."""
    return _environment().get_template("predict.html").render(here="predict", models=models, chosen=chosen, most=most)


@cache
def _environment() -> Environment:
    """The report's, with the server's templates in front of its own."""
    report = report_environment()
    loaders = [PackageLoader("assay.pages.server"), *([report.loader] if report.loader else [])]
    environment = report.overlay(loader=ChoiceLoader(loaders))
    environment.filters = {**environment.filters, "when": _when}
    environment.globals = {**environment.globals, "site_asset": _asset}
    return environment


def report_page(
    folders: Mapping[str, Path],
    title: str,
    hide: Callable[[str], str],
    *,
    training: Mapping[str, str] | None = None,
    model: str = "",
) -> str:
    """The report of runs or of a study, with the way back; it follows the runs where they train.

    Args:
        folders: by their names on this server.
        title: of the page.
        hide: takes from a remark what no visitor needs to know.
        training: how each run that trains stands, in words.
        model: the name of the one that can be tried; empty where there is none, or more.
    """
    live = [f"run={quote(name, safe='')}" for name in folders] if training else []
    more = {"live": live, **standing(training or {}), "model": model}
    template: Any = _environment().get_template("report.html")
    return render(_as_served(collect(list(folders.values()), title=title), folders, hide), template, **more)


def standing(training: Mapping[str, str]) -> dict[str, Any]:
    """Which runs train, and how they stand, in a line."""
    return {"training": list(training), "standing": "; ".join(training.values())}


def curves(folders: Mapping[str, Path]) -> dict[str, Any]:
    """What the charts of that page draw, as it stands now."""
    runs = [
        RunPart(f"run-{place}", name, folder, _record(folder))
        for place, (name, folder) in enumerate(folders.items(), start=1)
    ]
    return curve_data(Report("", "", tuple(runs), ()))


def _record(folder: Path) -> RunRecord | None:
    """None where it is damaged: the other curves are drawn all the same."""
    try:
        return RunRecord.read(folder)
    except (ValueError, OSError):
        return None


@cache
def report_policy() -> str:
    """What the report's page may do: run the scripts that are part of this program, and no other."""
    scripts = [runtime(), asset("charts.js"), asset("page.js"), _asset("live.js")]
    digests = [base64.b64encode(hashlib.sha256(script.encode()).digest()).decode() for script in scripts]
    allowed = " ".join(f"'sha256-{digest}'" for digest in digests)
    return (
        f"default-src 'none'; script-src {allowed}; style-src 'unsafe-inline'; img-src data:; connect-src 'self'; "
        "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    )


def _as_served(report: Report, folders: Mapping[str, Path], hide: Callable[[str], str]) -> Report:
    """The report with its runs under their names on this server, and remarks that do not say where they lie."""
    names = {folder: name for name, folder in folders.items()}
    runs = [replace(_without_place(run, hide), name=names.get(run.folder, run.name)) for run in report.runs]
    together = [
        replace(one, remark=hide(one.remark), errors=one.errors and _without_place(one.errors, hide))
        for one in report.together
    ]
    studies = [
        replace(_without_place(study, hide), report=study.report and _report_as_served(study.report, hide))
        for study in report.studies
    ]
    return replace(report, runs=tuple(runs), studies=tuple(studies), together=tuple(together))


def _report_as_served(study: StudyReport, hide: Callable[[str], str]) -> StudyReport:
    lines = tuple(replace(line, failures=tuple(map(hide, line.failures))) for line in study.table.lines)
    return replace(study, table=replace(study.table, lines=lines))


def _without_place(part: Part, hide: Callable[[str], str]) -> Part:
    """With remarks that do not say where the served folder lies."""
    return replace(part, remarks=tuple(map(hide, part.remarks)))


@cache
def _asset(name: str) -> Markup:
    """A file of this package's ``static`` folder, to stand within the page."""
    return Markup(resources.files("assay.pages.server").joinpath("static", name).read_text(encoding="utf-8"))


def _when(seconds: float) -> str:
    """A time on this machine's clock."""
    return f"{datetime.fromtimestamp(seconds):%Y-%m-%d %H:%M}"
