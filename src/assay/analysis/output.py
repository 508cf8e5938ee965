"""Figures and tables as files of one folder."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from matplotlib.figure import Figure

from assay.analysis.figures.style import figure_as
from assay.base.atomic import replace_files
from assay.base.registry import choose
from assay.base.row_files import check_folder, check_place, to_csv

FORMATS = ("png", "svg")


def check_output(folder: Path, formats: Sequence[str]) -> None:
    """Raise ``ValueError`` where the folder cannot be made or a format of figures is unknown."""
    for name in formats:
        choose("format", name, dict.fromkeys(FORMATS))
    check_folder(folder)


def check_picture(file: Path) -> None:
    """Raise ``ValueError`` unless a figure could be written to the file: by its suffix, and because of its folder."""
    if file.suffix.lower().removeprefix(".") not in FORMATS:
        raise ValueError(f"{file}: not a .png or .svg file")
    check_place(file)


def write_output(
    folder: Path,
    formats: Sequence[str],
    figures: Mapping[str, Figure],
    tables: Mapping[str, Sequence[Mapping[str, Any]]],
) -> tuple[Path, ...]:
    """Write each figure in every format and each table as CSV, by the names of their files without suffix.

    The folder is made where it is missing. All files are written or, where the disk is full, none.

    Returns:
        The files, in the order of the arguments.
    """
    contents = {f"{name}.{kind}": figure_as(kind, figure) for name, figure in figures.items() for kind in formats}
    contents |= {f"{name}.csv": to_csv(rows) for name, rows in tables.items()}
    replace_files(folder, contents)
    return tuple(folder / name for name in contents)
