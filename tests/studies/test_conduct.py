"""A study is done once, goes on where it stopped, and survives its rows."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from assay.run.record import RunRecord
from assay.studies.collect import collect
from assay.studies.conduct import Execute, InterruptedStudyError, StudyObserver, check_rows, conduct
from assay.studies.execution.local import Watch
from assay.studies.execution.store import Job, Outcome, Store
from assay.studies.named import find_study
from assay.studies.plan import Plan, plan_study
from assay.studies.study import Row
from in_line import counting as counting_executor
from in_line import write_study
from quick_suite import rest_slow

Counting = tuple[Execute, list[str]]


@pytest.fixture
def study_file(tmp_path: Path) -> Path:
    return write_study(tmp_path)


@pytest.fixture
def counting() -> Counting:
    return counting_executor()


@pytest.fixture
def plan(study_file: Path) -> Plan:
    return plan_study(find_study(study_file), seeds=(0, 1))


def test_results_are_what_the_records_say(plan: Plan, tmp_path: Path, counting: Counting) -> None:
    store = Store(tmp_path / "runs")
    results = conduct(plan, store, StudyObserver(), counting[0])
    assert [row.row.name for row in results.rows] == ["slow", "fast"]
    for row in results.rows:
        assert [result.seed for result in row.results] == [0, 1]
        for result in row.results:
            record = RunRecord.read(store.folder(plan.jobs[row.row.name][result.seed]))
            assert record.recipe.train.seed == result.seed
            assert result.accuracy == 100 * record.summary["test"]["accuracy"]
            assert result.correct is not None
            assert 100 * np.mean(result.correct) == pytest.approx(result.accuracy)
            assert (result.parameters, result.seconds) == (record.summary["parameters"], record.summary["seconds"])
            assert result.flops > 2 * 6 * 25 * 12 * 12  # more than its first convolution's
    assert "torch" in results.setting.hardware


def test_no_finished_run_is_done_again(plan: Plan, tmp_path: Path, counting: Counting) -> None:
    execute, done = counting
    store = Store(tmp_path / "runs")
    first = conduct(plan, store, StudyObserver(), execute)
    assert done == ["0.001 0", "0.01 0", "0.001 1", "0.01 1"]
    again = conduct(plan, store, StudyObserver(), execute)
    assert len(done) == 4
    assert [row.results[0].accuracy for row in again.rows] == [row.results[0].accuracy for row in first.rows]


def test_seeds_are_added_without_redoing_any(plan: Plan, study_file: Path, tmp_path: Path, counting: Counting) -> None:
    execute, done = counting
    conduct(plan, Store(tmp_path / "runs"), StudyObserver(), execute)
    more = plan_study(find_study(study_file), seeds=(0, 1, 2), control_seeds=3)
    results = conduct(more, Store(tmp_path / "runs"), StudyObserver(), execute)
    assert done[4:] == ["0.001 2", "0.01 2"]
    assert [len(row.results) for row in results.rows] == [3, 3]


def with_row(plan: Plan, row: Row) -> Plan:
    return plan_study(replace(plan.study, rows=(*plan.study.rows, row)), seeds=plan.setting.seeds)


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"train.batch_size": 5000}, "5000 is more than"),  # api's check would have refused it
        ({"optim.name": "sgd", "optim.lr": 100.0, "optim.lr_batch": 1, "train.epochs": 3}, "diverged in epoch"),
    ],
)
def test_a_row_fails_alone(
    plan: Plan, tmp_path: Path, counting: Counting, changes: dict[str, object], reason: str
) -> None:
    store = Store(tmp_path / "runs")
    results = conduct(with_row(plan, Row("bad", changes)), store, StudyObserver(), counting[0])
    assert [len(row.results) for row in results.rows] == [2, 2, 0]
    assert [reason in failure for failure in results.rows[2].failures.values()] == [True, True]
    lost = (0, 1) if "diverged" in reason else ()
    assert results.rows[2].diverged == lost
    assert results.rows[2].counted == dict.fromkeys(lost, results.rows[0].results[0].guessing)


def test_rows_are_checked_before_any_run_but_for_the_size_that_weights_bring(
    plan: Plan, tmp_path: Path, make_folder: Callable[..., Path]
) -> None:
    """Images of different sizes need a size, unless the weights, which are not read here, have one."""
    photos = make_folder(tmp_path / "photos", {"a": 10, "b": 10}, side=16)
    make_folder(photos, {"a": 1}, side=20)
    folder = {"data.name": f"folder:{photos}", "data.size": None}
    with pytest.raises(ValueError, match=r"row 'photos': data\.size: the images' sides range from 16 to 20 pixels"):
        check_rows(with_row(plan, Row("photos", folder)), Store(tmp_path / "runs"))
    with_weights = Row("weights", {**folder, "model.pretrained": "default"})
    check_rows(with_row(plan, with_weights), Store(tmp_path / "runs"))


def test_failed_runs_are_tried_again_and_diverged_ones_are_not(plan: Plan, tmp_path: Path) -> None:
    store, asked = Store(tmp_path / "runs"), []

    def execute(jobs: Sequence[Job], store: Store, _watch: Watch) -> Iterator[tuple[Job, Outcome]]:
        for job in jobs:
            asked.append(job.key)
            outcome = Outcome("failed", "out of memory")
            store.root.mkdir(exist_ok=True)
            store.note(job, outcome)
            yield job, outcome

    first = conduct(plan, store, StudyObserver(), execute)
    assert [reason for row in first.rows for reason in row.failures.values()] == ["out of memory"] * 4
    conduct(plan, store, StudyObserver(), execute)
    assert asked == [job.key for job in plan.order()] * 2


def test_an_interrupted_study_goes_on(plan: Plan, tmp_path: Path, counting: Counting) -> None:
    execute, done = counting
    store = Store(tmp_path / "runs")

    def interrupted(jobs: Sequence[Job], store: Store, watch: Watch) -> Iterator[tuple[Job, Outcome]]:
        yield from execute(jobs[:1], store, watch)
        yield jobs[1], Outcome("interrupted")

    with pytest.raises(InterruptedStudyError):
        conduct(plan, store, StudyObserver(), interrupted)
    assert [len(row.results) for row in collect(plan, store).rows] == [1, 0]
    results = conduct(plan, store, StudyObserver(), execute)
    assert done == ["0.001 0", "0.01 0", "0.001 1", "0.01 1"]
    assert [len(row.results) for row in results.rows] == [2, 2]


def test_the_reports_way_and_the_honest_one_come_from_one_run(
    study_file: Path, tmp_path: Path, counting: Counting
) -> None:
    text = study_file.read_text().replace("train.epochs: 1", "train.epochs: 4, data.held_out: 0.1")
    study_file.write_text(text)
    plan = plan_study(find_study(study_file), seeds=(0,), selection="test")
    results = conduct(plan, Store(tmp_path / "runs"), StudyObserver(), counting[0])
    for row in results.rows:
        ways = row.results[0].by_selection
        record = RunRecord.read(Store(tmp_path / "runs").folder(plan.jobs[row.row.name][0]))
        assert ways["test"] == row.results[0].accuracy == 100 * max(epoch["test_accuracy"] for epoch in record.metrics)
        assert ways["last"] == 100 * record.metrics[-1]["test_accuracy"]
        best = max(record.metrics, key=lambda epoch: (epoch["held_out_accuracy"], -epoch["held_out_loss"]))
        assert ways["held-out"] == 100 * best["test_accuracy"]


def test_a_run_that_others_need_comes_first_and_is_their_start(plan: Plan, tmp_path: Path, counting: Counting) -> None:
    base = plan.study.base
    tuned = with_row(plan, Row("tuned", after={"model.pretrained": base.but({"optim.lr": 0.005})}))
    store = Store(tmp_path / "runs")
    results = conduct(tuned, store, StudyObserver(), counting[0])
    folder = store.folder(tuned.jobs["tuned"][0].after["model.pretrained"])
    assert RunRecord.read(store.folder(tuned.jobs["tuned"][0])).recipe.model.pretrained == str(folder)
    assert results.rows[2].results[0].accuracy > results.rows[0].results[0].accuracy


@pytest.mark.parametrize(
    ("file", "content"),
    rest_slow(
        [
            ("summary.json", "3"),
            ("summary.json", '{"status": "finished"}'),
            ("metrics.jsonl", "no\n"),
            ("scores.safetensors", ""),
            ("recipe.yaml", ": :"),
        ]
    ),
)
def test_a_damaged_record_is_a_failure_and_is_done_again(
    plan: Plan, tmp_path: Path, counting: Counting, file: str, content: str
) -> None:
    store = Store(tmp_path / "runs")
    first = conduct(plan, store, StudyObserver(), counting[0])
    folder = store.folder(plan.jobs["fast"][1])
    (folder / file).write_text(content)
    damaged = collect(plan, store).rows[1]
    assert [result.seed for result in damaged.results] == [0]
    assert str(folder / file) in damaged.failures[1]
    again = conduct(plan, store, StudyObserver(), counting[0])
    assert counting[1][4:] == ["0.01 1"]
    assert again.rows[1].results[1].accuracy == first.rows[1].results[1].accuracy
    assert (store.root / f"{folder.name}.damaged" / file).read_text() == content


def test_a_diverged_record_without_its_epoch_is_told(plan: Plan, tmp_path: Path) -> None:
    store = Store(tmp_path / "runs")
    folder = store.folder(plan.jobs["fast"][1])
    folder.mkdir(parents=True)
    (folder / "summary.json").write_text('{"status": "diverged"}')
    assert "diverged" in collect(plan, store).rows[1].failures[1]
