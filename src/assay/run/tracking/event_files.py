"""The event files of a run, which a resumed run takes up where the checkpoint stood, as it does the record's."""

from __future__ import annotations

import os
import time
from collections.abc import Mapping
from pathlib import Path

_START = "events.out.tfevents."
_PATTERN = f"{_START}*"


def sizes_of(folder: Path) -> dict[str, int]:
    """Bytes of each event file, by name."""
    return {path.name: path.stat().st_size for path in folder.glob(_PATTERN)}


def cut_back(folder: Path, sizes: Mapping[str, int]) -> None:
    """Drop what has been written since the files had those sizes; files that are not named go altogether."""
    for path in folder.glob(_PATTERN):
        if path.name in sizes:
            os.truncate(path, min(sizes[path.name], path.stat().st_size))
        else:
            path.unlink()


def wait_for_new_name(folder: Path) -> None:
    """TensorBoard reads the files in the order of their names, which begin with the second: each has its own."""
    while any(folder.glob(f"{_START}{int(time.time()):010d}.*")):
        time.sleep(0.05)
