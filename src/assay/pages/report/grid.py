"""A table of the page: the text of every cell, and the number by which it is sorted."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Any

from assay.classifier.accuracy import in_brackets, interval
from assay.studies.forms.columns import Column, Listing

MISSING = "—"


@dataclass(frozen=True)
class Cell:
    """A cell.

    Attributes:
        text: what the page shows.
        value: the number by which it is sorted; None sorts by the text.
        link: the id of the part of the page that it leads to; empty for none.
        warning: a reservation that is shown wherever the figure is; empty for none.
        share: the length of a bar behind the text, in [0, 1]; None draws no bar.
    """

    text: str
    value: float | None = None
    link: str = ""
    warning: str = ""
    share: float | None = None


@dataclass(frozen=True)
class Head:
    """A column's title, whether it holds numbers, and an explanation of the title if it needs one."""

    title: str
    numeric: bool = True
    hint: str = ""


@dataclass(frozen=True)
class Grid:
    """A table whose first column names its rows."""

    caption: str
    heads: tuple[Head, ...]
    rows: tuple[tuple[Cell, ...], ...]


def number(value: float | None, form: str = ",.0f", *, scale: int = 1, unit: str = "", warning: str = "") -> Cell:
    """Return a cell of the scaled number, or a dash, which sorts last, if it is None or not finite."""
    if value is None or not math.isfinite(value):
        return Cell(MISSING)
    return Cell(f"{format(scale * value, form)}{unit}", scale * value, warning=warning)


def percent(share: float | None, warning: str = "", *, images: int | None = None, bar: bool = False) -> Cell:
    """Return a cell of a share in [0, 1] in percent.

    Args:
        share: None makes a dash.
        warning: as in ``Cell``.
        images: of how many images it is an accuracy, whose 95 % interval is then shown too.
        bar: draw a bar behind it.
    """
    ends = None if share is None else in_brackets(interval(share, images))
    cell = number(share, ".2f", scale=100, unit=f" % {ends}" if ends else " %", warning=warning)
    # A dash carries the warning too.
    return replace(cell, warning=warning, share=share if bar else None)


def from_listing(caption: str, listing: Listing[Any]) -> Grid:
    """A table of a study, its cells sorted by the numbers behind them; a column without any number is left out."""
    columns = [
        column
        for column in listing.columns
        if not column.value or any(_value(column, item) is not None for item in listing.items)
    ]
    cells = [[Cell(column.text(item), _value(column, item)) for column in columns] for item in listing.items]
    heads = tuple(Head(column.title, numeric=column.value is not None) for column in columns)
    return Grid(caption, heads, tuple(map(tuple, cells)))


def _value(column: Column[Any], item: Any) -> float | None:
    value = column.value(item) if column.value else None
    return None if value is None or not math.isfinite(value) else value
