"""A study's table on a terminal."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from rich.box import SIMPLE_HEAD
from rich.console import Console, ConsoleOptions, RenderableType, RenderResult
from rich.table import Table as Grid
from rich.text import Text

from assay.studies.forms.columns import NARROW, NARROWEST, Column, conclusions, costs
from assay.studies.forms.words import footnotes, header
from assay.studies.table import Line, Table

_STYLES = {
    "same direction": "green",
    "better": "green",
    "opposite": "red",
    "worse": "red",
    "failed": "red",
    "not distinguishable": "bright_black",
}


def as_rich(table: Table) -> RenderableType:
    """Conclusions, and below them what each row costs; a terminal under 80 characters wide gets fewer columns."""
    return _OnTerminal(table)


@dataclass(frozen=True)
class _OnTerminal:
    table: Table

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        width = options.max_width
        yield _about(self.table)
        yield _grid(self.table, conclusions(self.table, width))
        if any(line.runs for line in self.table.lines):
            yield _grid(self.table, costs()[: 4 if width < NARROWEST else None])
        notes = footnotes(self.table)
        if width < NARROW:
            notes.append("Some columns are left out of this narrow table; as Markdown or CSV it has all.")
        for note in notes:
            yield Text(note, style="bright_black")


def _about(table: Table) -> Grid:
    about = Grid.grid(padding=(0, 1))
    about.add_column()
    about.add_column(overflow="fold")
    for label, words in header(table.setting).items():
        about.add_row(Text(label, style="bright_black"), Text(words))
    return about


def _grid(table: Table, columns: Sequence[Column[Line]]) -> Grid:
    grid = Grid(box=SIMPLE_HEAD, padding=(0, 1, 0, 0), pad_edge=False)
    for column in columns:
        justify: Literal["left", "right"] = "right" if column.value else "left"
        grid.add_column(column.title, justify=justify, no_wrap=column.title != "row", overflow="fold")
    for line in table.lines:
        style = _STYLES.get(line.verdict, "")
        cells = (Text(column.text(line), style=style if column.title == "verdict" else "") for column in columns)
        grid.add_row(*cells)
    return grid
