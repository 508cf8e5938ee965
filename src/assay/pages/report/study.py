"""A study's part of the page: its setting, its table, its pictures, its notes, what to try next."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from assay.pages.report.grid import MISSING, Grid, from_markdown, written
from assay.pages.report.pictures import svg
from assay.studies.api import StudyReport
from assay.studies.forms.columns import all_columns
from assay.studies.forms.plots import plot_cost, plot_forest
from assay.studies.forms.words import footnotes, header
from assay.studies.surface.plots import plot_along_gradient, plot_over_rates
from assay.studies.surface.words import HEADERS, NOTES, cells
from assay.studies.table import Table


@dataclass(frozen=True)
class Figure:
    """A picture's address, what it shows in a line, and what is seen on it."""

    address: str
    caption: str
    seen: str


@dataclass(frozen=True)
class Advice:
    """A heading of the advice, and what stands below it: paragraphs and tables."""

    heading: str
    parts: tuple[str | Grid, ...]


def setting(report: StudyReport) -> dict[str, str]:
    """Under what the study was run, from a label to what it says."""
    return header(report.table.setting)


def table(report: StudyReport) -> Grid:
    """The table with its verdicts, as the study's own forms have it, without columns of which nothing is known."""
    columns = [
        column
        for column in all_columns(report.table)
        if column.words or any(column.cell(line) != MISSING for line in report.table.lines)
    ]
    lines = [[column.cell(line) for column in columns] for line in report.table.lines]
    return written(f"{report.table.setting.study}: rows and verdicts", [column.title for column in columns], lines)


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
    lines = [cells(claim) for claim in report.surface.claims]
    return written(f"{report.table.setting.study}: the loss's surface", HEADERS, lines)


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


def advice(report: StudyReport) -> list[Advice]:
    """The advice's sections, from its Markdown: headings, paragraphs and tables."""
    sections: list[Advice] = []
    for block in filter(None, report.advice.strip().split("\n\n")):
        if block.startswith("### "):
            sections.append(Advice(block.removeprefix("### "), ()))
        else:
            last = sections.pop()
            part = from_markdown(block, last.heading) if block.startswith("|") else block
            sections.append(Advice(last.heading, (*last.parts, part)))
    return sections


def _in_words(made: Table) -> str:
    rows = "; ".join(f"{line.name}: {line.verdict or 'measured'}" for line in made.lines)
    return f"{made.setting.study}. {rows}. All figures stand in the table."
