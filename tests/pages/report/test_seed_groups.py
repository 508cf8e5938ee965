"""Curves of runs that differ in the seed alone: their mean, and its interval."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import vl_convert
from scipy import stats

from assay.pages.report import curves
from assay.pages.report.content import RunPart
from assay.pages.report.seeds import seed_groups
from assay.recipe.recipe import Recipe
from assay.run.record import RunRecord


def run_of(name: str, losses: list[float | None], **changes: Any) -> RunPart:
    """A run whose recipe has changes under names with __ for the dot."""
    recipe = Recipe().but({field.replace("__", "."): value for field, value in changes.items()})
    metrics = [{"epoch": place + 1, "train_loss": loss} for place, loss in enumerate(losses)]
    timings = [{"epoch": place + 1, "images_per_second": 10.0} for place in range(len(losses))]
    return RunPart(name, name, Path(name), RunRecord(Path(name), recipe, metrics, timings, {}, {}))


THREE = [run_of(f"slow, seed {seed}", [2.0 + seed, 1.0 + seed / 2], train__seed=seed) for seed in range(3)]


def test_runs_that_differ_in_the_seed_alone_are_a_group() -> None:
    runs = [
        *THREE,
        run_of("fast, seed 0", [1.0], optim__lr=0.2),
        run_of("fast/1", [1.0], optim__lr=0.2, train__seed=1, data__workers=3),
        run_of("again", [1.0], train__seed=2),  # a seed that is there already
        run_of("wide", [1.0], model__width=2.0),
        run_of("not begun", [], model__width=2.0, train__seed=1),
        RunPart("damaged", "damaged", Path("damaged"), None),
    ]
    groups = seed_groups(runs)
    assert [[run.name for run in group.runs] for group in groups] == [
        ["slow, seed 0", "slow, seed 1", "slow, seed 2"],
        ["fast, seed 0", "fast/1"],
    ]
    assert [group.name for group in groups] == ["slow: mean of 3 seeds", "fast: mean of 2 seeds"]


def test_the_mean_stands_with_students_interval() -> None:
    drawn = {entry["key"]: entry for entry in curves.curves(THREE)}
    assert list(drawn) == ["seeds-1", *(run.key for run in THREE)]
    mean = drawn["seeds-1"]
    assert mean["train_loss"] == [3.0, 1.5]
    values = np.array([[2.0, 3.0, 4.0], [1.0, 1.5, 2.0]])
    half = stats.t.ppf(0.975, 2) * values.std(axis=1, ddof=1) / math.sqrt(3)
    assert mean["train_loss_low"] == pytest.approx([3.0 - half[0], 1.5 - half[1]], rel=1e-4)
    assert mean["train_loss_high"] == pytest.approx([3.0 + half[0], 1.5 + half[1]], rel=1e-4)
    assert mean["images_per_second"] == [10.0, 10.0]
    assert [entry["is_one_of"] for entry in drawn.values()] == [False, True, True, True]
    assert mean["colour"] == drawn[THREE[0].key]["colour"]


def test_a_mean_ends_where_the_first_of_its_runs_does() -> None:
    """Else the runs that go on would stand for the one that diverged."""
    lost = run_of("slow, seed 3", [2.0, None], train__seed=3)
    longer = run_of("slow, seed 4", [2.0, 2.0, 2.0], train__seed=4)
    mean = curves.curves([*THREE, lost, longer])[0]
    assert mean["epochs"] == [1, 2]
    assert mean["train_loss"] == [pytest.approx(2.6), None]


def test_long_means_are_thinned() -> None:
    runs = [run_of(str(seed), [1.0] * 1001, train__seed=seed) for seed in range(2)]
    mean = curves.curves(runs)[0]
    assert mean["every"] == 5
    assert len(mean["epochs"]) == len(mean["train_loss_low"]) <= 252
    assert mean["epochs"][-1] == 1001


def test_the_chart_has_a_band_where_there_is_a_mean() -> None:
    specs = [curves.curve_specs(runs)["loss"] for runs in (THREE, THREE[:1])]
    row = {"run": "seeds-1", "colour": "#123456", "split": "train", "alone": False}
    rows = {"rows": [{**row, "value": 2.0, "low": 1.0, "high": 3.0, "epoch": epoch} for epoch in (1, 2)]}
    drawn = [vl_convert.vegalite_to_svg({**spec, "width": 200, "datasets": rows}) for spec in specs]
    assert ["area mark" in one for one in drawn] == [True, False]
    assert all("line mark" in one for one in drawn)
    assert all('stroke="#123456"' in one for one in drawn)
