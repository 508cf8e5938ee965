"""A run from beginning to end: build, train epoch after epoch, measure the test split once."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext
from pathlib import Path

import torch

from assay.base.device import pick_device, reproducible
from assay.base.ranks import ALONE, EndedElsewhereError, Ranks
from assay.base.signals import StopRequest
from assay.recipe.recipe import Recipe
from assay.run.batches import OpenImages, open_data
from assay.run.build import build
from assay.run.components import Components
from assay.run.epochs import DivergedError as DivergedError
from assay.run.epochs import InterruptedRunError as InterruptedRunError
from assay.run.epochs import Run, judge_probe, train_epochs
from assay.run.finish import finish
from assay.run.folder import Bystander, RunFolder
from assay.run.observer import Observer
from assay.run.precision import as_begun, settled
from assay.run.probing.probe import SurfaceProbe
from assay.run.record import RunRecord
from assay.run.selection import is_over
from assay.run.shared import device_of, in_words
from assay.run.tracking.event_files import EventFiles
from assay.training.checkpoint import State
from assay.training.position import Position


def run(
    recipe: Recipe,
    out: Path,
    *,
    resume: bool = False,
    observers: Sequence[Observer] = (),
    begin: Callable[[], None] = lambda: None,
    enough: Callable[[int], bool] = lambda _done: False,
    open_images: OpenImages = open_data,
    ranks: Ranks = ALONE,
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
        ranks: the processes that train this model together, each of which calls this function with the same arguments;
            the first one alone writes, and calls the observers.

    Raises:
        ValueError: a bad recipe, bad data, or a folder that cannot be used; nothing is written then.
        EndedElsewhereError: another process has failed, or says how the run ended.
        InterruptedRunError: SIGINT or SIGTERM arrived; the run can be resumed.
        DivergedError: the training loss is not finite any more.
    """
    folder = RunFolder(out) if ranks.is_first else Bystander(out)
    observers = observers if ranks.is_first else ()
    with _told_once(ranks, folder):
        if not resume:
            with ranks.together():
                folder.check_new()
            return _run_from(None, recipe, folder, folder.held_as_new(), observers, begin, enough, open_images, ranks)
        with ranks.together():
            folder.check_there()
            recipe = as_begun(recipe, folder.recipe)
        with folder.held():
            with ranks.together():
                previous = folder.previous_state(recipe)
            if previous and folder.summary.exists():
                position = previous["position"]
                if is_over(recipe.train, position["epoch"], position["best_epoch"]):
                    text = f"{out} is finished; ask for more with --train.epochs (or train.patience, train.stop_after)"
                    _say(observers, text)
                    return RunRecord.read(out)
            return _run_from(previous, recipe, folder, nullcontext(), observers, begin, enough, open_images, ranks)


@contextmanager
def _told_once(ranks: Ranks, folder: RunFolder) -> Iterator[None]:
    """Let the first process alone say how a run ended, and how it goes on where another process is lost."""
    try:
        yield
    except (InterruptedRunError, DivergedError) as error:
        if ranks.is_first:
            raise
        raise EndedElsewhereError(str(error)) from None
    except EndedElsewhereError as error:
        if ranks.is_first and folder.checkpoint.exists():
            raise InterruptedRunError(f"{error}; the last checkpoint is kept", folder.path) from error
        raise


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
    ranks: Ranks,
) -> RunRecord:
    """Do the rest of a run; ``claim`` makes and locks its folder, but only once recipe and data are known to work."""
    with ranks.together():
        asked, remarks = settled(recipe)
        device = device_of(ranks, pick_device(recipe.train.device), recipe.train.device)
    # As the first has measured it: the speeds of others may differ.
    asked = asked.but({"train.precision": ranks.text_of_first(asked.train.precision)})
    recipe = asked.as_trained()
    with reproducible(recipe.train.seed, device, _threads(recipe, previous, ranks)), StopRequest() as stop:
        with ranks.together():
            components = build(recipe, device, previous, open_images, ranks)
            doubts = components.restore(previous) if previous else []
        ranks.copy_first([*components.network.state_dict().values()])
        shared = in_words(recipe, components.network, ranks)
        for remark in (*remarks, *components.remarks, *doubts, *shared):
            _say(observers, remark)
        position = Position.restored(previous["position"], device) if previous else Position.start(device)
        begin()
        with claim, ExitStack() as at_the_end:
            noted = {"weights": list(components.notes), "arithmetic": remarks, "processes": shared}
            folder.begin(asked, str(device), components.parameters, noted)
            folder.metrics.cut(position.metrics_size)
            folder.timings.cut(position.timings_size)
            own = _observers_of(recipe, folder, components, position, previous) if ranks.is_first else ()
            observers = [*own, *observers]
            for observer in observers:
                at_the_end.callback(observer.close)
            run = Run(recipe, folder, components, position, observers, stop, ranks)
            if components.is_probe:
                judge_probe(run)
            train_epochs(run, enough)
            finish(run.recipe, folder, components, position, observers, ranks)
    return RunRecord.read(folder.path)


def _threads(recipe: Recipe, previous: State | None, ranks: Ranks) -> int:
    """Another number of threads rounds sums otherwise: a run that is resumed by as many processes keeps its own."""
    before = previous["threads"] if previous and previous.get("processes", 1) == ranks.size else None
    return recipe.train.threads or before or torch.get_num_threads()


def _observers_of(
    recipe: Recipe, folder: RunFolder, components: Components, position: Position, previous: State | None
) -> Iterator[Observer]:
    """Make the observers that the recipe asks for; what they wrote after the checkpoint is cut away."""
    log, steps = folder.path / "tb", len(components.batches)
    yield EventFiles(log, previous.get("tracker") if previous else {})
    if recipe.train.tensorboard:
        # Here, because it imports tensorboard and matplotlib, which only a run that writes for them should wait for.
        from assay.run.tracking.tensorboard import TensorBoard

        yield TensorBoard(log, components.network, steps, position.epoch * steps + position.step)
    if recipe.probe.every is not None:
        options = {**recipe.probe.model_dump(exclude_none=True), "optimizer": components.update.optimizer}
        before = previous["probe"] if previous else None
        yield SurfaceProbe(components.network, components.loss_fn, folder.path, **options, before=before)
