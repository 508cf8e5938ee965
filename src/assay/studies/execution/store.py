"""The store of runs: each under the hash of its recipe and of the code, so that none is done twice.

It is read without torch, so that a Ray worker, which only starts the processes of runs, is there at once.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from filelock import FileLock

from assay.base.json_files import JsonObject, read_json, write_json
from assay.base.numbers import is_number
from assay.data.sources import full_name
from assay.recipe.recipe import Recipe, read_recipe
from assay.run.folder import WITHOUT_EFFECT, RunFolder, free_folder
from assay.studies.execution.code_version import code_version
from assay.studies.execution.ended import EndedRun, read_ended

if TYPE_CHECKING:
    from assay.run.probing.traces import Traces  # imports torch

DAMAGED = "its record is damaged"
Status = Literal["finished", "diverged", "failed", "interrupted"]


@dataclass(frozen=True)
class Outcome:
    """How a run ended, with the reason in a line where it gave nothing."""

    status: Status
    reason: str = ""


@dataclass(frozen=True)
class Job:
    """A run to be done.

    Attributes:
        recipe: of the run.
        after: fields that take the folder of another run, which must come first; what ``recipe`` holds
            in them does not matter.
        known_as: the key that an earlier version of the code gave it, or another spelling of its paths.
    """

    recipe: Recipe
    after: Mapping[str, Job] = field(default_factory=dict)
    known_as: str | None = None

    def __post_init__(self) -> None:
        if self.recipe.is_cross_validated:  # the store knows a run by one recipe, one folder and one result
            raise ValueError("data.folds: a run of a study trains one model; name its fold with data.fold, or no folds")

    @cached_property
    def key(self) -> str:
        """16 hexadecimal digits: equal for equal recipes under equal code, wherever data and store lie."""
        if self.known_as:
            return self.known_as
        decided = WITHOUT_EFFECT | self.after.keys()
        recipe = {name: value for name, value in self.recipe.flat().items() if name not in decided}
        # All devices of a kind compute alike.
        alike = {"data.name": full_name(self.recipe.data.name), "train.device": self.recipe.train.device.split(":")[0]}
        parts: dict[str, Any] = {
            "code": code_version(),
            "recipe": {**recipe, **alike},
            "after": {name: job.key for name, job in self.after.items()},
        }
        return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()[:16]


def with_full_paths(recipe: Recipe) -> Recipe:
    """The recipe with all its paths made absolute, for a process that works in another folder."""
    from assay.models.weights import is_path  # imports torch

    files = {"model.pretrained": recipe.model.pretrained, "loss.teacher": recipe.loss.teacher}
    changes = {name: _full(value) for name, value in files.items() if value and is_path(value)}
    root = {"data.root": recipe.data.root.expanduser().absolute()} if recipe.data.root else {}
    return recipe.but({"data.name": full_name(recipe.data.name), **root, **changes})


def _full(value: str) -> str:
    """An absolute path, where it is one of a file or folder that is there; else it may be a name."""
    path = Path(value).expanduser()
    return str(path.resolve()) if path.exists() else value


def job_with_full_paths(job: Job) -> Job:
    """The same job, with its key, for a process that works in another folder."""
    after = {name: job_with_full_paths(first) for name, first in job.after.items()}
    return Job(with_full_paths(job.recipe), after, known_as=job.key)


def _check(run: EndedRun, recipe: Recipe, folder: Path) -> None:
    """Raise ``ValueError`` where a finished run's recipe is damaged, or the run has left less than it promises."""
    read_recipe(RunFolder(folder).recipe)
    if recipe.train.select == "test" and not _has_all_epochs(run.epochs):
        raise ValueError(f"{folder / 'metrics.jsonl'}: figures of epochs are missing")
    if recipe.probe.every:
        from assay.run.probing.traces import read_traces  # imports torch

        if read_traces(folder) is None:
            raise ValueError(f"{folder}: the probe's traces are missing")


def _has_all_epochs(epochs: Sequence[JsonObject]) -> bool:
    """Whether the log can say which epoch another selection would have taken."""
    first: set[str] = set(epochs[0]) if epochs else set()
    accuracies = [name for name in first | {"test_accuracy"} if name.endswith("_accuracy")]
    return all(first <= row.keys() and all(is_number(row.get(name)) for name in accuracies) for row in epochs or [{}])


def _outcome(run: EndedRun) -> Outcome:
    if run.status == "finished":
        return Outcome("finished")
    return Outcome("diverged", f"diverged in epoch {run.summary.get('epoch', 'unknown')}")


def lock(folder: Path) -> FileLock:
    """Held by the one who works in that run folder, or puts it there."""
    return FileLock(folder.with_suffix(".lock"))


@dataclass(frozen=True)
class Store:
    """A folder of run folders, each named by its job's key.

    Beside a run's folder may lie ``KEY.log`` (what it printed), ``KEY.failed.json`` (why it gave nothing),
    ``KEY.lock`` (held by the run's process) and ``KEY.reserved`` (held by the process that conducts its study).

    Attributes:
        root: the folder.
        lines: runs by key whose folders lie elsewhere: they count for tables, and nothing can be trained from them.
    """

    root: Path
    lines: Mapping[str, EndedRun] = field(default_factory=dict)

    def folder(self, job: Job) -> Path:
        """The job's run folder, which may not be there yet."""
        return self.root.absolute() / job.key

    def log(self, job: Job) -> Path:
        """What the job's process printed."""
        return self.root.absolute() / f"{job.key}.log"

    def recipe(self, job: Job) -> Recipe:
        """The job's recipe with the folders of the runs that come before it."""
        return job.recipe.but({name: str(self.folder(first)) for name, first in job.after.items()})

    def outcome(self, job: Job) -> Outcome | None:
        """How the job ended; None where it has not, or was interrupted. A damaged record is a failure."""
        return self._here(job)[0]

    def _here(self, job: Job) -> tuple[Outcome | None, EndedRun | None]:
        folder = self.folder(job)
        try:
            run = read_ended(folder)
            if run and run.status == "finished":
                _check(run, job.recipe, folder)
        except ValueError as error:
            return Outcome("failed", f"{DAMAGED}: {error}"), None
        if run:
            return _outcome(run), run
        try:
            failure = read_json(self._failure(job))
        except ValueError as error:  # there is no record that could be damaged
            return Outcome("failed", f"its reason cannot be read: {error}"), None
        return (Outcome("failed", str(failure.get("reason"))) if failure else None), None

    def known(self, job: Job) -> Outcome | None:
        """How the job ended, here or, where it has not finished here, elsewhere."""
        return self.found(job)[0]

    def found(self, job: Job) -> tuple[Outcome | None, EndedRun | None]:
        """As `known`, and the run itself where it has finished or diverged."""
        outcome, run = self._here(job)
        line = self.lines.get(job.key)
        if line is None or (outcome and outcome.status != "failed"):
            return outcome, run
        return _outcome(line), line

    def ended(self, job: Job) -> EndedRun | None:
        """The finished or diverged run; None where there is none. Raises ``ValueError`` if its record is damaged."""
        line = self.lines.get(job.key)
        try:
            return read_ended(self.folder(job)) or line
        except ValueError:
            if line:
                return line
            raise

    def traces(self, job: Job) -> Traces | None:
        """What a probe wrote of a finished run, here or elsewhere; None where it was not probed.

        Raises:
            ValueError: it is damaged.
        """
        from assay.run.probing.traces import read_traces  # imports torch

        line = self.lines.get(job.key)
        return line.traces if line and line.traces else read_traces(self.folder(job))

    def set_aside(self, job: Job) -> None:
        """Move a damaged run folder away, to ``KEY.damaged`` or the next free name, so that it is done again."""
        self.folder(job).rename(free_folder(self.root.absolute(), f"{job.key}.damaged"))

    def note(self, job: Job, outcome: Outcome) -> None:
        """Write down a failure; any other end stands in the run's folder, and takes an earlier failure away."""
        if outcome.status == "failed":
            self.root.mkdir(parents=True, exist_ok=True)
            write_json(self._failure(job), {"reason": outcome.reason})
        else:
            self._failure(job).unlink(missing_ok=True)

    def failed_at(self, job: Job) -> int | None:
        """When the job's failure was written down, in ns since 1970; None where none is."""
        failure = self._failure(job)
        return failure.stat().st_mtime_ns if failure.exists() else None

    def _failure(self, job: Job) -> Path:
        return self.root.absolute() / f"{job.key}.failed.json"
