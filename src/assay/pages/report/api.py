"""The report's functions for library users and for the command."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from assay.base.atomic import replace_file
from assay.base.row_files import check_place
from assay.pages.report.collect import collect
from assay.pages.report.page import render


def build_page(
    paths: Sequence[str | Path], *, title: str = "", command: str = "", root: str | Path | None = None
) -> str:
    """Return runs and studies as one HTML page that loads nothing from outside.

    Args:
        paths: run folders, study folders, or folders that hold several of them.
        title: of the page; by default the names of the paths.
        command: makes the page again; stated at its end.
        root: the folder that holds the named sets of images, for the galleries; by default each run's own.

    Returns:
        The HTML text. Where a run or a study lacks something, a remark says so.

    Raises:
        ValueError: one line; a path is neither a run, nor a study, nor a folder that holds one.
    """
    return render(collect(paths, title=title, command=command, root=root))


def report(
    paths: Sequence[str | Path],
    out: str | Path = "report.html",
    *,
    title: str = "",
    command: str = "",
    root: str | Path | None = None,
) -> Path:
    """Write the page that ``build_page`` returns to the file ``out``, atomically.

    Returns:
        The file.

    Raises:
        ValueError: as ``build_page`` does; or ``out`` is a folder, or its folder is missing. Nothing is written then.
    """
    file = Path(out).expanduser()
    check_place(file)
    replace_file(file, build_page(paths, title=title, command=command, root=root))
    return file
