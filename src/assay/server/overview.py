"""A run in a line: how it stands, how far it is, what it has reached, and how its epoch is chosen."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, Literal

from assay.record import Row, RunRecord
from assay.selection import SELECTION
from assay.studies.folder import read_plan, store_of

Status = Literal["running", "stopped", "finished", "diverged", "damaged"]
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


def overview(name: str, folder: Path) -> Overview:
    """Of the run in that folder; a damaged record is a status too."""
    stamps = tuple(_stamp(folder / file) for file in _FILES)
    changed = max(time_ns for time_ns, _ in stamps) / 1e9
    try:
        return _of_record(name, _read(folder, stamps), changed)
    except (ValueError, OSError, LookupError, TypeError, AttributeError, RecursionError) as error:
        return Overview(name, "damaged", changed=changed, problem=str(error) or type(error).__name__)


def _of_record(name: str, record: RunRecord, changed: float) -> Overview:
    accuracy, split = _accuracy(record)
    return Overview(
        name,
        _status(record, changed),
        int(record.metrics[-1]["epoch"]) if record.metrics else 0,
        record.recipe.train.epochs,
        accuracy,
        split,
        record.recipe.train.select,
        str(record.summary.get("selection") or SELECTION[record.recipe.train.select]),
        record.recipe.model.name,
        record.recipe.data.name,
        changed,
    )


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


def study_overview(name: str, folder: Path) -> StudyOverview:
    """Of the study in that folder."""
    try:
        plan = read_plan(folder)
    except (ValueError, OSError, RecursionError) as error:
        return StudyOverview(name, problem=str(error))
    store = store_of(folder.parent)
    jobs = {job.key: job for row in plan.jobs.values() for job in row.values()}
    finished = [overview(key, store.folder(job)).status == "finished" for key, job in jobs.items()]
    rows, setting = len(plan.study.rows), plan.setting
    return StudyOverview(name, setting.study, setting.budget, rows, len(jobs), sum(finished))


def _stamp(file: Path) -> tuple[int, int]:
    """When the file was changed, and its size."""
    try:
        status = file.stat()
    except OSError:
        return 0, 0
    return status.st_mtime_ns, status.st_size


@lru_cache(maxsize=1000)
def _read(folder: Path, _stamps: tuple[tuple[int, int], ...]) -> RunRecord:
    """Read again only when a file has changed: a list of many runs is asked for every few seconds."""
    return RunRecord.read(folder)


def _status(record: RunRecord, changed: float) -> Status:
    end = record.summary.get("status")
    if end in ("finished", "diverged"):
        return end  # type: ignore[no-any-return] # one of the two
    first = 60 * record.recipe.train.checkpoint_minutes
    beat = float(record.timings[-1].get("seconds") or 0) if record.timings else first
    return "stopped" if time.time() - changed > _QUIET + 2 * beat else "running"


def _accuracy(record: RunRecord) -> tuple[float | None, str]:
    last: Row = record.metrics[-1] if record.metrics else {}
    for split in ("test", "held_out", "train"):
        measured: Mapping[str, Any] = record.summary.get(split) or {"accuracy": last.get(f"{split}_accuracy")}
        if measured.get("accuracy") is not None:
            return float(measured["accuracy"]), split.replace("_", "-")
    return None, ""
