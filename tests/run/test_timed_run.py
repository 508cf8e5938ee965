"""A run that ends at a given time, one that is cut, and its recipe, which repeats it without a clock."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

import assay
from assay.data.folder import read_folder
from assay.data.preprocess import Wanted
from assay.data.split import Source, cut_splits
from assay.recipe.named import RECIPES
from assay.recipe.recipe import Recipe
from assay.run import timed_run, trial
from assay.run.adapt import adapt
from assay.run.batches import cut_of
from assay.run.open_set import open_set
from assay.run.run import run
from assay.run.time_budget import Costs, Plan, Way
from assay.run.timed_run import Deadline
from assay.run.trial import measure_costs

FIVE = RECIPES["digits"].recipe.but({"train.epochs": 5, "train.tensorboard": False, "data.train_images": 64})
FILES = ("metrics.jsonl", "model.safetensors")


def contents(folder: Path) -> list[bytes]:
    return [(folder / name).read_bytes() for name in FILES]


def ended_after(epoch: float, epochs: int = 10, slack: float = 5.0) -> tuple[int, list[str]]:
    """After how many epochs of so many seconds a run ends that was planned for ``epochs`` of 10 s, and what is said."""
    said: list[str] = []
    times = iter([0.0, *(5 + epoch * number for number in range(1, epochs + 1))])
    plan = Plan(Way(96, False, 100, before=5, epoch=10, after=5), epochs)
    deadline = Deadline(plan, end=10 + 10.0 * epochs, slack=slack, say=said.append, clock=lambda: next(times))
    return next((done for done in range(1, epochs) if deadline(done)), epochs), said


@pytest.mark.parametrize(
    ("epoch", "done"),
    [
        (10, 10),
        (8, 10),  # faster: the schedule comes to its end
        (10.4, 10),  # 4 s late are within the slack
        (12, 8),  # with an end of 6 s: 8 epochs end at 107 s, 9 at 119 s, and 110 s were wanted
        (30, 3),  # with an end of 15 s: 3 epochs end at 110 s
        (200, 1),  # nothing is shorter than one epoch
    ],
)
def test_a_run_that_became_slower_ends_where_it_is_nearest_to_the_time(epoch: float, done: int) -> None:
    ended, said = ended_after(epoch)
    assert ended == done
    assert bool(said) == (done < 10)
    assert not said or said[0].startswith(f"stopped after epoch {done} of 10: ")


def test_a_cut_run_is_repeated_and_resumed_by_its_recipe(tmp_path: Path) -> None:
    cut = run(FIVE, tmp_path / "cut", enough=lambda done: done == 2)
    assert (cut.recipe.train.epochs, cut.recipe.train.stop_after, cut.summary["epochs"]) == (5, 2, 2)
    again = assay.train(tmp_path / "cut", out=tmp_path / "again", progress=False)
    assert contents(again.folder) == contents(cut.folder)
    before = contents(cut.folder)
    assay.train(tmp_path / "cut", resume=True, progress=False)  # it is finished
    assert contents(cut.folder) == before
    assay.train(tmp_path / "cut", {"train.stop_after": None}, resume=True, progress=False)
    whole = run(FIVE, tmp_path / "whole")
    assert contents(cut.folder) == contents(whole.folder)


@pytest.mark.parametrize(
    ("patience", "measured"),
    [
        (math.inf, [96, 224]),
        (20, [96, 192]),  # a step of 0.5 s becomes one of 2 s, and twelve of them take 18 s more; at 224 pixels 27 s
        (1, [96]),
    ],
)
def test_measuring_has_a_share_of_the_time(
    patience: float, measured: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    def costs(recipe: Recipe, _: object) -> Costs:
        return Costs(0, 0, 0.5 * (recipe.data.size / 96) ** 2, 0.1, 0, 0)

    monkeypatch.setattr(timed_run, "measure_costs", costs)
    said: list[str] = []
    sizes = [96, 128, 160, 192, 224]
    found = timed_run._measured(RECIPES["photos"].recipe, Source({}, ()), sizes, patience, said.append)
    assert list(found) == measured
    assert len(said) == len(measured)


@pytest.mark.parametrize(
    ("changes", "step"),
    [
        ({}, 3 / 6),  # two epochs of six steps, of which the first warms up
        ({"train.small_size": 24}, (1 + 1 + 1 + 3 + 3 + 3) / 6 / 2),  # six epochs of two steps, the first as the second
        ({"schedule.freeze_out": 0.5}, (1 + 1 + 1 + 3 + 3 + 3) / 6 / 2),
    ],
)
def test_a_step_takes_its_mean_over_epochs_that_differ(
    changes: dict[str, Any], step: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    def timed(recipe: Recipe, *args: Any, **options: Any) -> SimpleNamespace:
        half = run(recipe, *args, **options).recipe.train.epochs // 2
        return SimpleNamespace(timings=[{"seconds": seconds} for seconds in [9, *[1] * (half - 1), *[3] * half]])

    monkeypatch.setattr(trial, "run", timed)
    recipe = FIVE.but({"model.name": "fast", "train.batch_size": 8, **changes})
    source = cut_splits(open_set(recipe.data), cut_of(recipe.data))
    assert measure_costs(recipe, source).step == pytest.approx(step)


@pytest.mark.parametrize(("side", "form", "largest"), [(40, 224, 224), (40, None, 64), (300, None, 128)])
def test_weights_want_their_size_and_networks_from_scratch_no_more_than_there_is(
    side: int, form: int | None, largest: int, tmp_path: Path, make_folder: Callable[..., Path]
) -> None:
    source = read_folder(make_folder(tmp_path / "photos", {"cat": 2, "dog": 2}, side=side))
    assert timed_run._largest(RECIPES["photos"].recipe, source, Wanted(size=form)) == largest


def test_where_a_run_stops_is_a_share_of_it() -> None:
    recipe = Recipe().but({"train.epochs": 12, "train.stop_after": 9})
    assert adapt(recipe, {"train.epochs": 4}).recipe.train.stop_after == 3
    with pytest.raises(ValueError, match=r"train\.stop_after: 13 is more than train\.epochs 12"):
        recipe.but({"train.stop_after": 13})


@pytest.mark.parametrize(
    ("given", "resume", "complaint"),
    [
        ({}, True, "a resumed run has its plan already"),
        ({"data.folds": 5}, False, "not with data.folds"),
        ({"train.epochs": 2, "data.size": 32}, False, "nothing is left to choose"),
    ],
)
def test_what_has_no_plan_to_make_is_refused(
    tmp_path: Path, given: dict[str, object], resume: bool, complaint: str
) -> None:
    with pytest.raises(ValueError, match=complaint):
        assay.train("digits", given, out=tmp_path / "run", resume=resume, time="1m", progress=False)
    assert not (tmp_path / "run").exists()


def test_a_time_becomes_epochs_that_the_recipe_states(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    # As if on a slow machine: ten steps an epoch take 1,000 s, and an hour is three epochs.
    monkeypatch.setattr(timed_run, "measure_costs", lambda *_: Costs(100, 0, 100, 0.001, 0, 0))
    given = {"train.tensorboard": False, "data.train_images": 320}
    record = assay.train("digits", given, out=tmp_path / "run", time="1h")
    said = capsys.readouterr().out
    assert "measured at 32 pixels: 0.32 images/s trained" in said
    assert "plan: data.size 32, train.epochs 3, 30 steps" in said
    assert "ends at about" in said
    assert record.recipe.train.epochs == record.summary["epochs"] == 3
    assert record.recipe.train.stop_after is None
    again = assay.train(record.folder, out=tmp_path / "again", progress=False)
    assert contents(again.folder) == contents(record.folder)


@pytest.mark.slow
def test_too_short_a_time_is_refused_and_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"time: .* are left after measuring, but the shortest run"):
        assay.train("digits", out=tmp_path / "run", time=0.01, progress=False)
    assert not (tmp_path / "run").exists()
