"""A run's folder: its files, and whether a run may begin or resume there."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from filelock import FileLock, Timeout

from assay.base.atomic import made, replace_file
from assay.base.json_files import JsonObject, LineLog, write_json
from assay.base.row_files import check_folder
from assay.data.sources import full_name
from assay.recipe.recipe import Recipe, read_recipe
from assay.run.environment import environment
from assay.run.record import OUT_OF_FOLD_FILE, SCORES_FILE, read_environment

if TYPE_CHECKING:
    from assay.classifier.classifier import Classifier
    from assay.training.checkpoint import State

FOLDS = "folds"
"""the folder in that of a cross-validated run that holds the run of each fold, under its number"""
WITHOUT_EFFECT = frozenset({"data.root", "data.workers", "data.cache", "train.checkpoint_minutes", "train.tensorboard"})
"""fields that change no result of a run"""
MAY_DIFFER = WITHOUT_EFFECT | {"train.patience", "train.stop_after"}
"""fields that change no result of an epoch, so that a resumed run may change them"""


class RunFolder:
    """The files of a run.

    Attributes:
        path: the folder.
        recipe: what the run was asked to do; its presence marks a run folder.
        checkpoint: everything that a resumed run needs.
        metrics: one line per epoch.
        timings: one line per epoch.
        scores: the scores of the held-out and test images, written at the end.
        summary: how the run ended; absent while it runs.
        out_of_fold: of a cross-validated run, the scores of the images that its folds were cut from.
        environment: versions, hardware and command line.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.recipe = path / "recipe.yaml"
        self.checkpoint = path / "last.ckpt"
        self.metrics = LineLog(path / "metrics.jsonl")
        self.timings = LineLog(path / "timings.jsonl")
        self.scores = path / SCORES_FILE
        self.out_of_fold = path / OUT_OF_FOLD_FILE
        self.summary = path / "summary.json"
        self.environment = path / "env.json"

    def fold(self, number: int) -> Path:
        """Return the folder of the run of a fold, counted from 1."""
        return self.path / FOLDS / str(number)

    def check_new(self) -> None:
        """Raise ``ValueError`` if the folder holds a run or anything else already."""
        if self.recipe.exists():
            raise ValueError(f"{self.path} holds a run already; go on with --resume, or choose another --out")
        # Hidden files do not count: the lock is one.
        if self.path.is_file() or (self.path.is_dir() and any(self.path.glob("[!.]*"))):
            raise ValueError(f"{self.path} is there already and is not a run folder; choose another --out")
        check_folder(self.path)

    def check_there(self) -> None:
        """Raise ``ValueError`` if the folder holds no run."""
        if not self.recipe.exists():
            raise ValueError(f"{self.path}: no run to resume there")

    def previous_state(self, recipe: Recipe) -> State | None:
        """Read the checkpoint to resume from; None if the run was stopped before its first one.

        Raises:
            ValueError: the checkpoint is damaged, or belongs to another recipe or to other files than are there.
        """
        # These import torch; most readers of a folder need no state.
        from assay.run.resumption import check_files, recipe_in
        from assay.training.checkpoint import load_checkpoint

        read_environment(self.environment)  # which a resumed run keeps
        if not self.checkpoint.exists():
            check_same(read_recipe(self.recipe).as_trained(), recipe.as_trained(), epochs_done=0)
            return None
        state = load_checkpoint(self.checkpoint)
        before = recipe_in(state, self.checkpoint)
        check_same(before.as_trained(), recipe.as_trained(), epochs_done=state["position"]["epoch"])
        check_files(self.path, state, before)
        return state

    @contextmanager
    def held(self) -> Iterator[None]:
        """Make the folder if needed, and lock it; raises ``ValueError`` if another process holds the lock."""
        with made(self.path):
            lock = FileLock(self.path / ".lock", timeout=0)
            try:
                lock.acquire()
            except Timeout:
                raise ValueError(f"{self.path}: another process is training there") from None
            try:
                yield
            finally:
                Path(lock.lock_file).unlink(missing_ok=True)  # before the release, or it might be another's
                lock.release()

    @contextmanager
    def held_as_new(self) -> Iterator[None]:
        """Lock the folder for a new run; raises ``ValueError`` if another has begun there meanwhile."""
        with self.held():
            self.check_new()
            yield

    def announce(self, recipe: Recipe) -> None:
        """Write the recipe, which makes the folder that of a run, one that is not finished."""
        self.path.mkdir(parents=True, exist_ok=True)
        self.summary.unlink(missing_ok=True)
        replace_file(self.recipe, recipe.to_yaml())

    def begin(self, recipe: Recipe, device: str, parameters: int, notes: Mapping[str, Sequence[str]]) -> None:
        """Write recipe and environment, of a new or a resumed run; of the notes those that have a line."""
        self.announce(recipe)
        for half_written in self.path.glob(".*.tmp"):  # by a process that was killed
            half_written.unlink()
        if not self.environment.exists():  # a resumed run keeps the account of where it began
            noted = {name: lines for name, lines in notes.items() if lines}
            built = {"parameters": parameters, "precision": recipe.train.precision}
            write_json(self.environment, {**environment(device), **built, **noted})

    def write_checkpoint(self, state: State) -> None:
        """Write what a resumed run needs."""
        from assay.training.checkpoint import save_checkpoint

        save_checkpoint(self.checkpoint, state)

    def write_model(self, classifier: Classifier) -> None:
        """Write the network that the run has selected so far."""
        from assay.classifier.classifier import MODEL_FILE

        classifier.save(self.path / MODEL_FILE)

    def write_summary(self, summary: JsonObject) -> None:
        """Write how the run ended."""
        write_json(self.summary, summary)


class Bystander(RunFolder):
    """A run's folder as the processes see it that train along with the one that writes: they only read."""

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self.metrics, self.timings = _Unwritten(path / "metrics.jsonl"), _Unwritten(path / "timings.jsonl")

    def check_new(self) -> None:
        """Leave this to the process that makes the folder."""

    @contextmanager
    def held(self) -> Iterator[None]:
        """Leave the lock to the process that writes."""
        yield

    def announce(self, recipe: Recipe) -> None:
        """Write nothing."""

    def begin(self, recipe: Recipe, device: str, parameters: int, notes: Mapping[str, Sequence[str]]) -> None:
        """Write nothing."""

    def write_checkpoint(self, state: State) -> None:
        """Write nothing."""

    def write_model(self, classifier: Classifier) -> None:
        """Write nothing."""

    def write_summary(self, summary: JsonObject) -> None:
        """Write nothing."""


class _Unwritten(LineLog):
    def extend(self, rows: Iterable[Mapping[str, Any]]) -> None:
        """Write nothing."""

    def cut(self, size: int) -> None:
        """Cut nothing."""


def check_same(before: Recipe, now: Recipe, *, epochs_done: int) -> None:
    """Refuse to resume with another recipe, except for the number of epochs and fields that change no result.

    Raises:
        ValueError: the message names the first field that differs.
    """
    for name, (old, new) in before.differences(now).items():
        if name == "train.epochs":
            if new < epochs_done:
                raise ValueError(f"train.epochs: {new} is fewer than the {epochs_done} epochs that are done")
        elif name not in MAY_DIFFER and not (name == "data.name" and full_name(old) == full_name(new)):
            raise ValueError(f"cannot resume with another recipe: {name} was {old}, now {new}")


def free_folder(parent: Path, name: str) -> Path:
    """Return the first of ``parent/name``, ``parent/name-2``, ``parent/name-3``... that does not exist."""
    number, path = 1, parent / name
    while path.exists():
        number += 1
        path = parent / f"{name}-{number}"
    return path
