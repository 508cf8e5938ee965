"""A run from beginning to end: train each epoch, evaluate, select, log, checkpoint; measure the test split once."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, nullcontext
from dataclasses import dataclass, field
from pathlib import Path

import torch

from assay.base.device import pick_device, reproducible
from assay.base.json_files import JsonObject, write_json
from assay.base.signals import StopRequest
from assay.classifier.classifier import MODEL_FILE
from assay.classifier.evaluation import Evaluation, evaluate_batches
from assay.recipe.recipe import Recipe
from assay.run.batches import OpenImages, open_data
from assay.run.build import Components, build, learning_rate
from assay.run.finish import as_classifier, finish
from assay.run.folder import RunFolder
from assay.run.observer import Observer
from assay.run.precision import as_begun, settled
from assay.run.probing.probe import SurfaceProbe
from assay.run.record import RunRecord
from assay.run.selection import is_over, last_epoch, score
from assay.run.tracking import EventFiles, TensorBoard
from assay.training.checkpoint import State, save_checkpoint
from assay.training.loop import Step, train_epoch
from assay.training.position import Position
from assay.training.transfer import train_what_learns


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
    saved: float = field(default_factory=time.monotonic)

    def save(self) -> None:
        """Write the checkpoint."""
        for observer in self.observers:
            observer.flush()
        state = {
            "recipe": self.recipe.to_dict(),
            "position": vars(self.position),
            "threads": torch.get_num_threads(),
            **{observer.key: observer.state() for observer in self.observers if observer.key},
            **self.components.state(),
        }
        save_checkpoint(self.folder.checkpoint, state)
        self.saved = time.monotonic()

    def save_when_due(self) -> None:
        """Write the checkpoint if the last one is older than the recipe allows, or if a signal asks to stop.

        Raises:
            InterruptedRunError: a signal asked to stop; the checkpoint is written.
        """
        is_stopping = self.stop.requested  # read once: a signal that comes now stops the run after the next step
        if is_stopping or time.monotonic() - self.saved >= 60 * self.recipe.train.checkpoint_minutes:
            self.save()
        if is_stopping:
            place = f"epoch {self.position.epoch + 1}, after step {self.position.step}"
            raise InterruptedRunError(f"stopped in {place}; all of it is saved", self.folder.path)


def run(
    recipe: Recipe,
    out: Path,
    *,
    resume: bool = False,
    observers: Sequence[Observer] = (),
    begin: Callable[[], None] = lambda: None,
    enough: Callable[[int], bool] = lambda _done: False,
    open_images: OpenImages = open_data,
) -> RunRecord:
    """Train as the recipe says; leave the record in ``out``, and return it.

    Args:
        recipe: everything that decides the result.
        out: the run folder; it must not exist, unless ``resume`` is set.
        resume: go on from the run's last checkpoint, exactly as if it had not stopped.
        observers: follow the run, beside those that the recipe asks for.
        begin: is called before the first file is written if there is anything to train; recipe and data work then.
        enough: is asked between epochs, with the number of those done; True ends the run, and its recipe says so
            (``train.stop_after``), which repeats the run without being asked.
        open_images: opens the recipe's images.

    Raises:
        ValueError: a bad recipe, bad data, or a folder that cannot be used; nothing is written then.
        InterruptedRunError: SIGINT or SIGTERM arrived; the run can be resumed.
        DivergedError: the training loss is not finite any more.
    """
    folder = RunFolder(out)
    if not resume:
        folder.check_new()
        return _run_from(None, recipe, folder, folder.held_as_new(), observers, begin, enough, open_images)
    folder.check_there()
    recipe = as_begun(recipe, folder.recipe)
    with folder.held():
        previous = folder.previous_state(recipe)
        if previous and folder.summary.exists():
            position = previous["position"]
            if is_over(recipe.train, position["epoch"], position["best_epoch"]):
                text = f"{out} is finished; ask for more with --train.epochs (or train.patience, train.stop_after)"
                _say(observers, text)
                return RunRecord.read(out)
        return _run_from(previous, recipe, folder, nullcontext(), observers, begin, enough, open_images)


def _say(observers: Sequence[Observer], text: str) -> None:
    for observer in observers:
        observer.say(text)


def _run_from(
    previous: State | None,
    recipe: Recipe,
    folder: RunFolder,
    claim: AbstractContextManager[None],
    observers: Sequence[Observer],
    begin: Callable[[], None],
    enough: Callable[[int], bool],
    open_images: OpenImages,
) -> RunRecord:
    """Do the rest of a run; ``claim`` makes and locks its folder, but only once recipe and data are known to work."""
    asked, remarks = settled(recipe)
    recipe = asked.as_trained()
    device = pick_device(recipe.train.device)
    # Another number of threads rounds sums otherwise: a resumed run keeps that of its beginning.
    threads = recipe.train.threads or (previous["threads"] if previous else torch.get_num_threads())
    with reproducible(recipe.train.seed, device, threads), StopRequest() as stop:
        components = build(recipe, device, previous, open_images)
        doubts = components.restore(previous) if previous else []
        for remark in (*remarks, *components.remarks, *doubts):
            _say(observers, remark)
        position = Position.restored(previous["position"], device) if previous else Position.start(device)
        begin()
        with claim, ExitStack() as at_the_end:
            noted = {"weights": list(components.notes), "arithmetic": remarks}
            folder.begin(asked, str(device), components.parameters, noted)
            folder.metrics.cut(position.metrics_size)
            folder.timings.cut(position.timings_size)
            observers = [*_observers_of(recipe, folder, components, position, previous), *observers]
            for observer in observers:
                at_the_end.callback(observer.close)
            run = Run(recipe, folder, components, position, observers, stop)
            if components.is_probe:
                _judge_probe(run)
            _train(run, enough)
            finish(run.recipe, folder, components, position, observers)
    return RunRecord.read(folder.path)


def _observers_of(
    recipe: Recipe, folder: RunFolder, components: Components, position: Position, previous: State | None
) -> Iterator[Observer]:
    """Make the observers that the recipe asks for; what they wrote after the checkpoint is cut away."""
    log, steps = folder.path / "tb", len(components.batches)
    yield EventFiles(log, previous.get("tracker") if previous else {})
    if recipe.train.tensorboard:
        yield TensorBoard(log, components.network, steps, position.epoch * steps + position.step)
    if recipe.probe.every is not None:
        options = {**recipe.probe.model_dump(exclude_none=True), "optimizer": components.update.optimizer}
        before = previous["probe"] if previous else None
        yield SurfaceProbe(components.network, components.loss_fn, folder.path, **options, before=before)


def _judge_probe(run: Run) -> None:
    """Evaluate the network before its first step as a linear probe; it is kept unless an epoch is better than it."""
    evaluation = _evaluate_watched(run).get("held_out")
    if evaluation is None:
        return
    run.position.probe = evaluation.figures()
    _say(run.observers, f"linear probe: held-out accuracy {evaluation.accuracy:.2%}, loss {evaluation.loss:.4f}")
    if run.recipe.train.select == "held-out":
        row = {"held_out_accuracy": evaluation.accuracy, "held_out_loss": evaluation.loss}
        run.position.best = score(row, run.recipe.train.select)
        as_classifier(run.recipe, run.components, {"epoch": 0}).save(run.folder.path / MODEL_FILE)


def _train(run: Run, enough: Callable[[int], bool]) -> None:
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
            run.save()
        if position.epoch < last_epoch(run.recipe.train):
            text = f"stopped after epoch {position.epoch}: none has been better than epoch {position.best_epoch}"
            _say(run.observers, text)
    finally:
        for observer in run.observers:
            observer.stop()


def _train_epoch(run: Run) -> Iterator[Step]:
    """Take the steps of the current epoch that are left, and keep the position and its clock."""
    components, position = run.components, run.position
    batches = components.batches.epoch(position.epoch, position.step)
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
    ):
        position.add(step)
        position.epoch_seconds = time.monotonic() - began
        yield step
    if components.device.type == "cuda":  # its queue may hold steps that are not computed yet
        torch.cuda.synchronize(components.device)
    position.epoch_seconds = time.monotonic() - began


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
    return row, {"epoch": number, "seconds": seconds, "images_per_second": images / seconds}, evaluations


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
        write_json(folder.summary, {"status": "diverged", "epoch": number})
        raise DivergedError(f"training diverged in epoch {number}: the loss is not finite; try a lower optim.lr")
    reached = score(row, run.recipe.train.select)
    if reached > position.best:
        position.best, position.best_epoch = reached, number
        as_classifier(run.recipe, run.components, {"epoch": number}).save(folder.path / MODEL_FILE)
    position.metrics_size, position.timings_size = folder.metrics.size(), folder.timings.size()
    position.next_epoch()
