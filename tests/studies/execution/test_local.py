"""A process for each run: however one ends, the others go on, and what is killed goes on where it was."""

import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from small_study import DIGITS, SHORT, essence, small_plan, what_counts

from assay.studies.conduct import StudyObserver, conduct
from assay.studies.execution import local
from assay.studies.execution.local import RETRIES, run_here, run_process
from assay.studies.execution.store import Job, Outcome, Store
from assay.studies.results import StudyResults

Undisturbed = tuple[Store, StudyResults]
Processes = Callable[..., dict[int, int]]
FIRST = small_plan().jobs["lr 0.05"][0]


def instead(monkeypatch: pytest.MonkeyPatch, code: str) -> list[object]:
    """Let every run's process execute this instead; the list grows with each that starts."""
    started: list[object] = []
    start = local._start

    def other(command, log):
        started.append(command)
        return start([sys.executable, "-c", code], log)

    monkeypatch.setattr(local, "_start", other)
    return started


@pytest.mark.slow
def test_every_end_is_told_apart_and_none_stops_the_others(tmp_path: Path) -> None:
    store = Store(tmp_path / "runs")
    refused = Job(SHORT.but({"train.batch_size": 5000}))
    diverging = Job(SHORT.but({"optim.lr": 100.0, "optim.weight_decay": 1.0, "train.batch_size": 100}))
    fine = Job(SHORT)
    ends = dict(zip(("refused", "diverging", "fine"), run_here([refused, diverging, fine], store), strict=True))
    assert ends["refused"][1].status == "failed"
    assert "train.batch_size" in ends["refused"][1].reason
    assert ends["diverging"][1].status == "diverged"
    assert "epoch 1" in ends["diverging"][1].reason
    assert ends["fine"] == (fine, Outcome("finished"))
    assert store.outcome(refused) == ends["refused"][1]
    assert store.outcome(diverging) == Outcome("diverged", "diverged in epoch 1")
    assert store.outcome(fine) == Outcome("finished")


@pytest.mark.slow
def test_what_others_need_comes_first(tmp_path: Path) -> None:
    store, teacher = Store(tmp_path), Job(SHORT)
    student = Job(SHORT.but({"train.seed": 1, "loss.teacher_weight": 0.5}), {"loss.teacher": teacher})
    assert run_process(student, store) == Outcome("failed", f"the run {teacher.key} that it needs did not finish")
    ends = [outcome.status for _, outcome in run_here([teacher, student], store)]
    assert ends == ["finished", "finished"]


def test_a_crash_is_tried_again_and_then_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    started = instead(monkeypatch, "raise RuntimeError('cosmic ray')")
    outcome = run_process(Job(SHORT), Store(tmp_path))
    assert outcome == Outcome("failed", "its process crashed: RuntimeError: cosmic ray")
    assert len(started) == 1 + RETRIES


def test_a_process_that_is_killed_before_it_listens(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    started = instead(monkeypatch, "import os; os.close(0); os.kill(os.getpid(), 9)")
    start = local._start

    def late(command, log):
        process = start(command, log)
        process.wait()
        return process

    monkeypatch.setattr(local, "_start", late)
    assert run_process(Job(SHORT), Store(tmp_path)) == Outcome("failed", "its process was killed by signal 9")
    assert len(started) == 1 + RETRIES


def test_a_wish_to_stop_ends_a_process_that_has_hardly_begun(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    started = instead(monkeypatch, "import time; time.sleep(60)")
    assert run_process(Job(SHORT), Store(tmp_path), lambda _job: True) == Outcome("interrupted")
    assert len(started) == 1


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_between_two_runs_is_not_lost(
    number: signal.Signals, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    started = instead(monkeypatch, "pass")
    ends = []
    for _, outcome in run_here([Job(SHORT), Job(DIGITS), Job(DIGITS.but({"train.seed": 5}))], Store(tmp_path)):
        if not ends:
            os.kill(os.getpid(), number)
        ends.append(outcome.status)
    assert ends == ["finished", "interrupted"]
    assert len(started) == 1


@pytest.mark.slow
def test_a_stopped_run_saves_and_goes_on(tmp_path: Path) -> None:
    job = Job(FIRST.recipe.but({"train.epochs": 40}))  # it is looked at twice a second, and must not be done by then
    store, whole = Store(tmp_path / "stopped"), Store(tmp_path / "whole")
    has_begun = store.folder(job) / "last.ckpt"
    [(_, outcome)] = run_here([job], store, lambda _job: has_begun.exists())
    assert outcome == Outcome("interrupted")
    assert store.outcome(job) is None
    for one in (store, whole):
        assert [end for _, end in run_here([job], one)] == [Outcome("finished")]
    assert essence(store, job) == essence(whole, job)


@pytest.mark.slow
def test_a_killed_process_is_started_again_and_goes_on(
    undisturbed: Undisturbed, processes: Processes, tmp_path: Path
) -> None:
    store, killed = Store(tmp_path), []

    def kill(job: Job) -> bool:
        if len(killed) < RETRIES and (store.folder(job) / "last.ckpt").exists():
            for child in processes(store):
                os.kill(child, signal.SIGKILL)
                killed.append(child)
        return False

    assert [end for _, end in run_here([FIRST], store, kill)] == [Outcome("finished")]
    assert len(killed) == RETRIES
    assert essence(store, FIRST) == essence(undisturbed[0], FIRST)


@pytest.mark.slow
def test_a_killed_parent_takes_its_child_along(
    undisturbed: Undisturbed,
    processes: Processes,
    wait_until: Callable[[Callable[[], object]], None],
    start_study: Callable[..., subprocess.Popen[bytes]],
    tmp_path: Path,
) -> None:
    store = Store(tmp_path)
    parent = start_study(store)
    wait_until((store.folder(FIRST) / "last.ckpt").exists)
    assert list(processes(store).values()) == [parent.pid]
    parent.kill()
    parent.wait()
    wait_until(lambda: not processes(store))
    assert store.outcome(FIRST) is None
    assert [end for _, end in run_here([FIRST], store)] == [Outcome("finished")]
    assert essence(store, FIRST) == essence(undisturbed[0], FIRST)


@pytest.mark.slow
def test_two_studies_at_once_do_each_run_once(
    undisturbed: Undisturbed, start_study: Callable[..., subprocess.Popen[bytes]], tmp_path: Path
) -> None:
    store = Store(tmp_path)
    both = [start_study(store), start_study(store)]
    assert [process.wait() for process in both] == [0, 0]
    for job in small_plan().order():
        assert essence(store, job) == essence(undisturbed[0], job)
        assert len((store.folder(job) / "timings.jsonl").read_text().splitlines()) == job.recipe.train.epochs


@pytest.mark.slow
def test_a_study_that_is_killed_ten_times_ends_with_the_same_table(
    undisturbed: Undisturbed,
    processes: Processes,
    wait_until: Callable[[Callable[[], object]], None],
    start_study: Callable[..., subprocess.Popen[bytes]],
    tmp_path: Path,
) -> None:
    """Every other kill follows a new checkpoint; the others fall anywhere from the beginning of a run's process."""
    store, chance = Store(tmp_path), random.Random(7)

    def last_checkpoint() -> int:
        return max((path.stat().st_mtime_ns for path in tmp_path.glob("*/last.ckpt")), default=0)

    for number in range(10):
        before = last_checkpoint()
        study = start_study(store)
        wait_until(lambda: processes(store))
        if number % 2:
            wait_until(lambda before=before: last_checkpoint() != before)
        time.sleep(chance.uniform(0, 0.5 if number % 2 else 2))
        assert study.poll() is None
        study.kill()
        study.wait()
    results = conduct(small_plan(), store, StudyObserver())
    assert what_counts(results) == what_counts(undisturbed[1])
    for job in small_plan().order():
        assert essence(store, job) == essence(undisturbed[0], job)
