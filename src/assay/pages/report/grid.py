"""A table of the page: what every cell says, and by which number it is sorted."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

from assay.studies.forms.columns import Column, Listing

MISSING = "—"


@dataclass(frozen=True)
class Cell:
    """A cell.

    Attributes:
        text: what it says.
        value: the number by which it is sorted; None sorts by the text.
        link: the id of the part of the page that it leads to, if any.
        warning: what must be said of the figure wherever it stands, if anything.
        share: in [0, 1], drawn as a bar behind the text; None draws nothing.
    """

    text: str
    value: float | None = None
    link: str = ""
    warning: str = ""
    share: float | None = None


@dataclass(frozen=True)
class Head:
    """A column's title; whether it holds numbers; what the title means, where it does not say so itself."""

    title: str
    numeric: bool = True
    hint: str = ""


@dataclass(frozen=True)
class Grid:
    """A table whose first column names its rows."""

    caption: str
    heads: tuple[Head, ...]
    rows: tuple[tuple[Cell, ...], ...]


def words(text: object) -> Cell:
    """A cell of text."""
    return Cell(str(text))


def number(value: float | None, form: str = ",.0f", *, scale: int = 1, unit: str = "", warning: str = "") -> Cell:
    """A cell of a number; of none, or one that is not finite, a dash that sorts last."""
    if value is None or not math.isfinite(value):
        return Cell(MISSING)
    return Cell(f"{format(scale * value, form)}{unit}", scale * value, warning=warning)


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
