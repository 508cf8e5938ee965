"""Main effects and interactions as a table."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict

from assay.base.row_files import to_csv
from assay.studies.factorial.effects import Effect
from assay.studies.forms.columns import MISSING, Column, without_nan
from assay.studies.forms.words import limits

TITLE = "Main effects and interactions"
COLUMNS: tuple[Column[Effect], ...] = (
    Column("effect", lambda one: one.name),
    Column("not told from", lambda one: ", ".join(one.aliases) or MISSING),
    Column("points", lambda one: f"{one.points:+z.2f}{limits(one.low, one.high)}", lambda one: one.points),
    Column("p", lambda one: MISSING if math.isnan(one.p) else f"{one.p:.2g}", lambda one: one.p),
    Column("verdict", lambda one: one.verdict),
)


def as_csv(effects: Sequence[Effect]) -> str:
    """A line for each effect, with its numbers in full precision."""
    rows = [without_nan({**asdict(one), "aliases": "; ".join(one.aliases)}) for one in effects]
    return to_csv(rows, digits=None).decode()
