"""Runs and studies in a line each."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from assay.base.statistics import Interval

Status = Literal["running", "stopped", "finished", "diverged", "damaged"]
Stamps = tuple[tuple[int, int], ...]
"""when files were changed, in nanoseconds since 1970, and their sizes in bytes"""


@dataclass(frozen=True)
class Overview:
    """A run's status and progress.

    Attributes:
        name: the run's path inside the served folder.
        status: a run that has not finished is ``stopped`` if its files have not changed for a minute and twice the
            time of its last epoch (in the first epoch, twice the time between checkpoints).
        epoch: how many epochs are done.
        epochs: how many the recipe asks for.
        accuracy: in [0, 1], on ``split``: a finished run's result, or else the last epoch's.
        interval: the 95 % interval of a finished run's accuracy over images, in [0, 1]; else None.
        split: ``test``, ``out-of-fold``, ``held-out`` or ``train``.
        select: how the epoch is chosen, as in the recipe.
        protocol: how the epoch is chosen, in words.
        model: the model's name.
        data: the data set's name.
        changed: when a file last changed, in seconds since 1970.
        problem: why the record cannot be read; else empty.
    """

    name: str
    status: Status
    epoch: int = 0
    epochs: int = 0
    accuracy: float | None = None
    interval: Interval | None = None
    split: str = ""
    select: str = ""
    protocol: str = ""
    model: str = ""
    data: str = ""
    changed: float = 0.0
    problem: str = ""


@dataclass(frozen=True)
class StudyOverview:
    """A study's progress: its path inside the folder, its name and budget, and how many of its runs are finished."""

    name: str
    study: str = ""
    budget: str = ""
    rows: int = 0
    runs: int = 0
    finished: int = 0
    problem: str = ""
