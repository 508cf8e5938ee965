"""A run's folder: what lies in it, whether a run may begin there, and whether one may go on."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from assay.base.atomic import replace_file
from assay.base.json_files import LineLog, write_json
from assay.data.sources import full_name
from assay.recipe.recipe import Recipe, read_recipe
from assay.run.environment import environment
from assay.run.record import SCORES_FILE
from assay.training.checkpoint import State, load_checkpoint

WITHOUT_EFFECT = frozenset({"data.root", "data.workers", "train.checkpoint_minutes", "train.tensorboard"})
"""fields that change no number of a run"""
MAY_DIFFER = WITHOUT_EFFECT | {"train.patience"}
"""fields that change no number of an epoch"""


@dataclass(frozen=True)
class RunFolder:
    """The files of a run."""

    path: Path

    @property
    def checkpoint(self) -> Path:
        """Where the run stands."""
        return self.path / "last.ckpt"

    @property
    def recipe(self) -> Path:
        """What was asked for; its presence marks a run folder."""
        return self.path / "recipe.yaml"

    @property
    def summary(self) -> Path:
        """How it ended; absent while it runs."""
        return self.path / "summary.json"

    @property
    def scores(self) -> Path:
        """The scores of the held-out and test images, written at the end."""
        return self.path / SCORES_FILE

    @property
    def environment(self) -> Path:
        """On what it ran."""
        return self.path / "env.json"

    @property
    def metrics(self) -> LineLog:
        """One line per epoch."""
        return LineLog(self.path / "metrics.jsonl")

    @property
    def timings(self) -> LineLog:
        """One line per epoch."""
        return LineLog(self.path / "timings.jsonl")

    def check_new(self) -> None:
        """Raise ``ValueError`` where a run or anything else lies there already."""
        if self.recipe.exists():
            raise ValueError(f"{self.path} holds a run already; go on with --resume, or choose another --out")
        if self.path.is_file() or (self.path.is_dir() and any(self.path.glob("[!.]*"))):
            raise ValueError(f"{self.path} is there already and is not a run folder; choose another --out")

    def check_there(self) -> None:
        """Raise ``ValueError`` where no run lies there."""
        if not self.recipe.exists():
            raise ValueError(f"{self.path}: no run to resume there")

    def previous_state(self, recipe: Recipe) -> State | None:
        """The checkpoint to go on from; None where the run was stopped before its first one.

        Raises:
            ValueError: there is no run, the checkpoint is damaged, or it is of another recipe.
        """
        self.check_there()
        state = load_checkpoint(self.checkpoint) if self.checkpoint.exists() else None
        before = read_recipe(self.recipe) if state is None else Recipe.from_dict(state["recipe"])
        check_same(before, recipe, epochs_done=0 if state is None else state["position"]["epoch"])
        return state

    @contextmanager
    def held(self) -> Iterator[None]:
        """The folder for this process alone, made where it is missing; raises ``ValueError`` where another has it."""
        self.path.mkdir(parents=True, exist_ok=True)
        lock = FileLock(self.path / ".lock", timeout=0)
        try:
            lock.acquire()
        except Timeout:
            raise ValueError(f"{self.path}: another process is training there") from None
        try:
            yield
        finally:
            Path(lock.lock_file).unlink(missing_ok=True)
            lock.release()

    @contextmanager
    def held_as_new(self) -> Iterator[None]:
        """The same for a new run; raises ``ValueError`` where another has begun there meanwhile."""
        with self.held():
            self.check_new()
            yield

    def begin(self, recipe: Recipe, device: str, extra: dict[str, Any]) -> None:
        """Create the folder, or take it up again, and write down recipe and environment."""
        self.path.mkdir(parents=True, exist_ok=True)
        for half_written in self.path.glob(".*.tmp"):  # by a process that was killed
            half_written.unlink()
        self.summary.unlink(missing_ok=True)
        replace_file(self.recipe, recipe.to_yaml())
        if not self.environment.exists():
            write_json(self.environment, {**environment(device), **extra})


def check_same(before: Recipe, now: Recipe, *, epochs_done: int) -> None:
    """Refuse to go on with another recipe, save for more epochs and for fields that change no number.

    Raises:
        ValueError: names the first field that differs.
    """
    for name, (old, new) in before.differences(now).items():
        if name == "train.epochs":
            if new < epochs_done:
                raise ValueError(f"train.epochs: {new} is fewer than the {epochs_done} epochs that are done")
        elif name not in MAY_DIFFER and not (name == "data.name" and full_name(old) == full_name(new)):
            raise ValueError(f"cannot resume with another recipe: {name} was {old}, now {new}")


def free_folder(parent: Path, name: str) -> Path:
    """``parent/name``, or ``parent/name-2``, ``-3``... : the first that is not there."""
    number, path = 1, parent / name
    while path.exists():
        number += 1
        path = parent / f"{name}-{number}"
    return path
