"""A search from beginning to end: its folder, its trials one after another or on many machines, what it found."""

from __future__ import annotations

from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import closing
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import yaml
from optuna import Study
from optuna.pruners import BasePruner, MedianPruner
from rich.console import Console

from assay.base.atomic import replace_file
from assay.base.signals import StopRequest
from assay.recipe.named import find_recipe
from assay.recipe.recipe import Recipe, describe_field
from assay.run.folder import WITHOUT_EFFECT
from assay.studies.conduct import Execute, InterruptedStudyError, Silence, conduct
from assay.studies.execution.local import run_here
from assay.studies.execution.ray_connection import check_share, connected
from assay.studies.execution.ray_task import only_given_gpus
from assay.studies.execution.store import with_full_paths
from assay.studies.folder import store_of
from assay.studies.progress import LiveView
from assay.studies.search.confirm import plan_confirmation
from assay.studies.search.found import Found, read_found
from assay.studies.search.progress import Lines
from assay.studies.search.report import publish
from assay.studies.search.space import read_space
from assay.studies.search.storage import full_address
from assay.studies.search.trials import COUNTED, End, Search, missing, run_trial

Each = Callable[[Callable[[], End], int], Generator[End, None, None]]
"""Calls a function as often as it is told, on whatever machines it has, and yields what the calls return."""

ASKED, JOURNAL = "search.yaml", "trials.journal"
_MOST_IN_VAIN = 20  # trials in a row that are refused or fail


def one_by_one(task: Callable[[], End], times: int) -> Generator[End, None, None]:
    """Here, one call after another; none begins after a signal to stop."""
    with StopRequest() as stop:
        for _ in range(times):
            yield task()
            if stop.requested:
                yield End("stopped", "a signal arrived")
                return


def on_ray(address: str | None = None, cpus: float = 1, gpus: float = 0) -> Each:
    """On a Ray cluster, a task for each call; storage and run folders must be where all its machines see them.

    Args:
        address: of the cluster; by default Ray starts on this machine alone.
        cpus: of one call, above 0.
        gpus: of one call, at least 0.

    Raises:
        ValueError: Ray is not installed, or a number is out of its range.
    """
    check_share(cpus, gpus)

    def each(task: Callable[[], End], times: int) -> Generator[End, None, None]:
        import ray

        with connected(address, cpus, gpus):
            remote: Any = ray.remote(num_cpus=cpus, num_gpus=gpus, max_retries=0)(lambda: _at_worker(task, gpus))
            waiting = [remote.remote() for _ in range(times)]
            try:
                while waiting:
                    [done], waiting = ray.wait(waiting)
                    yield _fetch(done)
            finally:
                for left in waiting:
                    ray.cancel(left)

    return each


def _at_worker(task: Callable[[], End], gpus: float) -> End:
    with only_given_gpus(gpus):
        return task()


def _fetch(done: Any) -> End:
    """What the call returned; where Ray lost its process, its trial is done again when that is seen to be gone."""
    import ray
    from ray.exceptions import RayError, RayTaskError

    try:
        end: End = ray.get(done)
    except RayTaskError as error:
        raise error.cause from None
    except RayError as error:
        return End("failed", f"Ray lost its process: {' '.join(str(error).split())}")
    return end


def search(
    recipe: str | Path | Recipe,
    fields: Sequence[str],
    changes: Mapping[str, Any] | None = None,
    *,
    out: str | Path,
    trials: int = 30,
    storage: str | None = None,
    confirm_seeds: Sequence[int] = (1000, 1001, 1002),
    seed: int = 0,
    pruner: BasePruner | None = None,
    each: Each = one_by_one,
    execute: Execute = run_here,
    confirm: Execute = run_here,
    progress: bool = True,
    command: str = "",
) -> Found:
    """Look for better values of a recipe's fields, then train the best recipe again with fresh seeds.

    Values are judged by the accuracy of the selected epoch on the held-out split; the test split takes no part in
    any choice. The same call goes on where a search stopped, and several processes that make it share its trials.

    Args:
        recipe: a recipe, a named one, a YAML file or a run folder; its epoch is selected by the held-out split.
        fields: what to search over, as ``read_space`` takes it.
        changes: fields of the recipe to change first, under dotted names.
        out: folder of what is found; the runs lie beside it, in ``runs``.
        trials: how many to do, pruned and diverged ones included.
        storage: as ``full_address`` takes it; by default a journal in ``out``.
        confirm_seeds: with which the given and the best recipe are trained at the end; none is the recipe's own.
        seed: of the drawing.
        pruner: stops a run after an epoch; by default one that is below the median of the finished runs at that
            epoch, once 5 have finished, from a quarter of the epochs on.
        each: where trials run: ``one_by_one`` or ``on_ray(...)``.
        execute: does the runs of a trial.
        confirm: does the runs with fresh seeds.
        progress: print what is done.
        command: what runs it again; stated with the results.

    Returns:
        The trials, which fields mattered, the best recipe, and what it is worth on seeds that chose nothing.

    Raises:
        ValueError: one line that names what is wrong with the recipe, the fields, the storage or the arguments; or
            trial after trial gives nothing.
        InterruptedStudyError: a signal arrived; the same call goes on.
    """
    base = with_full_paths(find_recipe(recipe)[1].but(changes or {}))
    _check(base, trials, confirm_seeds)
    folder = Path(out).expanduser().absolute()
    wanted = Search(
        base=base,
        space=read_space(base, fields),
        storage=full_address(storage or str(folder / JOURNAL)),
        runs=store_of(folder.parent).root,
        trials=trials,
        seed=seed,
        pruner=pruner or MedianPruner(n_startup_trials=5, n_warmup_steps=base.train.epochs // 4),
        execute=execute,
    )
    _claim(folder, base, fields)
    wanted.begin()
    study, console = wanted.open(), Console(quiet=not progress)
    try:
        _do_trials(study, wanted, each, Lines(console, study, wanted))
    finally:
        found = read_found(study, wanted)
        publish(found, folder)
    if confirm_seeds and found.best and not found.of_state("running"):
        plan = plan_confirmation(found, confirm_seeds, command=command)
        view = LiveView(console) if progress else Silence()
        found = replace(found, confirmation=conduct(plan, store_of(folder.parent), view, confirm))
        publish(found, folder)
    return found


def _check(base: Recipe, trials: int, confirm_seeds: Sequence[int]) -> None:
    if base.train.select != "held-out":
        raise ValueError(
            f"train.select: {base.train.select}; a search compares recipes on the held-out split, so give "
            "--train.select held-out, and --data.held_out above 0"
        )
    if trials < 1:
        raise ValueError(f"trials: {trials} is not at least 1")
    if base.train.seed in confirm_seeds:
        raise ValueError(f"seed {base.train.seed} is the search's own (train.seed); confirm with others")
    if len(set(confirm_seeds)) < len(confirm_seeds):
        raise ValueError(f"seeds to confirm with: {list(confirm_seeds)} are not different numbers")
    for seed in confirm_seeds:
        base.but({"train.seed": seed})


def _claim(folder: Path, base: Recipe, fields: Sequence[str]) -> None:
    """Make the folder, and write down what is searched; refuse one that holds another search."""
    recipe = base.but({name: describe_field(name)[2] for name in WITHOUT_EFFECT})
    text = yaml.safe_dump({"over": list(fields), "recipe": recipe.to_dict()}, sort_keys=False)
    asked = folder / ASKED
    if asked.exists() and asked.read_text() != text:
        raise ValueError(f"{folder} holds another search, of another recipe or other fields; choose another --out")
    folder.mkdir(parents=True, exist_ok=True)
    replace_file(asked, text)


def _do_trials(study: Study, wanted: Search, each: Each, lines: Lines) -> None:
    """Trials until there are enough; those of other processes count."""
    in_vain = 0
    while times := missing(study, wanted.trials):
        with closing(each(partial(run_trial, wanted), times)) as ends:
            for end in ends:
                lines.look()
                in_vain = 0 if end.kind in COUNTED else in_vain + (end.kind != "enough")
                if end.kind == "stopped":
                    raise InterruptedStudyError("stopped; the search goes on where it is with the same command")
                if in_vain >= _MOST_IN_VAIN:
                    raise ValueError(f"{in_vain} trials in a row gave nothing; the last: {end.reason}")
