"""From the content of a page to its HTML text."""

from __future__ import annotations

import json
from collections.abc import Sequence
from contextlib import suppress
from datetime import UTC, datetime
from functools import cache
from importlib import resources
from importlib.metadata import version
from typing import Any

import vl_convert
from jinja2 import Environment, PackageLoader, StrictUndefined, Template
from markupsafe import Markup

from assay.base.atomic import replace_file
from assay.data.cache import cache_folder
from assay.pages.report import curves, error_charts, gallery, origin, pictures, run_grids, study
from assay.pages.report.content import Report, RunPart
from assay.version import VERSION

LARGEST_TABLE = 20
"""The most classes whose confusion matrix is a table; of more classes it is a chart."""


def render(report: Report, template: str | Template = "page.html", **more: Any) -> str:
    """Return the page's HTML text.

    Args:
        report: the content.
        template: the name of one of this package's templates, or any that extends ``page.html``.
        more: further values for the template.
    """
    sizes = {len(run.evaluation.classes) for run in report.runs if run.evaluation is not None}
    specs = {
        **curves.curve_specs(report.runs),
        "calibration": error_charts.calibration_spec(),
        **{f"confusion-{size}": error_charts.confusion_spec(size) for size in sizes if size > LARGEST_TABLE},
    }
    values = {
        "report": report,
        "curves": curve_data(report.runs),
        "specs": specs,
        "made": datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"),
        "optimistic": any(run.record is not None and run_grids.warning_of(run.record) for run in report.runs),
    }
    text = environment().get_template(template).render(values | more)
    # A file's name may hold bytes that are not UTF-8, which Python keeps as lone surrogates.
    return text.encode("utf-8", "replace").decode("utf-8")


def curve_data(parts: Sequence[RunPart]) -> dict[str, Any]:
    """Return what the charts of curves draw, as static/charts.js takes it: the charts, and the runs' numbers.

    ``sampled`` says in words which epochs are there; it is empty if all are.
    """
    charts = {
        name: {"title": chart.title, "unit": chart.unit, "fields": dict(chart.fields)}
        for name, chart in curves.CHARTS.items()
    }
    runs = curves.curves(parts)
    return {"charts": charts, "runs": runs, "sampled": curves.sampled(runs)}


@cache
def environment() -> Environment:
    """Return the environment of the templates, in which all text that is not marked as HTML is escaped."""
    loader = PackageLoader("assay.pages.report")
    # A misspelt name in a template is an error, not an empty text.
    made = Environment(loader=loader, autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    made.filters["json_script"] = json_script
    made.globals |= {
        "CURVE_CHARTS": curves.CHARTS,
        "curve_in_words": curves.in_words,
        "error_charts": error_charts,
        "gallery": gallery,
        "origin": origin,
        "pictures": pictures,
        "run_grids": run_grids,
        "study_parts": study,
        "asset": asset,
        "runtime": runtime,
        "LARGEST_TABLE": LARGEST_TABLE,
        "VERSION": VERSION,
    }
    return made


def json_script(values: Any) -> Markup:
    """Return values as JSON for a ``<script>`` element; no text in them can end it or begin a comment."""
    # A browser's JSON.parse takes no NaN.
    text = json.dumps(values, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    return Markup(text.replace("&", r"\u0026").replace("<", r"\u003c").replace(">", r"\u003e"))


@cache
def asset(name: str, package: str = "assay.pages.report") -> Markup:
    """Return a file of a package's ``static`` folder, to be put into the page."""
    return Markup(resources.files(package).joinpath("static", name).read_text(encoding="utf-8"))


@cache
def runtime() -> Markup:
    """Return Vega, Vega-Lite and Vega-Embed as one script that loads nothing; kept, for making it takes seconds."""
    kept = cache_folder() / "pages" / f"vega-embed-of-vl-convert-{version('vl-convert-python')}.js"
    try:
        return Markup(kept.read_text(encoding="utf-8"))
    except (OSError, UnicodeError):
        script = vl_convert.javascript_bundle("window.vegaEmbed = vegaEmbed;")
    with suppress(OSError):  # a cache that cannot be written costs time only
        kept.parent.mkdir(parents=True, exist_ok=True)
        replace_file(kept, script)
    return Markup(script)
