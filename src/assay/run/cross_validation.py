"""Cross-validation: a model for each fold, tested on the images that it did not learn from, and one of all images."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import nullcontext
from functools import partial
from pathlib import Path

from assay.base.numbers import is_whole
from assay.base.signals import StopRequest
from assay.recipe.recipe import Recipe, read_recipe
from assay.run.folder import RunFolder, check_same
from assay.run.observer import Observer
from assay.run.precision import as_begun, settled
from assay.run.record import RunRecord, read_summary
from assay.run.run import DivergedError, InterruptedRunError, run
from assay.run.selection import is_over


def cross_validate(recipe: Recipe, out: Path, *, resume: bool = False, observers: Sequence[Observer] = ()) -> RunRecord:
    """Train a model for each fold in ``out/folds``, then the final one in ``out``, and gather the folds' answers.

    A fold's run is one like any other, whose test split is the fold. The final model learns from the images of all
    folds, so that nothing is left to select its epoch by: the last one is kept.

    Args:
        recipe: one that is cross-validated.
        out: the folder of the final run; it must not exist, unless ``resume`` is set.
        resume: go on where it stopped, in whichever run, exactly as if it had not stopped.
        observers: follow each run, one after another.

    Returns:
        The record of the final run, with what was measured on the folds in its summary.

    Raises:
        ValueError: a bad recipe, bad data, or a folder that cannot be used; nothing is written then.
        InterruptedRunError: SIGINT or SIGTERM arrived; it can be resumed.
        DivergedError: the training loss of one of the models is not finite any more.
    """
    folder, folds = RunFolder(out), recipe.data.folds
    assert folds is not None
    if resume:
        folder.check_there()
        recipe = as_begun(recipe, folder.recipe)
        check_same(read_recipe(folder.recipe), recipe, epochs_done=0)
    else:
        folder.check_new()

    recipe, remarks = settled(recipe)
    for observer in observers:
        for remark in remarks:
            observer.say(remark)

    def begin(what: str, is_new: bool) -> None:
        # Of a new one this is the first file, and another process may begin there too.
        with folder.held_as_new() if is_new else nullcontext():
            folder.announce(recipe)
        for observer in observers:
            observer.say(what)

    with StopRequest() as stop:  # it holds a request that comes between two runs
        for number in range(1, folds + 1):
            announce = partial(begin, f"fold {number} of {folds}", not resume and number == 1)
            _run_fold(number, recipe.of_fold(number), folder, observers, announce)
            if stop.requested:
                raise InterruptedRunError(f"stopped after fold {number}; all of it is saved", out)
        text = "final model: learns from the images of all folds; none is held out, the last epoch is kept"
        return run(recipe, out, resume=True, observers=observers, begin=partial(begin, text, is_new=False))


def _run_fold(
    number: int, recipe: Recipe, folder: RunFolder, observers: Sequence[Observer], begin: Callable[[], None]
) -> None:
    """Do the rest of a fold's run; errors that end it name the fold, and the folder that goes on."""
    path = folder.fold(number)
    files = RunFolder(path)
    is_there = files.recipe.exists()
    ended = read_summary(files.summary) if is_there else {}
    if ended.get("status") == "finished":
        done, best = (ended.get(name) for name in ("epochs", "epoch"))
        if not is_whole(done) or not is_whole(best):
            raise ValueError(f"{files.summary}: epochs and epoch: expected whole numbers")
        if is_over(recipe.train, done, best):
            return check_same(read_recipe(files.recipe), recipe, epochs_done=done)
    try:
        run(recipe, path, resume=is_there, observers=observers, begin=begin)
    except InterruptedRunError as stopped:
        raise InterruptedRunError(f"fold {number}: {stopped}", folder.path) from None
    except DivergedError as diverged:
        raise DivergedError(f"fold {number}: {diverged}") from None
    return None
