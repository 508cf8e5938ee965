"""The claims on the loss's surface as Markdown, CSV and a table on a terminal."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict

from rich.box import SIMPLE_HEAD
from rich.table import Table as Grid
from rich.text import Text

from assay.base.row_files import to_csv
from assay.studies.forms.columns import Column, Listing, without_nan
from assay.studies.forms.markdown import markdown_document
from assay.studies.results import Setting
from assay.studies.surface.claims import FAR, Claim
from assay.studies.verdict import LEVEL

COLUMNS: tuple[Column[Claim], ...] = (
    Column("claim", lambda claim: claim.claim),
    Column("measure", lambda claim: claim.measure),
    Column("form", lambda claim: claim.form),
    Column("compared", lambda claim: claim.compared),
    Column("values", lambda claim: f"{claim.value:.3g} / {claim.reference:.3g}", lambda claim: claim.value),
    Column("ratio [95 %]", lambda claim: f"{claim.ratio:.2g}{_interval(claim)}", lambda claim: claim.ratio),
    Column("verdict", lambda claim: claim.verdict),
)
NOTES = (
    "Forms: paper, the definitions of Santurkar et al. 2018 along the gradient; report, the simpler ones of the "
    "report: bands over separate runs at several learning rates, output-layer gradients of successive steps.",
    "Ratios: geometric means over the seeds, with Student's t interval of the logarithm; "
    f"verdicts at level {LEVEL:g} after Holm's correction, over the lines between networks and over those within one; "
    f"far smaller: the whole interval below {FAR:g}.",
    "Measures along the gradient leave out learning rates at which one of the networks learned nothing. Every measure "
    "leaves out runs that failed or diverged, the other network's at that rate and seed too, and values that are not "
    "finite: both flatter the network that lost them.",
)


def as_markdown(claims: Sequence[Claim], setting: Setting) -> str:
    """The setting, a table, and how to read it."""
    return markdown_document(setting, Listing(COLUMNS, claims), NOTES)


def as_csv(claims: Sequence[Claim], setting: Setting) -> str:
    """A line for each claim, with its numbers in full precision and the study's budget."""
    about = {"study": setting.study, "budget": setting.budget, "budget_in_words": setting.budget_in_words}
    rows = [{**about, **asdict(claim), "verdict": claim.verdict} for claim in claims]
    return to_csv([without_nan(row) for row in rows], digits=None).decode()


def as_rich(claims: Sequence[Claim]) -> Grid:
    """A table for a terminal."""
    titles = (column.title for column in COLUMNS)
    grid = Grid(*titles, box=SIMPLE_HEAD, title="the loss's surface", title_justify="left", padding=(0, 1))
    for claim in claims:
        grid.add_row(*(Text(column.text(claim)) for column in COLUMNS))
    return grid


def _interval(claim: Claim) -> str:
    return "" if math.isnan(claim.low) else f" [{claim.low:.2g}, {claim.high:.2g}]"
