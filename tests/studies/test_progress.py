"""What a study shows while it runs."""

from __future__ import annotations

import io
from pathlib import Path

import pytest
from rich.console import Console
from safetensors.torch import load_file, save_file

from assay.base.json_files import read_json, write_json
from assay.run.folder import RunFolder
from assay.studies.conduct import conduct
from assay.studies.execution.store import Outcome, Store
from assay.studies.named import find_study
from assay.studies.plan import Plan, plan_study
from assay.studies.progress import LiveView
from assay.studies.study import Row
from in_line import run_in_line, write_study


@pytest.fixture
def plan(tmp_path: Path) -> Plan:
    return plan_study(find_study(write_study(tmp_path)), seeds=(0, 1))


def view_of(*, terminal: bool = False) -> tuple[LiveView, io.StringIO]:
    text = io.StringIO()
    return LiveView(Console(file=text, width=100, force_terminal=terminal, color_system=None)), text


def test_elsewhere_than_on_a_terminal_each_run_is_a_line(plan: Plan, tmp_path: Path) -> None:
    view, text = view_of()
    results = conduct(plan, Store(tmp_path / "runs"), view, run_in_line)
    lines = text.getvalue().splitlines()
    assert lines[0] == "rates: 4 runs, 0 of them done before"
    assert lines[1].startswith(f"slow, seed 0: {results.rows[0].results[0].accuracy:.2f}%")
    assert "1 of 4 runs done, about" in lines[2]
    assert lines[-1].strip() == "4 of 4 runs done"


def test_a_set_without_test_images_shows_the_held_out_accuracy(plan: Plan, tmp_path: Path) -> None:
    store, job = Store(tmp_path / "runs"), plan.order()[0]
    conduct(plan, store, view_of()[0], run_in_line)
    folder = RunFolder(store.folder(job))
    summary = read_json(folder.summary)
    del summary["test"]
    write_json(folder.summary, {**summary, "held_out": {"accuracy": 0.5}})
    scores = {name.replace("test.", "held_out."): values for name, values in load_file(folder.scores).items()}
    save_file(scores, folder.scores)
    view, text = view_of()
    view.start(plan, store, [])
    view.done(job, Outcome("finished"))
    assert "slow, seed 0: 50.00%" in text.getvalue()


def test_an_interrupted_run_is_not_done(plan: Plan, tmp_path: Path) -> None:
    view, text = view_of()
    view.start(plan, Store(tmp_path), plan.order())
    view.done(plan.order()[0], Outcome("interrupted"))
    view.stop()
    assert "0 of 4 runs done" in text.getvalue()


def test_a_low_terminal_shows_the_rows_at_work(plan: Plan, tmp_path: Path) -> None:
    rows = tuple(Row(f"number {number}", {"optim.lr": 0.001 * number}) for number in range(1, 51))
    plan = plan_study(type(plan.study)("rates", "Which?", plan.study.base, rows), seeds=(0,))
    text = io.StringIO()
    view = LiveView(Console(file=text, width=100, height=10, force_terminal=True, color_system=None))
    view.start(plan, Store(tmp_path), plan.order())
    view.watch(plan.jobs["number 40"][0])
    view.stop()
    assert "number 40" in text.getvalue()


def test_on_a_terminal_a_table_shows_rows_seeds_and_what_comes_first(plan: Plan, tmp_path: Path) -> None:
    study = plan.study
    rows = (*study.rows, Row("[tuned]", {"optim.lr": 0.003}, after={"model.pretrained": study.base}))
    plan = plan_study(type(study)("rates", "Which?", study.base, rows, "slow"), seeds=(0,))
    view, text = view_of(terminal=True)
    view.start(plan, Store(tmp_path), plan.order())
    view.watch(plan.order()[0])
    view.stop()
    shown = text.getvalue()
    for words in ("0 of 4 runs done", "slow", "[tuned]", "before others: simple-cnn", "0/1"):
        assert words in shown
