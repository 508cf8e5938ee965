"""A study's runs: which, at which setting, in which order."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from assay.recipe.recipe import Recipe
from assay.run import precision
from assay.studies.folder import read_plan, write_plan
from assay.studies.named import STUDIES
from assay.studies.plan import plan_study
from assay.studies.proxy import Proxy
from assay.studies.study import Row, Study
from assay.training.arithmetic import Arithmetic

BASE = Recipe().but({"train.epochs": 20, "data.held_out": 0.0, "train.select": "last"})
FIRST = BASE.but({"optim.lr": 0.3})
STUDY = Study(
    "small",
    "Which?",
    BASE,
    (Row("a"), Row("b", {"optim.lr": 0.2}), Row("c", {"optim.lr": 0.2}, after={"model.pretrained": FIRST})),
    control="a",
    quick=Proxy(epochs=5, images=100),
)


def test_all_rows_of_a_seed_come_before_the_next_seed() -> None:
    plan = plan_study(STUDY, seeds=(4, 7))
    order = [(job.recipe.optim.lr, job.recipe.train.seed) for job in plan.order()]
    assert order == [(0.1, 4), (0.2, 4), (0.3, 0), (0.2, 4), (0.1, 7), (0.2, 7), (0.2, 7)]


def test_what_a_run_needs_is_done_once_and_first() -> None:
    jobs = plan_study(STUDY).jobs["c"]
    firsts = {job.after["model.pretrained"].key for job in jobs.values()}
    keys = [job.key for job in plan_study(STUDY).order()]
    assert len(firsts) == 1
    assert keys.index(firsts.pop()) < min(keys.index(job.key) for job in jobs.values())


def test_rows_of_one_recipe_share_their_runs_and_others_do_not() -> None:
    plan = plan_study(STUDY)
    assert plan.jobs["b"][0].key != plan.jobs["c"][0].key != plan.jobs["a"][0].key
    controls = {plan_study(STUDIES[name]).jobs[STUDIES[name].control or ""][0].key for name in ("stem", "optimizer")}
    assert len(controls) == 1


@pytest.mark.parametrize(
    ("seeds", "wanted", "expected"),
    [
        ((0, 1, 2), None, (0, 1, 2, 3, 4, 5, 6, 7, 8, 9)),
        ((4, 7, 0), 5, (4, 7, 0, 1, 2)),
        ((0, 1), None, (0, 1)),  # no verdict, so nothing that would help it
        (tuple(range(12)), None, tuple(range(12))),
        ((0, 1, 2), 3, (0, 1, 2)),
    ],
)
def test_a_control_has_more_seeds(seeds: tuple[int, ...], wanted: int | None, expected: tuple[int, ...]) -> None:
    plan = plan_study(STUDY, seeds=seeds, control_seeds=wanted)
    assert [tuple(plan.jobs[name]) for name in "abc"] == [expected, seeds, seeds]
    assert plan.setting.seeds_of(is_control=True) == expected
    assert {job.recipe.train.seed for job in plan.order()} >= set(expected)
    alone = plan_study(replace(STUDY, control=None), seeds=seeds, control_seeds=wanted)
    assert [tuple(jobs) for jobs in alone.jobs.values()] == [seeds] * 3


def test_every_row_that_is_a_control_has_more_seeds(tmp_path: Path) -> None:
    rows = (
        Row("a"),
        Row("b", {"optim.lr": 0.2}, control="a"),
        Row("c", {"optim.lr": 0.4}),
        Row("d", {"optim.lr": 0.8}, control="c"),
    )
    study = Study("pairs", "?", BASE, rows, pairs="the row above", repeats=(70.0, 71.0))
    plan = plan_study(study)
    assert [len(jobs) for jobs in plan.jobs.values()] == [10, 3, 10, 3]
    write_plan(plan, tmp_path, "pairs")
    again = read_plan(tmp_path)
    assert again.setting == plan.setting
    assert {name: {seed: job.key for seed, job in jobs.items()} for name, jobs in again.jobs.items()} == {
        name: {seed: job.key for seed, job in jobs.items()} for name, jobs in plan.jobs.items()
    }


@pytest.mark.parametrize(("budget", "epochs", "images"), [(None, 5, 100), ("quick", 5, 100), ("full", 20, None)])
def test_the_budget_holds_for_every_run(budget: str | None, epochs: int, images: int | None) -> None:
    plan = plan_study(STUDY, budget=budget)
    assert {(job.recipe.train.epochs, job.recipe.data.train_images) for job in plan.order()} == {(epochs, images)}
    assert plan.setting.budget == (budget or "quick")
    assert ("5 epochs in place of 20" in plan.setting.budget_in_words) == (budget != "full")


def test_medium_is_the_proxy_with_more_epochs() -> None:
    plan = plan_study(STUDIES["stem"], budget="medium")
    assert {job.recipe.train.epochs for job in plan.order()} == {30}
    assert {job.recipe.data.train_images for job in plan.order()} == {25_000}
    assert (plan.setting.budget, plan.setting.budget_in_words[:28]) == ("medium", "30 epochs in place of 50, sc")
    assert {job.recipe.train.epochs for job in plan_study(STUDIES["bn-accuracy"], budget="medium").order()} == {20}
    for study, message in (
        (replace(STUDY, quick=Proxy(epochs=20)), "no medium setting: quick has 20 of its 20 epochs"),
        (replace(STUDY, quick=None), "no medium setting; choose --budget full"),
    ):
        with pytest.raises(ValueError, match=message):
            plan_study(study, budget="medium")


@pytest.mark.parametrize(
    ("selection", "expected"),
    [(None, ("last", 0.0)), ("last", ("last", 0.0)), ("held-out", ("held-out", 0.1)), ("test", ("test", 0.0))],
)
def test_the_way_to_choose_the_epoch_holds_for_every_row(selection: str | None, expected: tuple[str, float]) -> None:
    plan = plan_study(STUDY, selection=selection)
    rows = [job.recipe for jobs in plan.jobs.values() for job in jobs.values()]
    assert {(recipe.train.select, recipe.data.held_out) for recipe in rows} == {expected}
    assert plan.setting.selection == expected[0]


def test_changes_hold_for_every_run_and_are_stated_where_they_have_an_effect() -> None:
    plan = plan_study(STUDY, changes={"train.threads": 2, "data.root": "/somewhere"})
    assert {job.recipe.train.threads for job in plan.order()} == {2}
    assert plan.setting.changes == "train.threads 2"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"budget": "quik"}, "unknown budget 'quik': did you mean quick"),
        ({"selection": "tests"}, "unknown selection 'tests': did you mean test"),
        ({"seeds": ()}, "seeds: .* are not one or more"),
        ({"control_seeds": 2}, "control seeds: expected a number from 3, that of a row, to 1000, not 2"),
        ({"control_seeds": 1001}, "control seeds: expected a number from 3, .* not 1001"),
        ({"seeds": (1, 1)}, "seeds: .* are not one or more"),
        ({"changes": {"optim.rl": 1}}, "unknown field optim.rl: did you mean optim.lr"),
    ],
)
def test_mistakes_are_named(arguments: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        plan_study(STUDY, **arguments)  # type: ignore[arg-type]


def test_a_study_without_a_quick_setting_says_so() -> None:
    study = Study("small", "Which?", BASE, (Row("a"),))
    assert plan_study(study).setting.budget == "full"
    with pytest.raises(ValueError, match="study small has no quick setting"):
        plan_study(study, budget="quick")


def test_epochs_that_are_asked_for_keep_the_schedule_in_proportion() -> None:
    stepped = Study(
        "small", "?", BASE.but({"schedule.name": "step", "schedule.every": 10.0}), (Row("a"),), quick=STUDY.quick
    )
    plan = plan_study(stepped, changes={"train.epochs": 2})
    recipe = plan.jobs["a"][0].recipe
    assert (recipe.train.epochs, recipe.schedule.every) == (2, 1.0)
    assert plan.setting.budget == "quick, altered"
    assert plan.setting.budget_in_words.startswith("2 epochs in place of 20")


def test_epochs_that_are_asked_for_at_full_budget_keep_it_too() -> None:
    rows = (Row("a"), Row("b", {"schedule.every": 5.0}), Row("c", {"optim.momentum": 0.9}))
    stepped = Study("small", "?", BASE.but({"schedule.name": "step", "schedule.every": 10.0}), rows)
    jobs = plan_study(stepped, changes={"train.epochs": 2}).jobs
    assert [jobs[row.name][0].recipe.schedule.every for row in rows] == [1.0, 0.5, 1.0]


@pytest.mark.parametrize("budget", ["quick", "full"])
def test_epochs_that_are_asked_for_are_checked_at_either_budget(budget: str) -> None:
    plan = plan_study(STUDY, budget=budget, changes={"train.epochs": 2.0})
    assert {job.recipe.train.epochs for job in plan.order()} == {2}
    for wrong in ("many", 2.5, None, 0):
        with pytest.raises(ValueError, match=r"^train\.epochs"):
            plan_study(STUDY, budget=budget, changes={"train.epochs": wrong})


def test_a_changed_full_setting_does_not_pass_for_the_published_one() -> None:
    assert plan_study(STUDY, budget="full", changes={"optim.momentum": 0.5}).setting.budget == "full, altered"
    assert plan_study(STUDY, budget="full", changes={"train.threads": 2}).setting.budget == "full"


def test_the_arithmetic_of_this_machine_is_part_of_each_runs_key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(precision, "measured_here", lambda _: Arithmetic({"fp32": 2.0, "bf16": 1.0}))
    plan, explicit = (plan_study(STUDY, changes={"train.precision": name}) for name in ("auto", "bf16"))
    keys = [job.key for job in plan.order()]
    assert keys == [job.key for job in explicit.order()]
    assert "train.precision bf16, as auto chose" in plan.setting.budget_in_words
    assert "as auto chose" not in explicit.setting.budget_in_words
    monkeypatch.setattr(precision, "measured_here", lambda _: Arithmetic({"fp32": 1.0, "bf16": 5.0}))
    elsewhere = plan_study(STUDY, changes={"train.precision": "auto"})
    assert not {job.key for job in elsewhere.order()} & set(keys)
    assert "train.precision fp32, as auto chose" in elsewhere.setting.budget_in_words


def test_what_is_held_out_is_stated() -> None:
    assert "10% of the training images held out" in plan_study(STUDY, selection="held-out").setting.budget_in_words
    assert "held out" not in plan_study(STUDY).setting.budget_in_words


def test_rows_choose_the_epoch_in_one_way() -> None:
    rows = (Row("a"), Row("b", {"train.select": "held-out", "data.held_out": 0.1, "optim.lr": 0.2}))
    study = Study("small", "Which?", BASE, rows)
    with pytest.raises(ValueError, match="rows choose the epoch in different ways"):
        plan_study(study)
    assert plan_study(study, selection="last").setting.selection == "last"


def test_a_run_of_a_study_is_one_training() -> None:
    rows = (Row("first", {"data.fold": 1}), Row("second", {"data.fold": 2}))
    folds = Study("small", "Which?", BASE.but({"data.folds": 2}), rows)
    assert [job.recipe.data.fold for job in plan_study(folds, seeds=(0,)).order()] == [1, 2]
    with pytest.raises(ValueError, match=r"^data\.folds: a run of a study trains one model"):
        plan_study(STUDY, changes={"data.folds": 2})


def test_two_rows_that_are_one_run_are_refused() -> None:
    study = Study("small", "Which?", BASE, (Row("a"), Row("b", {"optim.lr": 0.1})))
    with pytest.raises(ValueError, match="rows 'a' and 'b' are one and the same run"):
        plan_study(study)
    split = Study("small", "Which?", BASE, (Row("a"), Row("b", split="train")))
    assert plan_study(split).jobs["a"][0].key == plan_study(split).jobs["b"][0].key


def test_a_plan_that_is_read_again_has_the_same_runs(tmp_path: Path) -> None:
    plan = plan_study(STUDY, seeds=(3, 5))
    write_plan(plan, tmp_path, "small")
    again = read_plan(tmp_path)
    assert again.setting == plan.setting
    assert {row: {seed: (job.key, job.recipe) for seed, job in jobs.items()} for row, jobs in again.jobs.items()} == {
        row: {seed: (job.key, job.recipe) for seed, job in jobs.items()} for row, jobs in plan.jobs.items()
    }
