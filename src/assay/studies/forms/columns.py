"""The columns of a study's table, and how its numbers are written."""

from __future__ import annotations

import math
import textwrap
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from assay.base.statistics import Difference, Estimate
from assay.studies.comparison import Comparison
from assay.studies.forms.words import limits, points
from assay.studies.table import Line, Table
from assay.studies.verdict import NO_DIFFERENCE

MISSING = "—"
NARROW, NARROWEST = 80, 60  # widths of a terminal in characters, below which less is shown
_UNITS = ((1e12, "T"), (1e9, "G"), (1e6, "M"), (1e3, "k"))

T = TypeVar("T")


@dataclass(frozen=True)
class Column(Generic[T]):
    """A column of any table.

    Attributes:
        title: its heading.
        text: writes an item's cell.
        value: the number behind that text in full precision, None or nan where it is missing; left out where the
            column holds words.
    """

    title: str
    text: Callable[[T], str]
    value: Callable[[T], float | None] | None = None


@dataclass(frozen=True)
class Listing(Generic[T]):
    """A table as data: items, and the columns that describe each of them."""

    columns: Sequence[Column[T]]
    items: Sequence[T]


def without_nan(record: Mapping[str, Any]) -> dict[str, Any]:
    """Replace nan by None, which every format of rows writes as a missing value."""
    return {name: None if isinstance(value, float) and math.isnan(value) else value for name, value in record.items()}


def accuracy(about: Estimate, between: str = " ") -> str:
    """The mean and the half-width of its interval, as ``78.62 ± 0.41``."""
    if about.n == 0:
        return MISSING
    return f"{about.mean:.2f}{'' if math.isnan(about.half_width) else f'{between}± {about.half_width:.2f}'}"


def difference(about: Comparison | Difference | None, between: str | None = " ") -> str:
    """The mean and its interval, as ``-4.55 [-5.12, -3.98]``; without the interval where ``between`` is None."""
    if about is None:
        return MISSING
    return f"{about.mean:+z.2f}{'' if between is None else limits(about.low, about.high, between)}"


def quantity(count: float) -> str:
    """Three figures and a unit, as ``1.33 M``."""
    for size, unit in _UNITS:
        if count >= 0.9995 * size:  # from here on it rounds to 1.00 of this unit
            return f"{f'{count / size:#.3g}'.rstrip('.')} {unit}"
    return f"{count:.0f}"


def rate(number: float) -> str:
    """Whole, with commas; two figures below 10."""
    return f"{number:,.0f}" if number >= 10 else f"{number:.2g}"


def marked_verdict(line: Line, table: Table) -> str:
    """The verdict, with the margin that it is about, and with a dagger where there is one shared seed."""
    said = f"{NO_DIFFERENCE} of {points(table.margin)}" if line.verdict == NO_DIFFERENCE else line.verdict
    return f"{said} †" if line.test == "mcnemar" else said


def beats(line: Line) -> str:
    """The probability of beating the control on a new seed, as ``93 % [52, 100]``."""
    about = line.difference and line.difference.superiority
    if not about:
        return MISSING
    return f"{100 * about.share:.0f} % [{100 * about.low:.0f}, {100 * about.high:.0f}]"


def diverged(line: Line) -> str:
    """How many runs diverged, with the p value of Fisher's test against the control's, as ``2 (p 0.15)``."""
    p = line.difference.p_diverged if line.difference else math.nan
    return f"{len(line.diverged)}{'' if math.isnan(p) else f' (p {p:.2g})'}"


def seeds_range(line: Line) -> str:
    """The range of the number of runs that would show a difference of the margin, as ``12 to 140``."""
    about = line.difference and line.difference.seeds_needed
    return f"{about[0]:,} to {about[1]:,}" if about else MISSING


def all_columns(table: Table) -> list[Column[Line]]:
    """Every column, for a page or a file."""
    any_diverged = any(line.diverged for line in table.lines)
    return [
        Column("row", lambda line: line.name),
        *_if_known(table, _number("published", lambda line: line.row.published)),
        Column("measured", lambda line: accuracy(line.estimate), lambda line: line.estimate.mean),
        *([Column("without diverged", _survivors, _mean_survivor)] if any_diverged else []),
        *_if_known(table, _number("held-out", lambda line: line.held_out)),
        *_if_known(table, _number("published difference", lambda line: line.published_difference, "{:+z.2f}".format)),
        Column("difference", lambda line: difference(line.difference), _mean_difference),
        _number("p", lambda line: line.p, "{:.2g}".format),
        _number("p, paired", lambda line: line.p_paired, "{:.2g}".format),
        Column("verdict", lambda line: marked_verdict(line, table)),
        *([Column("published claim", _claim)] if any(line.claim for line in table.lines) else []),
        *([Column("beats control", beats, _share)] if table.compared else []),
        Column("runs", lambda line: f"{line.runs}/{line.planned}", lambda line: line.runs),
        *([Column("diverged", diverged, lambda line: len(line.diverged))] if any_diverged else []),
        Column(f"seeds for {points(table.margin)}", seeds_range, _most_seeds),
        *costs(table)[1:],
        *_if_known(table, _number("published seconds", lambda line: line.row.seconds, "{:,.0f}".format)),
    ]


def conclusions(table: Table, width: int) -> list[Column[Line]]:
    """What can be concluded from each row, in so many characters; an interval stands below its difference."""
    row = Column[Line](
        "row",
        lambda line: f"{line.name} ({line.runs} of {line.planned} runs)" if 0 < line.runs < line.planned else line.name,
    )

    def said(line: Line) -> str:
        claim = f" (published: {line.claim})" if line.claim else ""
        return textwrap.fill(f"{marked_verdict(line, table)}{claim}", 24 if width >= NARROW else 15)

    verdict = Column[Line]("verdict", said)
    if width < NARROWEST:
        return [
            row,
            Column("measured", lambda line: accuracy(line.estimate, "\n"), lambda line: line.estimate.mean),
            Column("diff.", lambda line: difference(line.difference, None), _mean_difference),
            verdict,
        ]
    return [
        row,
        *(_if_known(table, _number("publ.", lambda line: line.row.published)) if width >= NARROW else []),
        Column("measured", lambda line: accuracy(line.estimate), lambda line: line.estimate.mean),
        *_if_known(table, _number("held\nout", lambda line: line.held_out)),
        Column("difference", lambda line: difference(line.difference, "\n"), _mean_difference),
        verdict,
    ]


def costs(table: Table) -> list[Column[Line]]:
    """What each row costs, as far as it is known of any."""
    return [
        Column("row", lambda line: line.name),
        *_if_known(table, _number("parameters", lambda line: line.parameters, quantity)),
        *_if_known(table, _number("FLOPs", lambda line: line.flops, quantity)),
        *_if_known(table, _number("seconds", lambda line: line.seconds, rate)),
        *_if_known(table, _number("images/s", lambda line: line.images_per_second, rate)),
    ]


def _number(
    title: str, value: Callable[[Line], float | None], write: Callable[[float], str] = "{:.2f}".format
) -> Column[Line]:
    def text(line: Line) -> str:
        number = value(line)
        return MISSING if number is None or math.isnan(number) else write(number)

    return Column(title, text, value)


def _if_known(table: Table, column: Column[Line]) -> list[Column[Line]]:
    """The column where any line has its number, else none."""
    return [column] if any(column.text(line) != MISSING for line in table.lines) else []


def _mean_difference(line: Line) -> float | None:
    return None if line.difference is None else line.difference.mean


def _claim(line: Line) -> str:
    return line.claim or MISSING


def _survivors(line: Line) -> str:
    return accuracy(line.survivors) if line.survivors else MISSING


def _mean_survivor(line: Line) -> float | None:
    return line.survivors.mean if line.survivors else None


def _share(line: Line) -> float | None:
    about = line.difference and line.difference.superiority
    return about.share if about else None


def _most_seeds(line: Line) -> float | None:
    about = line.difference and line.difference.seeds_needed
    return about[1] if about else None
