"""The event files of a run, which a resumed run continues from where its checkpoint stood."""

from __future__ import annotations

import os
import time
from collections.abc import Mapping
from pathlib import Path

from assay.run.observer import Observer

_START = "events.out.tfevents."
_PATTERN = f"{_START}*"


class EventFiles(Observer):
    """Keeps the event files in step with the checkpoint, also while none is written.

    Args:
        folder: that holds them.
        sizes: bytes of each file at the checkpoint from which the run goes on, by name, and nothing for a new run:
            what was written after it is dropped, for the run does those steps again. None keeps everything.
    """

    key = "tracker"  # in checkpoints since the first that held it

    def __init__(self, folder: Path, sizes: Mapping[str, int] | None) -> None:
        self._folder = folder
        if sizes is None:
            return
        for path in folder.glob(_PATTERN):
            if path.name in sizes:
                os.truncate(path, min(sizes[path.name], path.stat().st_size))
            else:
                path.unlink()

    def state(self) -> dict[str, int]:
        """Return the bytes of each event file, by name."""
        return {path.name: path.stat().st_size for path in self._folder.glob(_PATTERN)}


def wait_for_new_name(folder: Path) -> None:
    """Wait until a new event file gets a name of its own.

    TensorBoard reads the files in the order of their names, which begin with the second of their creation.
    """
    while any(folder.glob(f"{_START}{int(time.time()):010d}.*")):
        time.sleep(0.05)
