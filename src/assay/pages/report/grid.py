"""A table of the page: what every cell says, and by which number it is sorted."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable
from dataclasses import dataclass

MISSING = "—"
_UNITS = {"": 1.0, "k": 1e3, "M": 1e6, "G": 1e9, "T": 1e12}


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


def as_number(text: str) -> float | None:
    """The number that a written one begins with, its unit counted in: ``1.33 M`` is 1,330,000."""
    found = re.match(r"[\s±]*([+-]?[\d,]*\.?\d+(?:e[+-]?\d+)?)\s?([kMGT]?)\b", text)
    return float(found[1].replace(",", "")) * _UNITS[found[2]] if found else None


def from_markdown(block: str, caption: str) -> Grid:
    """The table that a Markdown table writes down."""
    titles, _, *lines = [_cells(line) for line in block.splitlines()]
    return written(caption, titles, lines)


def written(caption: str, titles: Iterable[str], lines: Iterable[Iterable[str]]) -> Grid:
    """A table of written cells; a column is one of numbers where every cell that says anything begins with one."""
    rows = [list(line) for line in lines]
    heads = []
    for place, title in enumerate(titles):
        said = [row[place] for row in rows if row[place] not in ("", MISSING)]
        heads.append(Head(title, bool(place and said) and all(as_number(text) is not None for text in said)))
    cells = [
        tuple(Cell(text, as_number(text) if head.numeric else None) for text, head in zip(row, heads, strict=True))
        for row in rows
    ]
    return Grid(caption, tuple(heads), tuple(cells))


def _cells(line: str) -> list[str]:
    return [cell.strip().replace(r"\|", "|") for cell in re.split(r"(?<!\\)\|", line.strip())[1:-1]]
