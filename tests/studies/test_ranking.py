"""Whether the order of a study's rows is the same elsewhere."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pytest
from scipy import stats
from tables import CONTROL, row, runs, table_of

import assay
from assay.base.atomic import replace_files
from assay.recipe.recipe import Recipe
from assay.studies.execution.ended import Answers, EndedRun
from assay.studies.execution.store import Store
from assay.studies.folder import folder_of, write_plan
from assay.studies.forms.words import footnotes
from assay.studies.plan import plan_study
from assay.studies.proxy import Proxy
from assay.studies.ranking import kendall, rank
from assay.studies.runs_file import RUNS_FILE, as_lines
from assay.studies.study import Row, Study
from assay.studies.table import PUBLISHED

STUDY = Study(
    "order",
    "?",
    Recipe().but({"train.epochs": 40, "train.threads": 1}),
    (
        Row("a", {}, 70.0),
        Row("b", {"optim.lr": 0.2}, 72.0),
        Row("c", {"optim.lr": 0.3}, 74.0),
        Row("d", {"optim.lr": 0.4}, 76.0),
    ),
    control="a",
    quick=Proxy(epochs=10),
)


@pytest.mark.parametrize("draw", range(20))
def test_tau_is_scipys(draw: int) -> None:
    generator = np.random.default_rng(draw)
    a, b = generator.integers(0, 6, (2, 3, 8)).astype(float)  # with ties
    expected = [stats.kendalltau(*pair).statistic for pair in zip(a, b, strict=True)]
    assert kendall(a, b) == pytest.approx(expected, nan_ok=True)


def test_by_hand() -> None:
    """Of the six pairs of 1, 3, 2, 4 one is reversed: (5 - 1) / 6."""
    about = rank("x", {name: [value] for name, value in zip("abcd", (1, 3, 2, 4), strict=True)}, told(1, 2, 3, 4))
    assert about is not None
    assert about.tau == pytest.approx(4 / 6)
    assert (about.rows, math.isnan(about.low)) == (4, True)
    assert rank("x", told(1, 2), told(1, 2)) is None
    assert math.isnan(rank("x", told(1, 1, 1), told(1, 2, 3)).tau)


def told(*values: float) -> dict[str, list[float]]:
    return {name: [value] for name, value in zip("abcdefgh", values, strict=False)}


def noisy(means: Sequence[float], std: float, runs: int, generator: np.random.Generator) -> dict[str, list[float]]:
    return {name: list(generator.normal(mean, std, runs)) for name, mean in zip("abcdefgh", means, strict=False)}


def test_rows_far_apart_have_a_narrow_interval_and_near_ones_a_wide_one() -> None:
    generator = np.random.default_rng(1)
    far = rank(PUBLISHED, noisy([10, 20, 30, 40], 0.5, 3, generator), told(1, 2, 3, 4))
    assert (far.tau, far.low, far.high) == (1, 1, 1)
    near = rank(PUBLISHED, noisy([10, 10.1, 10.2, 10.3], 1.0, 3, generator), told(1, 2, 3, 4))
    assert near.high - near.low > 0.6


def test_the_interval_covers_the_tau_of_the_true_means() -> None:
    """Of 150 studies of 8 rows; the true tau with the published order is 0.5."""
    generator = np.random.default_rng(2)
    true, published = [1.0, 2.2, 3.0, 4.1, 5.0, 6.3, 7.0, 8.2], told(3, 1, 2, 5, 7, 4, 8, 6)
    tau = float(kendall(np.array(true), np.array([value for (value,) in published.values()])))
    covered = [
        about.low <= tau <= about.high
        for _ in range(150)
        if (about := rank(PUBLISHED, noisy(true, 0.9, 3, generator), published))
    ]
    assert 0.9 <= np.mean(covered) <= 1.0


def ended(accuracy: float) -> EndedRun:
    correct = np.arange(1000) < round(10 * accuracy)
    costs = {"parameters": 10, "flops": 20, "seconds": 3.0, "images_per_second": 4.0}
    summary = {"status": "finished", "test": {"accuracy": float(correct.mean())}, **costs}
    return EndedRun(summary, (), {}, Answers(correct, 100))


def written(home: Path, budget: str, accuracies: Mapping[str, Sequence[float]]) -> Path:
    """A folder of the study at that budget, with lines of made-up runs."""
    plan = plan_study(STUDY, budget=budget, control_seeds=3)
    folder = folder_of(plan, home)
    lines = {plan.jobs[row][seed].key: ended(a) for row, own in accuracies.items() for seed, a in enumerate(own)}
    write_plan(plan, folder, "order")
    replace_files(folder, {RUNS_FILE: as_lines(plan, Store(home / "none", lines))})
    return folder


QUICK = {"a": [60, 60.1, 60.2], "b": [64, 64.1, 64.2], "c": [62, 62.1, 62.2], "d": [66, 66.1, 66.2]}
MEDIUM = {"a": [70, 70.1, 70.2], "b": [74, 74.1, 74.2], "c": [72, 72.1, 72.2], "d": [76, 76.1, 76.2]}


def test_a_table_states_both_orders(tmp_path: Path) -> None:
    quick = written(tmp_path, "quick", QUICK)
    alone = assay.show_study(quick).table
    (note,) = (one for one in footnotes(alone) if "Kendall" in one)
    assert note == (
        "Order of the rows, Kendall's tau with its 95 % interval (bootstrap over the seeds): against the published one "
        "0.67 [0.67, 0.67] over 4 rows. No run at a larger budget says whether this order carries over."
    )
    medium = written(tmp_path, "medium", MEDIUM)
    both = assay.show_study(quick).table
    (note,) = (one for one in footnotes(both) if "Kendall" in one)
    assert "over 4 rows; against that at budget medium 1.00 [1.00, 1.00] over 4 rows." in note
    assert "No run" not in note
    assert assay.show_study("order", runs=quick).table.rankings == both.rankings
    (note,) = (one for one in footnotes(assay.show_study(medium).table) if "Kendall" in one)
    assert note.endswith("No run at a larger budget says whether this order carries over.")


def test_rows_without_runs_elsewhere_do_not_count(tmp_path: Path) -> None:
    quick = written(tmp_path, "quick", QUICK)
    written(tmp_path, "medium", {"a": MEDIUM["a"], "d": MEDIUM["d"]})
    assert [one.against for one in assay.show_study(quick).table.rankings] == [PUBLISHED]
    written(tmp_path, "medium", {name: MEDIUM[name] for name in "abc"})
    assert assay.show_study(quick).table.rankings[1].rows == 3


def test_an_altered_budget_has_no_larger_one(tmp_path: Path) -> None:
    quick = written(tmp_path, "quick", QUICK)
    written(tmp_path, "medium", MEDIUM)
    text = (quick / "study.json").read_text()
    (quick / "study.json").write_text(text.replace('"budget": "quick"', '"budget": "quick, altered"'))
    assert [one.against for one in assay.show_study(quick).table.rankings] == [PUBLISHED]


def test_a_damaged_study_beside_it_is_named_and_costs_no_table(tmp_path: Path) -> None:
    quick = written(tmp_path, "quick", QUICK)
    (written(tmp_path, "medium", MEDIUM) / "study.json").write_text("{")
    table = assay.show_study(quick).table
    (note,) = (one for one in footnotes(table) if "Kendall" in one)
    assert "against that at budget medium cannot be told (" in note
    assert "order-medium/study.json: not JSON" in note


def test_a_table_without_published_differences_says_nothing_of_orders() -> None:
    of_none, of_some = (
        " ".join(footnotes(table_of(CONTROL, row("b", published, runs(73, 74, 75)), budget="quick")))
        for published in (None, 80.0)
    )
    assert "No run at a larger budget" not in of_none
    assert "No run at a larger budget" in of_some
