"""A whole search over pretended runs: what is tried, what is stopped, how it goes on, what it finds."""

from __future__ import annotations

import csv
import math
import re
import signal
from collections.abc import Callable, Generator, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import optuna
import pytest
import yaml
from optuna.pruners import MedianPruner, NopPruner
from optuna.trial import FrozenTrial
from searching import BASE, OVER, by_rate, look

from assay.recipe.named import find_recipe
from assay.recipe.recipe import Recipe
from assay.recipe.sections import Sections
from assay.run.precision import stated
from assay.studies.conduct import Execute, InterruptedStudyError
from assay.studies.execution.local import Watch
from assay.studies.execution.store import Job, Outcome, Store
from assay.studies.search.budget import Budget
from assay.studies.search.result import SearchResult
from assay.studies.search.search import ASKED, BEFORE, BEST, plan_confirmation, search
from assay.studies.search.trials import TrialEnd
from assay.studies.search.workers import Workers, on_ray
from quick_suite import rest_slow

pytestmark = pytest.mark.usefixtures("undrawn")
Make = Callable[[Callable[[Recipe], Sequence[float]]], Execute]


def drawn(found: SearchResult) -> list[tuple[str, dict[str, Any]]]:
    return [(trial.state, dict(trial.values)) for trial in found.trials]


def test_it_finds_the_rate_and_says_that_the_rate_mattered(tmp_path: Path, pretend: Make) -> None:
    found = look(tmp_path, pretend(by_rate), trials=25, pruner=NopPruner())
    assert found.best
    assert found.best_recipe
    assert len(found.of_state("finished")) == 25
    assert found.trials[0].values == {"optim.lr": 0.01, "augment.cutout": 0}
    assert found.best.accuracy == pytest.approx(100 * by_rate(found.best_recipe)[-1])
    assert found.best.accuracy == max(trial.accuracy or 0 for trial in found.trials)
    assert 0.03 < found.best_recipe.optim.lr < 0.3
    assert next(iter(found.importances)) == "optim.lr"
    assert found.importances["optim.lr"] > 0.8
    assert sum(found.importances.values()) == pytest.approx(1)


def test_the_folder_holds_the_best_recipe_the_trials_and_a_summary(tmp_path: Path, pretend: Make) -> None:
    found = look(tmp_path, pretend(by_rate))
    assert found.best
    folder = tmp_path / "studies" / "search"
    assert find_recipe(folder / "best.yaml") == ("best", found.best_recipe)
    rows = list(csv.DictReader((folder / "trials.csv").read_text().splitlines()))
    assert [float(row["optim.lr"]) for row in rows] == [trial.values["optim.lr"] for trial in found.trials]
    assert (tmp_path / "studies" / "runs" / rows[0]["run"] / "summary.json").exists()
    text = (folder / "search.md").read_text()
    assert f"trial {found.best.number}, {found.best.accuracy:.2f} % on the held-out split" in text
    assert "optimistic" in text
    assert "not trained again with fresh seeds" in text
    assert (folder / "search.png").exists()


@pytest.mark.slow
def test_equal_searches_are_equal(tmp_path: Path, pretend: Make) -> None:
    one, other = (drawn(look(tmp_path / name, pretend(by_rate))) for name in "ab")
    assert one == other
    assert drawn(look(tmp_path / "c", pretend(by_rate), seed=1)) != one


def test_a_bad_run_is_stopped_early(tmp_path: Path, pretend: Make) -> None:
    found = look(tmp_path, pretend(by_rate), pruner=MedianPruner(n_startup_trials=2, n_warmup_steps=2))
    pruned = found.of_state("pruned")
    assert pruned
    assert {trial.epochs for trial in pruned} <= {2, 3}
    assert {trial.epochs for trial in found.of_state("finished")} == {4}
    assert all(trial.accuracy is None for trial in pruned)
    assert len(pruned) + len(found.of_state("finished")) == 12
    store = Store(tmp_path / "studies" / "runs")
    assert all(not (store.root / trial.run / "summary.json").exists() for trial in pruned)


@pytest.mark.slow
def test_a_run_that_ended_before_one_looked_is_judged_by_the_same_epochs(tmp_path: Path, pretend: Make) -> None:
    """Whether a trial is pruned must not depend on how fast its run is."""

    def unwatched(jobs: Sequence[Job], store: Store, _watch: Watch) -> Iterator[tuple[Job, Outcome]]:
        return pretend(by_rate)(jobs, store, lambda _job: False)

    pruner = MedianPruner(n_startup_trials=2)
    one = look(tmp_path / "a", pretend(by_rate), pruner=pruner)
    assert one.of_state("pruned")
    assert drawn(look(tmp_path / "b", unwatched, pruner=pruner)) == drawn(one)


def test_the_same_call_does_nothing_more_and_a_longer_one_goes_on(
    tmp_path: Path, pretend: Make, begun: Callable[[], list[str]]
) -> None:
    look(tmp_path, pretend(by_rate), trials=5)
    assert len(look(tmp_path, pretend(by_rate), trials=5).trials) == 5
    assert len(begun()) == 5
    longer = drawn(look(tmp_path, pretend(by_rate), trials=12))
    assert len(begun()) == 12
    assert longer == drawn(look(tmp_path / "at once", pretend(by_rate), trials=12))


def test_a_run_that_the_store_has_is_not_done_again(
    tmp_path: Path, pretend: Make, begun: Callable[[], list[str]]
) -> None:
    for _ in range(2):
        look(tmp_path, pretend(by_rate), trials=5, pruner=NopPruner())
        (tmp_path / "studies" / "search" / "trials.journal").unlink()
    assert len(begun()) == 5


def test_refused_values_cost_no_run(tmp_path: Path, pretend: Make, begun: Callable[[], list[str]]) -> None:
    over = ["train.accumulate=1,3", "optim.lr"]
    found = look(tmp_path, pretend(by_rate), over, pruner=NopPruner())
    refused = found.of_state("refused")
    assert refused
    assert {trial.reason for trial in refused} == {"train.accumulate: 3 does not divide 128"}
    assert len(found.of_state("finished")) == len(begun()) == 12


def test_a_trial_is_the_run_that_training_with_its_values_does(tmp_path: Path, pretend: Make) -> None:
    seen: list[Recipe] = []

    def noted(recipe: Recipe) -> list[float]:
        seen.append(recipe)
        return [0.5] * recipe.train.epochs

    warm = BASE.but({"schedule.warmup": 2.0})
    search(
        warm,
        ["train.epochs=1,2,8"],
        out=tmp_path / "studies" / "search",
        budget=Budget(trials=4, confirm_seeds=(), pruner=NopPruner()),
        workers=replace(Workers(), execute=pretend(noted)),
        progress=False,
    )
    assert {recipe.schedule.warmup / recipe.train.epochs for recipe in seen} == {0.5}
    assert len({recipe.train.epochs for recipe in seen}) > 1


@pytest.mark.parametrize("over", [["train.accumulate=3,5"], ["schedule.period=3,4"]])
def test_it_gives_up_where_everything_is_refused(tmp_path: Path, pretend: Make, over: list[str]) -> None:
    with pytest.raises(ValueError, match="20 trials in a row gave nothing; the last: "):
        look(tmp_path, pretend(by_rate), over)


def test_failed_and_diverged_runs_are_told_with_their_reasons(tmp_path: Path) -> None:
    def execute(jobs: Sequence[Job], _store: Store, _watch: Watch) -> Iterator[tuple[Job, Outcome]]:
        [job] = jobs
        diverged = job.recipe.optim.lr > 0.05
        yield job, Outcome("diverged", "the loss") if diverged else Outcome("failed", "its process crashed")

    with pytest.raises(ValueError, match="20 trials in a row gave nothing; the last: its process crashed"):
        look(tmp_path, execute, ["optim.lr=0.001..0.05"], trials=3)
    found = look(tmp_path / "other", execute, ["optim.lr=0.06..0.5"], trials=3)
    assert [(trial.state, trial.reason) for trial in found.trials] == [("diverged", "the loss")] * 3
    assert found.best is None
    assert "No trial has finished" in (tmp_path / "other" / "studies" / "search" / "search.md").read_text()


def test_what_is_stopped_by_a_signal_goes_on_with_the_same_values(tmp_path: Path, pretend: Make) -> None:
    def execute(jobs: Sequence[Job], store: Store, watch: Watch) -> Iterator[tuple[Job, Outcome]]:
        if stops and len(list(store.root.glob("*"))) == 3:
            stops.pop()
            return iter([(jobs[0], Outcome("interrupted"))])
        return pretend(by_rate)(jobs, store, watch)

    stops = ["once"]
    with pytest.raises(InterruptedStudyError, match="goes on"):
        look(tmp_path, execute)
    found = look(tmp_path, execute)
    [stopped] = found.of_state("put back")
    assert found.trials[stopped.number + 1].values == stopped.values
    undisturbed = look(tmp_path / "undisturbed", pretend(by_rate))
    assert [one for one in drawn(found) if one[0] != "put back"] == drawn(undisturbed)


@pytest.mark.parametrize("kind", rest_slow([signal.SIGINT, signal.SIGTERM]))
def test_a_signal_at_the_end_of_a_trial_is_not_lost(
    tmp_path: Path, pretend: Make, begun: Callable[[], list[str]], kind: signal.Signals
) -> None:
    def execute(jobs: Sequence[Job], store: Store, watch: Watch) -> Iterator[tuple[Job, Outcome]]:
        yield from pretend(by_rate)(jobs, store, watch)
        signal.raise_signal(kind)

    before = signal.getsignal(kind)
    with pytest.raises(InterruptedStudyError, match="goes on"):
        look(tmp_path, execute)
    assert len(begun()) == 1
    assert signal.getsignal(kind) is before
    assert len(look(tmp_path, pretend(by_rate)).of_state("finished", "pruned")) == 12


@pytest.fixture
def interrupted_tell(monkeypatch: pytest.MonkeyPatch) -> Callable[[Callable[[], None]], None]:
    """A function that has something done where a process is about to tell Optuna that its trial has ended, once."""
    tell = optuna.Study.tell

    def let(do: Callable[[], None]) -> None:
        def interrupted(*given: Any, **options: Any) -> FrozenTrial:
            monkeypatch.setattr(optuna.Study, "tell", tell)
            do()
            return tell(*given, **options)

        monkeypatch.setattr(optuna.Study, "tell", interrupted)

    return let


def test_a_trial_runs_until_its_end_is_told(
    tmp_path: Path, pretend: Make, interrupted_tell: Callable[[Callable[[], None]], None]
) -> None:
    """Another process may look at the search in between."""
    seen: list[SearchResult] = []
    interrupted_tell(lambda: seen.append(look(tmp_path, pretend(by_rate), trials=1)))
    assert len(look(tmp_path, pretend(by_rate), trials=1).of_state("finished")) == 1
    assert drawn(seen[0]) == [("running", {"optim.lr": 0.01, "augment.cutout": 0})]
    assert seen[0].best is None


def test_a_process_that_dies_before_it_has_told_the_end_leaves_the_trial_to_others(
    tmp_path: Path, pretend: Make, begun: Callable[[], list[str]], interrupted_tell: Callable[..., None]
) -> None:
    def die() -> None:
        raise KeyboardInterrupt

    interrupted_tell(die)
    with pytest.raises(KeyboardInterrupt):
        look(tmp_path, pretend(by_rate), trials=3, pruner=NopPruner())
    found = look(tmp_path, pretend(by_rate), trials=3, pruner=NopPruner())
    assert [trial.state for trial in found.trials] == ["put back", "finished", "finished", "finished"]
    assert found.trials[1].values == found.trials[0].values
    assert len(begun()) == 3  # the run itself was done


def test_another_process_that_does_not_see_the_search_says_so(tmp_path: Path, pretend: Make) -> None:
    def elsewhere(task: Callable[[], TrialEnd], _times: int) -> Generator[TrialEnd, None, None]:
        (tmp_path / "studies" / "search" / "trials.journal").unlink()
        yield task()

    with pytest.raises(ValueError, match=r"trials\.journal: the search is not there: this process has"):
        look(tmp_path, pretend(by_rate), workers=Workers(elsewhere))


@pytest.mark.parametrize("cpus", [0, "many", None, math.nan])
def test_what_ray_cannot_share_is_refused_at_once(cpus: Any) -> None:
    with pytest.raises(ValueError, match=f"cpus of a run on Ray: {cpus!r} is not a number above 0"):
        on_ray(cpus=cpus)


def test_another_search_needs_another_folder(tmp_path: Path, pretend: Make) -> None:
    look(tmp_path, pretend(by_rate), trials=1)
    asked = yaml.safe_load((tmp_path / "studies" / "search" / ASKED).read_text())
    sections = list(asked["recipe"])
    assert sections == [name for name in Sections.model_fields if name in sections]  # to be read: in a recipe's order
    with pytest.raises(ValueError, match="holds another search"):
        look(tmp_path, pretend(by_rate), ["optim.lr"], trials=1)


@pytest.mark.parametrize(
    ("changes", "options", "complaint"),
    [
        ({"train.select": "last"}, {}, "train.select: last; a search compares recipes on the held-out split"),
        ({"train.select": "test"}, {}, "train.select: test"),
        ({"data.folds": 2}, {}, "data.folds: a run of a study trains one model"),
        ({}, {"trials": 0}, "trials: 0 is not at least 1"),
        ({}, {"confirm_seeds": (0, 1)}, "seed 0 is the search's own"),
        ({}, {"confirm_seeds": (5, 5)}, "are not different numbers"),
        ({}, {"confirm_seeds": (5, -1)}, "train.seed"),
        ({}, {"trials": True}, "trials: True is not at least 1"),
        ({}, {"seed": -1}, "seed of the drawing: -1 is not a whole number of at least 0"),
    ],
)
def test_mistakes(tmp_path: Path, changes: dict[str, Any], options: dict[str, Any], complaint: str) -> None:
    with pytest.raises(ValueError, match=re.escape(complaint)):
        search(BASE, OVER, changes, out=tmp_path, budget=Budget(**{"confirm_seeds": (), "trials": 3, **options}))


def test_an_unknown_storage_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="expected a file that ends in"):
        search(BASE, OVER, out=tmp_path, storage="here.txt")


def test_the_confirmation_has_fresh_seeds_and_only_what_differs(tmp_path: Path, pretend: Make) -> None:
    found = look(tmp_path, pretend(by_rate))
    assert found.best
    plan = plan_confirmation(found, (1000, 1001))
    assert [row.name for row in plan.study.rows] == [BEFORE, BEST]
    assert plan.study.control == BEFORE
    assert {job.recipe.train.seed for job in plan.order()} == {1000, 1001}
    assert plan.jobs[BEST][1000].recipe.but({"train.seed": 0}) == stated(found.best_recipe)
    assert not {job.key for job in plan.order()} & {trial.run for trial in found.trials}


def test_the_confirmation_runs_where_it_is_told(tmp_path: Path, pretend: Make) -> None:
    seeds = []

    def elsewhere(jobs: Sequence[Job], store: Store, _watch: Watch) -> Iterator[tuple[Job, Outcome]]:
        for job in jobs:
            seeds.append(job.recipe.train.seed)
            store.note(job, Outcome("failed", "far away"))
            yield job, Outcome("failed", "far away")

    found = look(tmp_path, pretend(by_rate), trials=3, confirm_seeds=(7, 8), workers=Workers(confirm=elsewhere))
    assert found.confirmation
    assert {*seeds} == {7, 8}
    assert len(found.of_state("finished")) == 3


def test_a_folder_in_brackets_is_printed_as_it_is(
    tmp_path: Path, pretend: Make, capsys: pytest.CaptureFixture[str]
) -> None:
    from assay.commands.study.search import print_result

    (tmp_path / "[bold]").mkdir()
    print_result(look(tmp_path, pretend(by_rate), trials=1), tmp_path / "[bold]")
    assert f"{tmp_path}/[bold]: " in capsys.readouterr().out


def test_values_that_hold_only_together_are_confirmed_together(tmp_path: Path, pretend: Make) -> None:
    over = ["train.batch_size=96,128", "train.accumulate=1,3"]  # 3 does not divide 128
    found = look(tmp_path, pretend(lambda recipe: [recipe.train.accumulate / 4] * 4), over, trials=8)
    plan = plan_confirmation(found, (7,))
    assert plan.study.rows[1].changes == {"train.batch_size": 96, "train.accumulate": 3}
    recipe = plan.jobs[BEST][7].recipe
    assert (recipe.train.batch_size, recipe.train.accumulate) == (96, 3)


def test_nothing_better_is_confirmed_by_one_row(tmp_path: Path, pretend: Make) -> None:
    found = look(tmp_path, pretend(lambda _recipe: [0.5] * 4), trials=3)
    assert found.best
    assert found.best.number == 0
    assert [row.name for row in plan_confirmation(found, (1000,)).study.rows] == [BEFORE]
    assert "equally good" in look(tmp_path, pretend(lambda _recipe: [0.5] * 4), trials=9).no_importances
