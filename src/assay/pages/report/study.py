"""A study's part of the page: its setting, its table, its pictures, its notes, what to try next."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from assay.pages.report.grid import Grid, from_listing
from assay.pages.report.pictures import svg
from assay.studies.advice.words import sections
from assay.studies.api import StudyReport
from assay.studies.forms.columns import Listing, all_columns
from assay.studies.forms.plots import plot_cost, plot_forest
from assay.studies.forms.words import footnotes, header
from assay.studies.surface.plots import plot_along_gradient, plot_over_rates
from assay.studies.surface.words import COLUMNS, NOTES
from assay.studies.table import Table


@dataclass(frozen=True)
class Figure:
    """A picture's address, what it shows in a line, and what is seen on it."""

    address: str
    caption: str
    seen: str


def setting(report: StudyReport) -> dict[str, str]:
    """Under what the study was run, from a label to what it says."""
    return header(report.table.setting)


def table(report: StudyReport) -> Grid:
    """The table with its verdicts."""
    made = report.table
    return from_listing(f"{made.setting.study}: rows and verdicts", Listing(all_columns(made), made.lines))


def figures(report: StudyReport) -> list[Figure]:
    """The differences and the costs; none where nothing has been measured yet."""
    if not any(line.runs for line in report.table.lines):
        return []
    seen = _in_words(report.table)
    return [
        Figure(svg(plot_forest(report.table)), "Differences to the control, with 95 % intervals", seen),
        Figure(svg(plot_cost(report.table)), "Accuracy and what it costs", seen),
    ]


def surface(report: StudyReport) -> Grid | None:
    """The claims on the loss's surface; None where no run was probed."""
    if report.surface is None:
        return None
    caption = f"{report.table.setting.study}: the loss's surface"
    return from_listing(caption, Listing(COLUMNS, report.surface.claims))


def surface_figures(report: StudyReport) -> list[Figure]:
    """The bands along the gradient, and those over the learning rates; none where no run was probed."""
    if report.surface is None:
        return []
    networks, under = report.surface.networks, report.table.setting
    seen = f"{', '.join(network.name for network in networks)}. All claims stand in the table."
    return [
        Figure(svg(plot_along_gradient(networks, under)), "Along the gradient of single steps", seen),
        Figure(svg(plot_over_rates(networks, under)), "Bands over the learning rates", seen),
    ]


def notes(report: StudyReport) -> list[str]:
    """How to read the table, and what is missing from it."""
    return footnotes(report.table)


def surface_notes() -> Sequence[str]:
    """How to read the claims on the surface."""
    return NOTES


def advice(report: StudyReport) -> list[tuple[str, list[str | Grid]]]:
    """The sections of the advice, each a heading with its paragraphs and tables; none without results."""
    if report.next_steps is None:
        return []
    return [
        (section.heading, [_part(section.heading, part) for part in section.parts])
        for section in sections(report.next_steps)
    ]


def _part(heading: str, part: str | Listing[Any]) -> str | Grid:
    return part if isinstance(part, str) else from_listing(heading, part)


def _in_words(made: Table) -> str:
    rows = "; ".join(f"{line.name}: {line.verdict or 'measured'}" for line in made.lines)
    return f"{made.setting.study}. {rows}. All figures stand in the table."
