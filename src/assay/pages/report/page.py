"""From what a page says to its HTML text."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from functools import cache
from importlib import resources
from typing import Any

import vl_convert
from jinja2 import Environment, PackageLoader, StrictUndefined, Template
from markupsafe import Markup

from assay.pages.report import curves, error_charts, gallery, grids, pictures, study
from assay.pages.report.collect import Report
from assay.version import VERSION

LARGEST_TABLE = 20
"""Classes up to which a confusion matrix is a table; of more it is a chart, and a table of what is most frequent."""


def render(report: Report, template: str | Template = "page.html", **more: Any) -> str:
    """The page's text; what cannot be written as UTF-8, such as parts of a file's name, becomes ``?``.

    Args:
        report: what it says.
        template: one of this package by its name, or any that extends ``page.html``.
        more: further values for the template.
    """
    values = {
        "report": report,
        "curves": curve_data(report),
        "specs": _specs(report),
        "made": datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"),
        "optimistic": any(run.record is not None and grids.is_optimistic(run.record) for run in report.runs),
    }
    text = environment().get_template(template).render(values | more)
    return text.encode("utf-8", "replace").decode("utf-8")


def curve_data(report: Report) -> dict[str, Any]:
    """What the charts of curves draw, as the page's script takes it: the measures, and the runs' numbers.

    ``sampled`` says which epochs there are; it is empty where there are all.
    """
    measures = {
        name: {"title": measure.title, "unit": measure.unit, "fields": dict(measure.fields)}
        for name, measure in curves.MEASURES.items()
    }
    runs = curves.curves(report.runs)
    return {"measures": measures, "runs": runs, "sampled": curves.sampled(runs)}


@cache
def environment() -> Environment:
    """The templates, with everything escaped that is not marked as HTML."""
    loader = PackageLoader("assay.pages.report")
    made = Environment(loader=loader, autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    made.filters["json_script"] = json_script
    made.globals |= {
        "MEASURES": curves.MEASURES,
        "curve_in_words": curves.in_words,
        "error_charts": error_charts,
        "gallery": gallery,
        "grids": grids,
        "pictures": pictures,
        "study_parts": study,
        "asset": asset,
        "runtime": runtime,
        "LARGEST_TABLE": LARGEST_TABLE,
        "VERSION": VERSION,
    }
    return made


def json_script(values: Any) -> Markup:
    """Values for a ``<script>`` of data: no text in them can end it, or begin a comment."""
    text = json.dumps(values, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    return Markup(text.replace("&", r"\u0026").replace("<", r"\u003c").replace(">", r"\u003e"))


@cache
def asset(name: str) -> Markup:
    """A file of this package's ``static`` folder, to stand within the page."""
    return Markup(resources.files("assay.pages.report").joinpath("static", name).read_text(encoding="utf-8"))


@cache
def runtime() -> Markup:
    """Vega, Vega-Lite and Vega-Embed in one script that asks for nothing from outside."""
    return Markup(vl_convert.javascript_bundle("window.vegaEmbed = vegaEmbed;"))


def _specs(report: Report) -> dict[str, Any]:
    """Every chart's specification once, by the name under which the figures ask for it."""
    specs: dict[str, Any] = curves.curve_specs(report.runs)
    specs["calibration"] = error_charts.calibration_spec()
    sizes = {len(run.confusion) for run in report.runs if run.confusion is not None}
    return specs | {f"confusion-{size}": error_charts.confusion_spec(size) for size in sizes if size > LARGEST_TABLE}
