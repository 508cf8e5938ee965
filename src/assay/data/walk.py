"""What lies below a folder, in the same order everywhere; nothing that cannot be read is passed over."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from pathlib import Path


def subfolders(folder: Path) -> list[Path]:
    """The folders in a folder, and links to such, sorted by name; hidden ones are passed over.

    Raises:
        ValueError: the folder cannot be read.
    """
    return [path for path, is_folder in _children(folder) if is_folder]


def visible_files(folder: Path) -> Iterator[Path]:
    """Every file below a folder, sorted by its path; hidden files and folders are passed over.

    Links are followed, except to a folder that the link itself lies in; a link to nothing counts as a file.

    Raises:
        ValueError: a folder cannot be read.
    """
    above = folder.absolute().parent.resolve()
    yield from _files_below(folder, frozenset([above, *above.parents]))


def first_names(names: Sequence[str]) -> str:
    """The first three, and how many more there are."""
    return ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")


def _files_below(folder: Path, above: frozenset[Path]) -> Iterator[Path]:
    place = folder.resolve()
    if place in above:
        return
    for path, is_folder in _children(folder):
        if is_folder:
            yield from _files_below(path, above | {place})
        else:
            yield path


def _children(folder: Path) -> list[tuple[Path, bool]]:
    """The visible files and folders in a folder, and whether each is a folder; no sockets and the like."""
    try:
        with os.scandir(folder) as entries:
            # Sorted, because file systems list in orders of their own and the order of the images decides the training.
            found = sorted((entry.name, _is_folder(entry)) for entry in entries if not entry.name.startswith("."))
    except OSError as error:
        raise ValueError(f"{error.filename or folder}: cannot be read ({error.strerror or error})") from None
    return [(folder / name, is_folder) for name, is_folder in found if is_folder is not None]


def _is_folder(entry: os.DirEntry[str]) -> bool | None:
    """None for what is neither a folder nor a file."""
    if entry.is_symlink() and not os.path.exists(entry.path):  # noqa: PTH110 - a Path for each entry would cost
        return False
    if entry.is_dir():
        return True
    return False if entry.is_file() else None
