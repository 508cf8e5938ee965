"""A run from beginning to end: train each epoch, evaluate, select, log, checkpoint; measure the test split once."""

from __future__ import annotations

import math
import time
from contextlib import AbstractContextManager, closing, nullcontext
from dataclasses import dataclass, field
from pathlib import Path

import torch

from assay.base.device import pick_device, reproducible
from assay.base.json_files import JsonObject, write_json
from assay.base.signals import StopRequest
from assay.classifier.classifier import MODEL_FILE
from assay.classifier.evaluation import Evaluation, evaluate_batches
from assay.recipe.recipe import Recipe
from assay.run.build import Components, build, learning_rate
from assay.run.finish import as_classifier, finish
from assay.run.folder import RunFolder
from assay.run.probing.probe import NoProbe, Probe, SurfaceProbe
from assay.run.progress import Silence, Watcher
from assay.run.record import RunRecord
from assay.run.selection import is_over, score
from assay.run.tracking import Tracker, open_tracker
from assay.training.checkpoint import State, save_checkpoint
from assay.training.loop import train_epoch
from assay.training.position import Position
from assay.training.transfer import train_what_learns


class InterruptedRunError(Exception):
    """The run in ``folder`` was stopped by a signal, after it had saved where it stood."""

    def __init__(self, message: str, folder: Path) -> None:
        super().__init__(message)
        self.folder = folder


class DivergedError(ArithmeticError):
    """The training loss is no longer a finite number."""


@dataclass
class Run:
    """What the steps of a run share."""

    recipe: Recipe
    folder: RunFolder
    components: Components
    position: Position
    tracker: Tracker
    watcher: Watcher
    stop: StopRequest
    probe: Probe
    saved: float = field(default_factory=time.monotonic)

    def save(self) -> None:
        """Write the checkpoint."""
        self.tracker.flush()
        self.probe.flush()
        state = {
            "recipe": self.recipe.to_dict(),
            "position": vars(self.position),
            "threads": torch.get_num_threads(),
            "probe": self.probe.state(),
            "tracker": self.tracker.state(),
            **self.components.state(),
        }
        save_checkpoint(self.folder.checkpoint, state)
        self.saved = time.monotonic()

    @property
    def is_save_due(self) -> bool:
        """Whether the last checkpoint is older than the recipe allows."""
        return time.monotonic() - self.saved >= 60 * self.recipe.train.checkpoint_minutes


def run(recipe: Recipe, out: Path, *, resume: bool = False, watcher: Watcher | None = None) -> RunRecord:
    """Train as the recipe says, and leave the record in ``out``.

    Args:
        recipe: everything that decides the result.
        out: the run folder; it must not exist, unless ``resume`` is set.
        resume: go on from the run's last checkpoint, exactly as if it had not stopped.
        watcher: is told of the progress.

    Returns:
        The record of the finished run.

    Raises:
        ValueError: a bad recipe, bad data, or a folder that cannot be used; nothing is written then.
        InterruptedRunError: SIGINT or SIGTERM arrived; the run can be resumed.
        DivergedError: the loss is not finite any more.
    """
    watcher = watcher or Silence()
    folder = RunFolder(out)
    if not resume:
        folder.check_new()
        return _do(recipe, folder, None, folder.held_as_new(), watcher)
    folder.check_there()
    with folder.held():
        previous = folder.previous_state(recipe)
        if previous and folder.summary.exists() and _is_over(recipe, previous["position"]):
            watcher.say(f"{out} is finished; ask for more with --train.epochs (or train.patience)")
            return RunRecord.read(out)
        return _do(recipe, folder, previous, nullcontext(), watcher)


def _do(
    recipe: Recipe,
    folder: RunFolder,
    previous: State | None,
    claim: AbstractContextManager[None],
    watcher: Watcher,
) -> RunRecord:
    """The run from its previous state on; the folder is claimed once nothing can be wrong with recipe or data."""
    device = pick_device(recipe.train.device)
    with reproducible(recipe.train.seed, device, _threads(recipe, previous)), StopRequest() as stop:
        components = build(recipe, device, previous)
        for remark in [*(f"left out: {error}" for error in components.data.bad), *components.notes]:
            watcher.say(remark)
        position = _go_back_to(previous, components) if previous else Position.start(device)
        with claim:
            folder.begin(recipe, str(device), {"parameters": components.parameters})
            folder.metrics.cut(position.metrics_size)
            folder.timings.cut(position.timings_size)
            with closing(_tracker(recipe, folder, components, position, previous)) as tracker:
                probe = _probe(recipe, components, folder.path, previous)
                _train(Run(recipe, folder, components, position, tracker, watcher, stop, probe))
                finish(recipe, folder, components, position, tracker)
    return RunRecord.read(folder.path)


def _tracker(
    recipe: Recipe, folder: RunFolder, components: Components, position: Position, previous: State | None
) -> Tracker:
    return open_tracker(
        folder.path / "tb",
        components.network,
        wanted=recipe.train.tensorboard,
        steps=len(components.batches),
        done=position.epoch * len(components.batches) + position.step,
        state=previous.get("tracker") if previous else {},
    )


def _is_over(recipe: Recipe, position: State) -> bool:
    return is_over(recipe.train, position["epoch"], position["best_epoch"])


def _threads(recipe: Recipe, previous: State | None) -> int:
    """As the recipe says; else as before the stop, whatever this process would choose; else torch's choice."""
    before: int = previous["threads"] if previous else torch.get_num_threads()
    return recipe.train.threads or before


def _go_back_to(state: State, components: Components) -> Position:
    components.restore(state)
    values = dict(state["position"])
    tensors = {name: values.pop(name).to(components.device) for name in ("loss", "correct")}
    return Position(**tensors, **{**values, "best": tuple(values["best"])})


def _probe(recipe: Recipe, components: Components, folder: Path, previous: State | None) -> Probe:
    """What the recipe wants to be measured on the way."""
    if recipe.probe.every is None:
        return NoProbe()
    options = recipe.probe.model_dump(exclude_none=True)
    before = previous["probe"] if previous else None
    return SurfaceProbe(components.network, components.loss_fn, folder, **options, before=before)


def _train(run: Run) -> None:
    position, epochs = run.position, run.recipe.train.epochs
    steps = len(run.components.batches)
    run.watcher.start(epochs=epochs, steps=steps, done=position.epoch * steps + position.step)
    try:
        while not is_over(run.recipe.train, position.epoch, position.best_epoch):
            began, epoch = time.monotonic() - position.epoch_seconds, position.epoch
            _train_epoch(run, epoch)
            _end_epoch(run, epoch)
            position.seconds += time.monotonic() - began
            run.save()
        if position.epoch < epochs:
            run.watcher.say(
                f"stopped after epoch {position.epoch}: none has been better than epoch {position.best_epoch}"
            )
    finally:
        run.watcher.stop()


def _train_epoch(run: Run, epoch: int) -> None:
    """The steps of an epoch that are not done yet, with a checkpoint when it is due."""
    components, position = run.components, run.position
    done = epoch * len(components.batches) + position.step
    batches = run.probe.watch(components.batches.epoch(epoch, position.step), done)
    before, began = position.epoch_seconds, time.monotonic()
    components.freeze(epoch)
    for step in train_epoch(
        components.network,
        batches,
        components.update,
        components.loss_fn,
        parts=run.recipe.train.accumulate,
        set_mode=train_what_learns,
    ):
        position.add(step)
        run.tracker.step(step.loss)
        run.probe.step(step)
        run.watcher.step(step)
        position.epoch_seconds = before + time.monotonic() - began
        if run.stop.requested or run.is_save_due:
            run.save()
        if run.stop.requested:
            message = f"stopped in epoch {epoch + 1}, after step {position.step}; all of it is saved"
            raise InterruptedRunError(message, run.folder.path)
    if components.device.type == "cuda":
        torch.cuda.synchronize(components.device)
    position.epoch_seconds = before + time.monotonic() - began


def _end_epoch(run: Run, epoch: int) -> None:
    """Evaluate, log, keep the weights if they are the best, and move on."""
    row, timing, evaluations = _measure_epoch(run, epoch)
    run.folder.metrics.append(row)
    run.folder.timings.append(timing)
    run.tracker.epoch(row, timing, evaluations)
    run.watcher.epoch(row, timing)
    if not math.isfinite(row["train_loss"]):
        run.probe.flush()
        write_json(run.folder.summary, {"status": "diverged", "epoch": row["epoch"]})
        raise DivergedError(f"training diverged in epoch {row['epoch']}: the loss is not finite; try a lower optim.lr")
    position = run.position
    reached = score(row, run.recipe.train.select)
    if reached > position.best:
        position.best, position.best_epoch = reached, row["epoch"]
        as_classifier(run.recipe, run.components, {"epoch": row["epoch"]}).save(run.folder.path / MODEL_FILE)
    position.metrics_size, position.timings_size = run.folder.metrics.size(), run.folder.timings.size()
    position.next_epoch()


def _measure_epoch(run: Run, epoch: int) -> tuple[JsonObject, JsonObject, dict[str, Evaluation]]:
    components, position = run.components, run.position
    steps = len(components.batches)
    images = steps * run.recipe.train.batch_size
    row = {
        "epoch": epoch + 1,
        "step": (epoch + 1) * steps,
        "lr": learning_rate(run.recipe)(epoch + (steps - 1) / steps),
        "train_loss": position.loss.item() / steps,
        "train_accuracy": position.correct.item() / images,
    }
    watched = ["held-out", "test"] if run.recipe.train.select == "test" else ["held-out"]
    evaluations = {
        split.replace("-", "_"): evaluate_batches(components.judged, components.splits[split], components.data.classes)
        for split in watched
        if split in components.splits
    }
    for name, evaluation in evaluations.items():
        row |= {f"{name}_loss": evaluation.loss, f"{name}_accuracy": evaluation.accuracy}
    seconds = position.epoch_seconds
    return row, {"epoch": epoch + 1, "seconds": seconds, "images_per_second": images / seconds}, evaluations
