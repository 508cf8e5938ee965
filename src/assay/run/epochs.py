"""The epochs of a run: train, evaluate, select, log, checkpoint."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import torch

from assay.base.json_files import JsonObject
from assay.base.pace import Pace
from assay.base.ranks import Ranks
from assay.base.signals import StopRequest
from assay.classifier.evaluation import Evaluation, evaluate_batches
from assay.data.batches import derived_seed
from assay.recipe.recipe import Recipe
from assay.run.build import learning_rate
from assay.run.components import Components
from assay.run.finish import as_classifier
from assay.run.folder import RunFolder
from assay.run.observer import Batch, Observer
from assay.run.selection import is_over, last_epoch, score
from assay.training.loop import Step, train_epoch
from assay.training.position import Position
from assay.training.sharing import Sharing
from assay.training.transfer import train_what_learns

_DROPOUT = 2  # keeps the seeds of the network's own draws apart from those of the batches


class InterruptedRunError(Exception):
    """A signal stopped the run in ``folder``, after it had saved a checkpoint."""

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
    observers: Sequence[Observer]
    stop: StopRequest
    ranks: Ranks
    pace: Pace = field(default_factory=Pace)
    """of the checkpoints"""

    def say(self, text: str) -> None:
        """Tell all observers."""
        for observer in self.observers:
            observer.say(text)

    def save(self) -> None:
        """Write the checkpoint."""
        with self.pace.writing():
            for observer in self.observers:
                observer.flush()
            state = {
                "recipe": self.recipe.to_dict(),
                "position": vars(self.position),
                "threads": torch.get_num_threads(),
                "processes": self.ranks.size,
                **{observer.key: observer.state() for observer in self.observers if observer.key},
                **self.components.state(),
            }
            self.folder.write_checkpoint(state)

    def save_after_epoch(self) -> None:
        """Write the checkpoint if the run is over, if it is due, or if the time since the last one makes up for it."""
        settings = self.recipe.train
        over = is_over(settings, self.position.epoch, self.position.best_epoch)
        # Short epochs would else mostly write checkpoints.
        if over or self.pace.passed >= min(60 * settings.checkpoint_minutes, self.pace.enough):
            self.save()

    def save_when_due(self) -> None:
        """Write the checkpoint if the last one is older than the recipe allows, or if a signal asks to stop.

        Raises:
            InterruptedRunError: a signal asked to stop; the checkpoint is written.
        """
        # Asked once: a signal that comes now stops the run after the next step, and one process's signal all of them.
        is_stopping = self.ranks.any(self.stop.requested)
        if is_stopping or self.pace.passed >= 60 * self.recipe.train.checkpoint_minutes:
            self.save()
        if is_stopping:
            self.ranks.wait()  # until the first has written it: all end together
            place = f"epoch {self.position.epoch + 1}, after step {self.position.step}"
            raise InterruptedRunError(f"stopped in {place}; all of it is saved", self.folder.path)


def judge_probe(run: Run) -> None:
    """Evaluate the network before its first step as a linear probe; it is kept unless an epoch is better than it."""
    evaluation = _evaluate_watched(run).get("held_out")
    if evaluation is None:
        return
    run.position.probe = evaluation.figures()
    run.say(f"linear probe: held-out accuracy {evaluation.accuracy:.2%}, loss {evaluation.loss:.4f}")
    if run.recipe.train.select == "held-out":
        row = {"held_out_accuracy": evaluation.accuracy, "held_out_loss": evaluation.loss}
        run.position.best = score(row, run.recipe.train.select)
        run.folder.write_model(as_classifier(run.recipe, run.components, {"epoch": 0}))


def train_epochs(run: Run, enough: Callable[[int], bool]) -> None:
    """Train, evaluate and record the epochs that are left; ``enough`` as `assay.run.run.run` takes it."""
    position, epochs, steps = run.position, run.recipe.train.epochs, len(run.components.batches)
    for observer in run.observers:
        observer.start(epochs=epochs, steps=steps, done=position.epoch * steps + position.step)
    try:
        while not is_over(run.recipe.train, position.epoch, position.best_epoch):
            began = time.monotonic() - position.epoch_seconds
            for step in _train_epoch(run):
                for observer in run.observers:
                    observer.step(step)
                run.save_when_due()
            _end_epoch(run, *_evaluate_epoch(run))
            position.seconds += time.monotonic() - began
            if position.epoch < last_epoch(run.recipe.train) and enough(position.epoch):
                run.recipe = run.recipe.but({"train.stop_after": position.epoch})
                run.folder.announce(run.recipe)  # before the checkpoint: a resumed run stops there too
            run.save_after_epoch()
        if position.epoch < last_epoch(run.recipe.train):
            text = f"stopped after epoch {position.epoch}: none has been better than epoch {position.best_epoch}"
            run.say(text)
    finally:
        for observer in run.observers:
            observer.stop()


def _train_epoch(run: Run) -> Iterator[Step]:
    """Take the steps of the current epoch that are left, and keep the position and its clock."""
    components, position = run.components, run.position
    batches = components.batches.epoch(position.epoch, position.step)
    if run.ranks.size > 1:
        batches = _with_own_draws(run, batches)
    for observer in run.observers:
        batches = observer.watch(batches, position.epoch * len(components.batches) + position.step)
    began = time.monotonic() - position.epoch_seconds
    components.freeze(position.epoch)
    for step in train_epoch(
        components.network,
        batches,
        components.update,
        components.loss_fn,
        microbatches=run.recipe.train.accumulate,
        set_mode=train_what_learns,
        sharing=Sharing(run.ranks, run.recipe.train.batch_size, run.recipe.train.sync_norm),
    ):
        position.add(step)
        position.epoch_seconds = time.monotonic() - began
        yield step
    if components.device.type == "cuda":  # its queue may hold steps that are not computed yet
        torch.cuda.synchronize(components.device)
    position.epoch_seconds = time.monotonic() - began


def _with_own_draws(run: Run, batches: Iterator[Batch]) -> Iterator[Batch]:
    """Seed what the network itself draws, such as dropout, by the step and the process: no two draw the same."""
    position, seed = run.position, run.recipe.train.seed
    for step, batch in enumerate(batches, start=position.step):
        torch.manual_seed(derived_seed(seed, position.epoch, step, _DROPOUT, run.ranks.rank))
        yield batch


def _evaluate_epoch(run: Run) -> tuple[JsonObject, JsonObject, dict[str, Evaluation]]:
    """Return the epoch's rows for ``metrics.jsonl`` and ``timings.jsonl``, and its evaluations by split."""
    recipe, components, position = run.recipe, run.components, run.position
    steps, number = len(components.batches), position.epoch + 1
    images = steps * recipe.train.batch_size
    row = {
        "epoch": number,
        "step": number * steps,
        # Of the last step: the scheduler has moved on to the next epoch's first.
        "lr": learning_rate(recipe)(position.epoch + (steps - 1) / steps),
        "train_loss": position.loss.item() / steps,
        "train_accuracy": position.correct.item() / images,
    }
    evaluations = _evaluate_watched(run)
    for name, evaluation in evaluations.items():
        row |= {f"{name}_loss": evaluation.loss, f"{name}_accuracy": evaluation.accuracy}
    seconds = position.epoch_seconds
    timing = {"epoch": number, "seconds": seconds, "images_per_second": images / seconds}
    return row, timing | ({"processes": run.ranks.size} if run.ranks.size > 1 else {}), evaluations


def _evaluate_watched(run: Run) -> dict[str, Evaluation]:
    """Evaluate the splits that a run looks at between epochs."""
    watched = ["held-out", "test"] if run.recipe.train.select == "test" else ["held-out"]
    components = run.components
    return {
        split.replace("-", "_"): evaluate_batches(components.judged, components.splits[split], components.data.classes)
        for split in watched
        if split in components.splits
    }


def _end_epoch(run: Run, row: JsonObject, timing: JsonObject, evaluations: dict[str, Evaluation]) -> None:
    """Log the epoch, keep its weights if they are the best so far, and move on to the next."""
    folder, position, number = run.folder, run.position, row["epoch"]
    folder.metrics.append(row)
    folder.timings.append(timing)
    for observer in run.observers:
        observer.epoch(row, timing, evaluations)
    if not math.isfinite(row["train_loss"]):
        for observer in run.observers:
            observer.flush()
        folder.write_summary({"status": "diverged", "epoch": number})
        raise DivergedError(f"training diverged in epoch {number}: the loss is not finite; try a lower optim.lr")
    reached = score(row, run.recipe.train.select)
    if reached > position.best:
        position.best, position.best_epoch = reached, number
        folder.write_model(as_classifier(run.recipe, run.components, {"epoch": number}))
    position.metrics_size, position.timings_size = folder.metrics.size(), folder.timings.size()
    position.next_epoch()
