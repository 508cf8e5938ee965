"""A run in a line: how it stands, how far it is, what it has reached, and how its epoch is chosen."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

from assay.base.json_files import JsonObject
from assay.run.record import RunRecord
from assay.run.selection import SELECTION
from assay.studies.folder import read_plan, store_of

Status = Literal["running", "stopped", "finished", "diverged", "damaged"]
Stamps = tuple[tuple[int, int], ...]
_QUIET = 60
"""Seconds without a change after which even a run of the shortest epochs counts as stopped."""
_FILES = ("recipe.yaml", "metrics.jsonl", "timings.jsonl", "summary.json", "env.json", "model.safetensors", "last.ckpt")


@dataclass(frozen=True)
class Overview:
    """How a run stands.

    Attributes:
        name: its path inside the served folder.
        status: ``stopped`` is a run without an end that has changed nothing for a minute and two of its epochs
            (or, in its first, the time between two checkpoints).
        epoch: how many are done.
        epochs: how many were asked for.
        accuracy: in [0, 1], on ``split``: of a finished run the measured one, of another that of its last epoch.
        split: ``test``, ``held-out`` or ``train``.
        select: how the epoch is chosen, as in the recipe.
        protocol: the same in words.
        model: its name.
        data: the name of its set.
        changed: seconds since 1970.
        problem: why the record cannot be read; empty where it can.
    """

    name: str
    status: Status
    epoch: int = 0
    epochs: int = 0
    accuracy: float | None = None
    split: str = ""
    select: str = ""
    protocol: str = ""
    model: str = ""
    data: str = ""
    changed: float = 0.0
    problem: str = ""

    def to_dict(self) -> dict[str, Any]:
        """Plain values."""
        return asdict(self)


@dataclass(frozen=True)
class StudyOverview:
    """How a study stands: its path inside the folder, its name and budget, and how many of its runs are finished."""

    name: str
    study: str = ""
    budget: str = ""
    rows: int = 0
    runs: int = 0
    finished: int = 0
    problem: str = ""


@dataclass(frozen=True)
class _Known:
    """What is kept of a record: how the run stands, as if it trained where it has no end, and how long it may be quiet.

    Attributes:
        stamps: of the files that were read.
        view: without a name and the time of its last change.
        patience: seconds without a change after which a run without an end counts as stopped.
    """

    stamps: Stamps
    view: Overview
    patience: float


@dataclass(frozen=True)
class Overviews:
    """How runs stand: a list of many is asked for every few seconds, so a record is read only when it has changed.

    Attributes:
        hide: takes from a message what no visitor needs to know.
    """

    hide: Callable[[str], str]
    _known: dict[Path, _Known] = field(default_factory=dict, init=False, repr=False)

    def of(self, name: str, folder: Path) -> Overview:
        """Of the run in that folder; a damaged record is a status too."""
        stamps = tuple(_stamp(folder / file) for file in _FILES)
        changed = max(time_ns for time_ns, _ in stamps) / 1e9
        try:
            known = self._read(folder, stamps)
        except (ValueError, OSError, LookupError, TypeError, AttributeError, RecursionError) as error:
            return Overview(name, "damaged", changed=changed, problem=self.hide(str(error) or type(error).__name__))
        view = replace(known.view, name=name, changed=changed)
        is_quiet = time.time() - changed > known.patience
        return replace(view, status="stopped") if view.status == "running" and is_quiet else view

    def of_all(self, folders: Mapping[str, Path]) -> list[Overview]:
        """Of all runs that there are, by name; what is known of others is forgotten."""
        for gone in set(self._known).difference(folders.values()):
            self._known.pop(gone, None)
        return [self.of(name, folder) for name, folder in folders.items()]

    def of_study(self, name: str, folder: Path) -> StudyOverview:
        """Of the study in that folder."""
        try:
            plan = read_plan(folder)
        except (ValueError, OSError, RecursionError) as error:
            return StudyOverview(name, problem=self.hide(str(error) or type(error).__name__))
        store = store_of(folder.parent)
        jobs = {job.key: job for row in plan.jobs.values() for job in row.values()}
        finished = [self.of(key, store.folder(job)).status == "finished" for key, job in jobs.items()]
        rows, setting = len(plan.study.rows), plan.setting
        return StudyOverview(name, setting.study, setting.budget, rows, len(jobs), sum(finished))

    def _read(self, folder: Path, stamps: Stamps) -> _Known:
        known = self._known.get(folder)
        if known is None or known.stamps != stamps:
            record = RunRecord.read(folder)
            known = self._known[folder] = _Known(stamps, _view(record), _patience(record))
        return known


def _stamp(file: Path) -> tuple[int, int]:
    """When the file was changed, and its size."""
    try:
        status = file.stat()
    except OSError:
        return 0, 0
    return status.st_mtime_ns, status.st_size


def _view(record: RunRecord) -> Overview:
    accuracy, split = _accuracy(record)
    train, end = record.recipe.train, record.summary.get("status")
    return Overview(
        name="",
        status=end if end in ("finished", "diverged") else "running",
        epoch=int(record.metrics[-1]["epoch"]) if record.metrics else 0,
        epochs=train.epochs,
        accuracy=accuracy,
        split=split,
        select=train.select,
        protocol=str(record.summary.get("selection") or SELECTION[train.select]),
        model=record.recipe.model.name,
        data=record.recipe.data.name,
    )


def _patience(record: RunRecord) -> float:
    first = 60 * record.recipe.train.checkpoint_minutes
    beat = float(record.timings[-1].get("seconds") or 0) if record.timings else first
    return _QUIET + 2 * beat


def _accuracy(record: RunRecord) -> tuple[float | None, str]:
    last: JsonObject = record.metrics[-1] if record.metrics else {}
    for split in ("test", "held_out", "train"):
        measured: Mapping[str, Any] = record.summary.get(split) or {"accuracy": last.get(f"{split}_accuracy")}
        if measured.get("accuracy") is not None:
            return float(measured["accuracy"]), split.replace("_", "-")
    return None, ""
