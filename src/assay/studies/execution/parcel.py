"""Run folders on their way between machines that share no disk."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from pathlib import Path

from assay.base.atomic import replace_file
from assay.run.folder import RunFolder
from assay.studies.execution.store import lock

Parcel = Mapping[str, bytes]
"""The contents of a folder's files by their paths in it."""


def pack(folder: Path) -> Parcel:
    """All that a run has left but its checkpoint, for it is over."""
    files = [path for path in sorted(folder.rglob("*")) if path.is_file() and path != RunFolder(folder).checkpoint]
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in files}


def unpack(parcel: Parcel, folder: Path) -> None:
    """Put a run folder in its place, whole at any moment; what is over there already stays as it is.

    Raises:
        OSError: the disk is full or may not be written to.
    """
    new, old = (folder.with_name(f".{folder.name}.{state}") for state in ("new", "old"))
    folder.parent.mkdir(parents=True, exist_ok=True)
    with lock(folder):
        if not parcel or RunFolder(folder).summary.exists():
            return
        for left_over in (new, old):  # by a process that was killed
            shutil.rmtree(left_over, ignore_errors=True)
        for name, content in parcel.items():
            (new / name).parent.mkdir(parents=True, exist_ok=True)
            replace_file(new / name, content)
        if folder.exists():
            folder.rename(old)
        new.rename(folder)
        shutil.rmtree(old, ignore_errors=True)
