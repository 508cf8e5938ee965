"""A study's part of the page: its table, its figures, its surface and its advice."""

from __future__ import annotations

from dataclasses import dataclass

from assay.pages.report.grid import Grid, from_listing
from assay.pages.report.pictures import svg
from assay.studies.advice.words import sections
from assay.studies.factorial.words import COLUMNS, TITLE
from assay.studies.forms.columns import Listing, all_columns, marked_verdict
from assay.studies.forms.plots import plot_cost, plot_forest
from assay.studies.forms.sentence import summary
from assay.studies.forms.words import footnotes, header
from assay.studies.surface.plots import plot_along_gradient, plot_over_rates
from assay.studies.surface.report import SurfaceReport
from assay.studies.surface.words import COLUMNS as OF_SURFACE
from assay.studies.surface.words import NOTES
from assay.studies.table import Table

# The template calls these, and what the study's own forms say in words.
__all__ = [
    "NOTES",
    "effects",
    "figures",
    "footnotes",
    "from_listing",
    "header",
    "sections",
    "summary",
    "surface",
    "surface_figures",
    "table",
]


@dataclass(frozen=True)
class Figure:
    """A figure: its ``data:`` address, a caption of one line, and in words what a reader sees who can see it."""

    address: str
    caption: str
    seen: str


def table(made: Table) -> Grid:
    """The table with its verdicts."""
    return from_listing(f"{made.setting.study}: rows and verdicts", Listing(all_columns(made), made.lines))


def effects(made: Table) -> Grid:
    """The main effects and interactions of a design."""
    return from_listing(f"{made.setting.study}: {TITLE.lower()}", Listing(COLUMNS, made.effects))


def figures(made: Table) -> list[Figure]:
    """The differences and the costs; empty without a finished run."""
    if not any(line.runs for line in made.lines):
        return []
    rows = "; ".join(f"{line.name}: {marked_verdict(line, made) or 'measured'}" for line in made.lines)
    seen = f"{made.setting.study}. {rows}. All figures stand in the table."
    return [
        Figure(svg(plot_forest(made)), "Differences to the control, with 95 % intervals", seen),
        Figure(svg(plot_cost(made)), "Accuracy and what it costs", seen),
    ]


def surface(report: SurfaceReport) -> Grid:
    """The claims on the loss's surface."""
    return from_listing(f"{report.setting.study}: the loss's surface", Listing(OF_SURFACE, report.claims))


def surface_figures(report: SurfaceReport) -> list[Figure]:
    """The bands along the gradient, and those over the learning rates."""
    networks, setting = report.networks, report.setting
    seen = f"{', '.join(network.name for network in networks)}. All claims stand in the table."
    return [
        Figure(svg(plot_along_gradient(networks, setting)), "Along the gradient of single steps", seen),
        Figure(svg(plot_over_rates(networks, setting)), "Bands over the learning rates", seen),
    ]
