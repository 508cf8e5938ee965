"""The columns of a study's table, and how its numbers are written."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

from assay.base.statistics import Difference, Estimate
from assay.studies.forms.words import points
from assay.studies.table import Line, Table

MISSING = "—"
NARROW, NARROWEST = 80, 60  # columns of a terminal, below which less is shown
_UNITS = ((1e12, "T"), (1e9, "G"), (1e6, "M"), (1e3, "k"))


@dataclass(frozen=True)
class Column:
    """A title, and the text of each line."""

    title: str
    cell: Callable[[Line], str]
    words: bool = False  # not a number


def accuracy(about: Estimate, between: str = " ") -> str:
    """The mean and the half-width of its interval, as ``78.62 ± 0.41``."""
    if about.n == 0:
        return MISSING
    return f"{about.mean:.2f}{'' if math.isnan(about.half_width) else f'{between}± {about.half_width:.2f}'}"


def difference(about: Difference | None, between: str | None = " ") -> str:
    """The mean and its interval, as ``-4.55 [-5.12, -3.98]``; without the interval where nothing stands between."""
    if about is None:
        return MISSING
    limits = "" if between is None or math.isnan(about.low) else f"{between}[{about.low:z.2f}, {about.high:z.2f}]"
    return f"{about.mean:+z.2f}{limits}"


def quantity(count: float | None) -> str:
    """Three figures and a unit, as ``1.33 M``."""
    if count is None:
        return MISSING
    for size, unit in _UNITS:
        if count >= 0.9995 * size:
            return f"{f'{count / size:#.3g}'.rstrip('.')} {unit}"
    return f"{count:.0f}"


def rate(number: float) -> str:
    """Whole, with commas; two figures below 10."""
    if math.isnan(number):
        return MISSING
    return f"{number:,.0f}" if number >= 10 else f"{number:.2g}"


def all_columns(table: Table) -> list[Column]:
    """All that a page has room for."""
    planned = len(table.setting.seeds)
    return [
        Column("row", lambda line: line.name, words=True),
        Column("published", lambda line: _number(line.published)),
        Column("measured", lambda line: accuracy(line.estimate)),
        *_held_out(table),
        Column("published difference", lambda line: _number(line.published_difference, "+z.2f")),
        Column("difference", lambda line: difference(line.difference)),
        Column("p", lambda line: MISSING if math.isnan(line.p) else f"{line.p:.2g}"),
        Column("verdict", marked_verdict, words=True),
        Column("runs", lambda line: f"{line.runs}/{planned}"),
        Column(f"seeds for {points(table.wanted)}", lambda line: _number(line.seeds_needed, "d")),
        *costs()[1:],
        *_published_seconds(table),
    ]


def conclusions(table: Table, width: int) -> list[Column]:
    """Without what a footnote says or the verdict sums up; an interval stands below its difference."""
    planned = len(table.setting.seeds)
    row = Column("row", lambda line: f"{line.name}{_unfinished(line, planned)}", words=True)
    between = " " if width >= NARROW else "\n"
    verdict = Column("verdict", lambda line: marked_verdict(line).replace(" ", between), words=True)
    if width < NARROWEST:
        measured = Column("measured", lambda line: accuracy(line.estimate, "\n"))
        return [row, measured, Column("diff.", lambda line: difference(line.difference, None)), verdict]
    return [
        row,
        *([Column("publ.", lambda line: _number(line.published))] if width >= NARROW else []),
        Column("measured", lambda line: accuracy(line.estimate)),
        *_held_out(table, "held\nout"),
        Column("difference", lambda line: difference(line.difference, "\n")),
        verdict,
    ]


def costs() -> list[Column]:
    """What each row costs."""
    return [
        Column("row", lambda line: line.name, words=True),
        Column("parameters", lambda line: quantity(line.parameters)),
        Column("FLOPs", lambda line: quantity(line.flops)),
        Column("seconds", lambda line: rate(line.seconds)),
        Column("images/s", lambda line: rate(line.images_per_second)),
    ]


def _held_out(table: Table, title: str = "held-out") -> list[Column]:
    if all(line.held_out is None for line in table.lines):
        return []
    return [Column(title, lambda line: _number(line.held_out))]


def _published_seconds(table: Table) -> list[Column]:
    if all(line.published_seconds is None for line in table.lines):
        return []
    return [Column("published seconds", lambda line: _number(line.published_seconds, ",.0f"))]


def marked_verdict(line: Line) -> str:
    """The verdict, with a dagger where it rests on one seed."""
    return f"{line.verdict} †" if line.test == "mcnemar" else line.verdict


def _unfinished(line: Line, planned: int) -> str:
    return f" ({line.runs} of {planned} runs)" if 0 < line.runs < planned else ""


def _number(value: float | None, form: str = ".2f") -> str:
    return MISSING if value is None else format(value, form)
