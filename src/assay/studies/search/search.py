"""A search from beginning to end: its folder, its trials, and what the best recipe is worth."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import closing, nullcontext
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import optuna
from rich.console import Console

from assay.base.atomic import made, replace_files
from assay.base.strict_yaml import dump_yaml
from assay.recipe.fields import describe_field
from assay.recipe.named import find_recipe
from assay.recipe.recipe import Recipe
from assay.run.folder import WITHOUT_EFFECT
from assay.run.precision import settled
from assay.run.suited import suited
from assay.studies.conduct import InterruptedStudyError, StudyObserver, conduct
from assay.studies.execution.processes import process_starter
from assay.studies.execution.store import Job, with_full_paths
from assay.studies.folder import store_of
from assay.studies.plan import Plan, plan_study
from assay.studies.progress import LiveView
from assay.studies.search.budget import Budget
from assay.studies.search.progress import Lines
from assay.studies.search.report import publish
from assay.studies.search.result import SearchResult, add_importances, read_result
from assay.studies.search.space import read_space
from assay.studies.search.storage import full_address
from assay.studies.search.trials import COUNTED, Search, count_missing, run_trial
from assay.studies.search.workers import Workers
from assay.studies.study import Row, Study

ASKED, JOURNAL = "search.yaml", "trials.journal"
BEFORE, BEST = "as given", "best of the search"
_MOST_IN_VAIN = 20  # trials in a row that are refused or fail
DEFAULT_BUDGET, THIS_MACHINE = Budget(), Workers()


def search(
    recipe: str | Path | Recipe,
    over: Sequence[str],
    changes: Mapping[str, Any] | None = None,
    *,
    out: str | Path,
    storage: str | None = None,
    budget: Budget = DEFAULT_BUDGET,
    workers: Workers = THIS_MACHINE,
    progress: bool = True,
    command: str = "",
) -> SearchResult:
    """Look for better values of a recipe's fields, then train the best recipe again with fresh seeds.

    Values are judged by the accuracy of the selected epoch on the held-out split; the test split takes no part in
    any choice. The same call continues a search that stopped, and several processes that make it share its trials.

    Args:
        recipe: a recipe, a named one, a YAML file or a run folder; its epoch is selected by the held-out split.
        over: the fields to search over, with or without their values, as ``read_space`` takes them.
        changes: fields of the recipe to change first, under dotted names; what hangs on them follows as in training.
        out: folder of the results; the runs lie beside it, in ``runs``.
        storage: holds the trials, as ``full_address`` takes it; by default a journal in ``out``.
        budget: how many trials, and which seeds.
        workers: who does the trials: this machine, or ``on_ray(...)``.
        progress: print each trial that ends.
        command: repeats the search; stated with the results.

    Returns:
        The trials, which fields mattered, the best recipe, and what it is worth on seeds that chose nothing.

    Raises:
        ValueError: one line that names what is wrong with the recipe, the fields, the storage or the seeds; or
            20 trials in a row gave nothing.
        InterruptedStudyError: a signal arrived; the same call goes on.
    """
    adapted, console = suited(*find_recipe(recipe), changes or {}), Console(quiet=not progress)
    base = with_full_paths(settled(adapted.recipe)[0])
    _check(base, budget.confirm_seeds)
    folder = Path(out).expanduser().absolute()
    shared = Search(
        base=base,
        space=read_space(base, over),
        storage=full_address(storage or str(folder / JOURNAL)),
        runs=store_of(folder.parent).root,
        budget=budget,
        execute=workers.execute,
    )
    text = _description(folder, base, over)
    # The trials and the confirmation share a fork server. A search that cannot begin leaves no folder.
    with nullcontext() if folder.exists() else workers.ready(), process_starter():
        with made(folder):  # and unmade where the storage cannot be opened
            shared.create()
        replace_files(folder, {ASKED: text})
        optuna_study = shared.open()
        for note in adapted.notes:
            console.print(note, markup=False)
        try:
            _do_trials(optuna_study, shared, workers, Lines(console, optuna_study, shared))
        finally:  # a search that was stopped has its results so far
            result = add_importances(read_result(optuna_study, shared), optuna_study)
            publish(result, folder)
        # Where other processes still run trials, the best is not known yet; the last of them confirms.
        if budget.confirm_seeds and result.best and not result.of_state("running"):
            plan = plan_confirmation(result, budget.confirm_seeds, command=command)
            view = LiveView(console) if progress else StudyObserver()
            result = replace(result, confirmation=conduct(plan, store_of(folder.parent), view, workers.confirm))
            publish(result, folder)
    return result


def plan_confirmation(result: SearchResult, seeds: Sequence[int], command: str = "") -> Plan:
    """Plan to train the given and the best recipe again, with seeds that chose nothing.

    Args:
        result: of a search that has a best trial.
        seeds: of the runs; none of them is the search's.
        command: repeats the search; stated with the results.

    Returns:
        A study of two rows, or of one if the search found nothing better than the recipe that it began with.

    Raises:
        ValueError: there is no seed, or two are equal.
    """
    assert result.best_recipe
    changes = {name: best for name, (_, best) in result.base.differences(result.best_recipe).items()}
    study = Study(
        "search",
        "Is the best recipe of the search better than the one that it began with, on seeds that chose nothing?",
        result.base,
        (Row(BEFORE), *([Row(BEST, changes)] if changes else [])),
        control=BEFORE,
    )
    return plan_study(study, seeds=seeds, command=command)


def _check(base: Recipe, confirm_seeds: Sequence[int]) -> None:
    Job(base)  # raises for a recipe of which no job can be made
    if base.train.select != "held-out":
        raise ValueError(
            f"train.select: {base.train.select}; a search compares recipes on the held-out split, so give "
            "--train.select held-out, and --data.held_out above 0"
        )
    if base.train.seed in confirm_seeds:
        raise ValueError(f"seed {base.train.seed} is the search's own (train.seed); confirm with others")
    for seed in confirm_seeds:
        base.but({"train.seed": seed})  # raises for a seed out of range


def _description(folder: Path, base: Recipe, over: Sequence[str]) -> str:
    """Return the search's description for its folder; refuse a folder that holds another search."""
    # Fields without effect on a run's numbers may differ from call to call.
    recipe = base.but({name: describe_field(name)[2] for name in WITHOUT_EFFECT})
    text = dump_yaml({"over": list(over), "recipe": recipe.to_dict()})
    description = folder / ASKED
    if description.exists() and description.read_text() != text:
        raise ValueError(f"{folder} holds another search, of another recipe or other fields; choose another --out")
    return text


def _do_trials(optuna_study: optuna.Study, shared: Search, workers: Workers, lines: Lines) -> None:
    """Do trials until there are enough, counting those of other processes."""
    in_vain = 0
    while times := count_missing(optuna_study, shared.budget.trials):
        # Closed on an error too, which cancels a cluster's other trials.
        with closing(workers.repeat(partial(run_trial, shared), times)) as ends:
            for end in ends:
                lines.update()
                in_vain = 0 if end.kind in COUNTED else in_vain + (end.kind != "enough")
                if end.kind == "stopped":
                    raise InterruptedStudyError("stopped; the search goes on where it is with the same command")
                if in_vain >= _MOST_IN_VAIN:
                    raise ValueError(f"{in_vain} trials in a row gave nothing; the last: {end.reason}")
