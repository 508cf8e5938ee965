"""The status, progress and accuracy of runs and studies, and how the epoch is chosen, from their files."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from assay.base.json_files import JsonObject
from assay.classifier.accuracy import interval
from assay.pages.report.run_grids import chosen_by
from assay.pages.server.kept import Kept, Known
from assay.pages.server.overview import Overview, StudyOverview
from assay.run.folder import FOLDS
from assay.run.record import RunRecord
from assay.studies.folder import read_plan, store_of
from assay.studies.runs_file import read_runs

_QUIET_SECONDS = 60  # without a change, after which even a run with short epochs may have stopped
_FILES = ("recipe.yaml", "metrics.jsonl", "timings.jsonl", "summary.json", "env.json", "model.safetensors", "last.ckpt")


@dataclass(frozen=True)
class Overviews:
    """Reads overviews. Browsers ask for all of them every few seconds, so a record is read only after a change.

    Attributes:
        hide: removes from a message what visitors must not see.
        kept: the overviews of an earlier server.
    """

    hide: Callable[[str], str]
    kept: Kept | None = None
    _known: dict[Path, Known] = field(default_factory=dict, init=False, repr=False)

    def __post_init__(self) -> None:
        if self.kept is not None:
            self._known.update(self.kept.read())

    def read(self, name: str, folder: Path) -> Overview:
        """Return the overview of the run in that folder, which may be damaged."""
        stamps = tuple(_stamp(f"{folder}/{file}") for file in _FILES)  # a Path for each would cost more than to ask
        folds = folder.glob(f"{FOLDS}/*/*")  # of a cross-validated run, which trains while one of them does
        changed = max(time_ns for time_ns, _ in (*stamps, *map(_stamp, folds))) / 1e9
        # One look-up: another thread may forget the run meanwhile.
        known = self._known.get(folder)
        try:
            if known is None or known.stamps != stamps:
                record = RunRecord.read(folder)
                known = self._known[folder] = Known(stamps, _view(record), _patience(record))
        # A damaged record may hold anything, and must not hide the other runs.
        except (ValueError, OSError, LookupError, TypeError, AttributeError, RecursionError) as error:
            return Overview(name, "damaged", changed=changed, problem=self.hide(str(error) or type(error).__name__))
        view = replace(known.view, name=name, changed=changed)
        is_quiet = time.time() - changed > known.patience
        return replace(view, status="stopped") if view.status == "running" and is_quiet else view

    def read_all(self, folders: Mapping[str, Path]) -> list[Overview]:
        """Return the overviews of all runs of the folder, and forget others that are remembered."""
        for gone in set(self._known).difference(folders.values()):
            self._known.pop(gone, None)
        views = [self.read(name, folder) for name, folder in folders.items()]
        if self.kept is not None:
            self.kept.write(self._known)
        return views

    def read_study(self, name: str, folder: Path) -> StudyOverview:
        """Return the overview of the study in that folder."""
        try:
            plan, lines = read_plan(folder), read_runs(folder)
        except (ValueError, OSError, RecursionError) as error:
            return StudyOverview(name, problem=self.hide(str(error) or type(error).__name__))
        store = store_of(folder.parent)
        jobs = {job.key: job for row in plan.jobs.values() for job in row.values()}  # rows may share runs
        finished = [key in lines or self.read(key, store.folder(job)).status == "finished" for key, job in jobs.items()]
        rows, setting = len(plan.study.rows), plan.setting
        return StudyOverview(name, setting.study, setting.budget, rows, len(jobs), sum(finished))


def stamps_of(folder: Path) -> tuple[tuple[Path, int, int], ...]:
    """Return when each file below a folder was changed, and its size: what a page of it depends on."""
    return tuple((file, *_stamp(file)) for file in sorted(folder.rglob("*")))


def _stamp(file: str | Path) -> tuple[int, int]:
    """Return when the file was changed, in nanoseconds since 1970, and its size in bytes; zeros if it is not there."""
    try:
        status = os.stat(file)  # noqa: PTH116 - as above
    except OSError:
        return 0, 0
    return status.st_mtime_ns, status.st_size


def _view(record: RunRecord) -> Overview:
    """Return the overview without name and time; its status is ``running`` if the run has no end."""
    accuracy, images, split = _accuracy(record)
    train, end = record.recipe.as_trained().train, record.summary.get("status")
    return Overview(
        name="",
        status=end if end in ("finished", "diverged") else "running",
        epoch=int(record.metrics[-1]["epoch"]) if record.metrics else 0,
        epochs=train.epochs,
        accuracy=accuracy,
        interval=None if accuracy is None else interval(accuracy, images),
        split=split,
        select=train.select,
        protocol=chosen_by(record),
        model=record.recipe.model.name,
        data=record.recipe.data.name,
    )


def _patience(record: RunRecord) -> float:
    """Return after how many seconds without a change a run without an end counts as stopped."""
    first = 60 * record.recipe.train.checkpoint_minutes
    seconds = float(record.timings[-1].get("seconds") or 0) if record.timings else first
    return _QUIET_SECONDS + 2 * seconds


def _accuracy(record: RunRecord) -> tuple[float | None, int | None, str]:
    """Return the accuracy, of how many images it is where that is known, and their split."""
    last: JsonObject = record.metrics[-1] if record.metrics else {}
    for split in ("test", "out_of_fold", "held_out", "train"):
        measured: Mapping[str, Any] = record.summary.get(split) or {"accuracy": last.get(f"{split}_accuracy")}
        if measured.get("accuracy") is not None:
            return float(measured["accuracy"]), measured.get("images"), split.replace("_", "-")
    return None, None, ""
