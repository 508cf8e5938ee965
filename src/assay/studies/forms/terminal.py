"""A study's table on a terminal."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from rich.box import SIMPLE_HEAD
from rich.console import Group, RenderableType
from rich.table import Table as Grid
from rich.text import Text

from assay.studies.factorial.words import COLUMNS
from assay.studies.forms.columns import NARROW, NARROWEST, Column, conclusions, costs
from assay.studies.forms.sentence import summary
from assay.studies.forms.words import footnotes, header
from assay.studies.table import Line, Table
from assay.studies.verdict import CANNOT_TELL, HELPS, HURTS

_STYLES = {
    HELPS: "green",
    HURTS: "red",
    "failed": "red",
    CANNOT_TELL: "bright_black",
}


def as_rich(table: Table, width: int) -> Group:
    """Conclusions, and below them what each row costs; a ``width`` under 80 characters gets fewer columns."""
    about = Grid.grid(padding=(0, 1))
    about.add_column()
    about.add_column(overflow="fold")
    for label, words in header(table.setting).items():
        about.add_row(Text(label, style="bright_black"), Text(words))
    said = summary(table)
    parts: list[RenderableType] = [
        *([Text(f"{said}\n")] if said else []),
        about,
        _grid(table, conclusions(table, width)),
    ]
    known = costs(table)[: 4 if width < NARROWEST else None]
    if len(known) > 1:  # beside the rows' names
        parts.append(_grid(table, known))
    if table.effects:
        effects = Grid(*(column.title for column in COLUMNS), box=SIMPLE_HEAD, padding=(0, 1, 0, 0), pad_edge=False)
        for one in table.effects:
            effects.add_row(*(Text(column.text(one)) for column in COLUMNS))
        parts.append(effects)
    notes = footnotes(table)
    if width < NARROW:
        notes.append("Some columns are left out of this narrow table; as Markdown or CSV it has all.")
    return Group(*parts, *(Text(note, style="bright_black") for note in notes))


def _grid(table: Table, columns: Sequence[Column[Line]]) -> Grid:
    grid = Grid(box=SIMPLE_HEAD, padding=(0, 1, 0, 0), pad_edge=False)
    for column in columns:
        # Folded, because rich would shorten what is too long with an ellipsis.
        justify: Literal["left", "right"] = "right" if column.value else "left"
        grid.add_column(column.title, justify=justify, no_wrap=column.title != "row", overflow="fold")
    for line in table.lines:
        style = _STYLES.get(line.verdict, "")
        cells = (Text(column.text(line), style=style if column.title == "verdict" else "") for column in columns)
        grid.add_row(*cells)
    return grid
