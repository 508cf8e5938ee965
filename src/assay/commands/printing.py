"""What commands print: tables, and the names of files that were written."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from assay.base.text import one_line

if TYPE_CHECKING:
    from rich.console import Console


def print_line(text: str, *, error: bool = False) -> None:
    """Print one line, to standard error if it is one of errors.

    What names of files and classes may hold to move the cursor, colour the terminal or end the line is not printed.
    """
    print(one_line(text), file=sys.stderr if error else sys.stdout)


def plain_console() -> Console:
    """Return a console that prints names as they are: to rich, a class called ``[dog]`` or ``:dog:`` is markup."""
    from rich.console import Console

    return Console(markup=False, emoji=False, highlight=False)


def print_table(
    title: str,
    heading: Sequence[str],
    rows: Sequence[Sequence[str]],
    *,
    right: Sequence[str] = (),
    most: int | None = None,
) -> None:
    """Print the first rows of a table, or nothing where there is none.

    Args:
        title: stands above, with the number of all rows where some are left out.
        heading: names of the columns.
        rows: a cell for each column.
        right: names of the columns that are aligned to the right.
        most: rows to print; None prints all.
    """
    from rich.box import SIMPLE_HEAD
    from rich.table import Table

    if not rows:
        return
    count = "" if most is None or len(rows) <= most else f" (first {most} of {len(rows):,})"
    table = Table(title=one_line(title + count), box=SIMPLE_HEAD, pad_edge=False, title_justify="left")
    for name in heading:
        table.add_column(name, overflow="fold", justify="right" if name in right else "left")
    for row in rows[:most]:
        table.add_row(*map(one_line, row))
    plain_console().print(table)


def print_files(folder: Path, files: Sequence[Path]) -> None:
    """Print the names of the files in a folder, the formats of a figure in one line."""
    print_line(f"in {folder}:")
    for stem in dict.fromkeys(file.stem for file in files):
        suffixes = ", ".join(file.suffix for file in files if file.stem == stem)
        print_line(f"  {stem} ({suffixes})")
