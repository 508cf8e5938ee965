"""Figures and tables as files of one folder."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from matplotlib.figure import Figure

from assay.analysis.figures.style import save_figure
from assay.base.registry import choose
from assay.base.row_files import write_rows

FORMATS = ("png", "svg")


def check_output(folder: Path, formats: Sequence[str]) -> None:
    """Raise ``ValueError`` where a file is in the folder's place or a format of figures is unknown."""
    for name in formats:
        choose("format", name, dict.fromkeys(FORMATS))
    if folder.exists() and not folder.is_dir():
        raise ValueError(f"{folder}: a file, not a folder for the pictures")


def write_output(
    folder: Path,
    formats: Sequence[str],
    figures: Mapping[str, Figure],
    tables: Mapping[str, Sequence[Mapping[str, Any]]],
) -> tuple[Path, ...]:
    """Write each figure in every format and each table as CSV, by the names of their files without suffix.

    The folder is made where it is missing.

    Returns:
        The files, in the order in which they were written.
    """
    folder.mkdir(parents=True, exist_ok=True)
    files = []
    for name, figure in figures.items():
        for suffix in formats:
            files.append(folder / f"{name}.{suffix}")
            save_figure(figure, files[-1])
    for name, rows in tables.items():
        files.append(folder / f"{name}.csv")
        write_rows(files[-1], rows)
    return tuple(files)
