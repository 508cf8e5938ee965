"""A process for each run: however one ends, the others go on, and what is killed goes on where it was."""

import os
import signal
import subprocess
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import IO

import pytest
from small_study import DIGITS, SHORT, essence, small_plan, what_counts

from assay.studies.conduct import StudyObserver, conduct
from assay.studies.execution.local import RETRIES, run_here, run_process
from assay.studies.execution.processes import RunProcess, Start, start_python
from assay.studies.execution.store import Job, Outcome, Store
from assay.studies.results import StudyResults
from killing import Warm, is_midway, kills_of

Undisturbed = tuple[Store, StudyResults]
Processes = Callable[..., dict[int, int]]
JOBS = small_plan().order()
FIRST = JOBS[0]
pytestmark = pytest.mark.xdist_group("processes")  # one worker starts the warm ones


def instead(code: str, started: list[RunProcess] | None = None) -> Start:
    """Starts a process that executes this instead of a run; the list grows with each."""

    def start(folder: Path, log: IO[bytes]) -> RunProcess:
        process = start_python(folder, log, ["-c", code])
        if started is not None:
            started.append(process)
        return process

    return start


def kill(store: Store, job: Job, *lines: str) -> None:
    """Tell the processes of a run where to die."""
    kills_of(store.folder(job)).write_text("\n".join(lines))


def test_every_end_is_told_apart_and_none_stops_the_others(start: Warm, tmp_path: Path) -> None:
    store = Store(tmp_path / "runs")
    refused = Job(SHORT.but({"train.batch_size": 5000}))
    diverging = Job(SHORT.but({"optim.lr": 100.0, "optim.weight_decay": 1.0, "train.batch_size": 100}))
    fine = Job(SHORT)
    done = run_here([refused, diverging, fine], store, start=start)
    ends = dict(zip(("refused", "diverging", "fine"), done, strict=True))
    assert ends["refused"][1].status == "failed"
    assert "train.batch_size" in ends["refused"][1].reason
    assert ends["diverging"][1].status == "diverged"
    assert "epoch 1" in ends["diverging"][1].reason
    assert ends["fine"] == (fine, Outcome("finished"))
    assert store.outcome(refused) == ends["refused"][1]
    assert store.outcome(diverging) == Outcome("diverged", "diverged in epoch 1")
    assert store.outcome(fine) == Outcome("finished")


def test_what_others_need_comes_first(start: Warm, tmp_path: Path) -> None:
    store, teacher = Store(tmp_path), Job(SHORT)
    student = Job(SHORT.but({"train.seed": 1, "loss.teacher_weight": 0.5}), {"loss.teacher": teacher})
    lacking = Outcome("failed", f"the run {teacher.key} that it needs did not finish")
    assert run_process(student, store, start) == lacking
    ends = [outcome.status for _, outcome in run_here([teacher, student], store, start=start)]
    assert ends == ["finished", "finished"]


def test_a_crash_is_tried_again_and_then_told(tmp_path: Path) -> None:
    started: list[RunProcess] = []
    outcome = run_process(Job(SHORT), Store(tmp_path), instead("raise RuntimeError('cosmic ray')", started))
    assert outcome == Outcome("failed", "its process crashed: RuntimeError: cosmic ray")
    assert len(started) == 1 + RETRIES


def test_a_process_that_is_killed_before_it_listens(tmp_path: Path) -> None:
    started: list[RunProcess] = []
    start = instead("import os; os.close(0); os.kill(os.getpid(), 9)", started)

    def late(folder: Path, log: IO[bytes]) -> RunProcess:
        process = start(folder, log)
        process.wait(None)
        return process

    assert run_process(Job(SHORT), Store(tmp_path), late) == Outcome("failed", "its process was killed by signal 9")
    assert len(started) == 1 + RETRIES


def test_a_wish_to_stop_ends_a_process_that_has_hardly_begun(tmp_path: Path) -> None:
    started: list[RunProcess] = []
    start = instead("import time; time.sleep(60)", started)
    assert run_process(Job(SHORT), Store(tmp_path), start, lambda _job: True) == Outcome("interrupted")
    assert len(started) == 1


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_between_two_runs_is_not_lost(number: signal.Signals, tmp_path: Path) -> None:
    started: list[RunProcess] = []
    jobs, ends = [Job(SHORT), Job(DIGITS), Job(DIGITS.but({"train.seed": 5}))], []
    for _, outcome in run_here(jobs, Store(tmp_path), start=instead("pass", started)):
        if not ends:
            os.kill(os.getpid(), number)
        ends.append(outcome.status)
    assert ends == ["finished", "interrupted"]
    assert len(started) == 1


@pytest.mark.slow
def test_a_stopped_run_saves_and_goes_on(start: Warm, tmp_path: Path) -> None:
    job = Job(FIRST.recipe.but({"train.epochs": 10}))  # it is looked at twice a second, and must not be done by then
    store, whole = Store(tmp_path / "stopped"), Store(tmp_path / "whole")
    has_begun = store.folder(job) / "last.ckpt"
    [(_, outcome)] = run_here([job], store, lambda _job: has_begun.exists(), start)
    assert outcome == Outcome("interrupted")
    assert store.outcome(job) is None
    assert is_midway(store.folder(job))
    for one in (store, whole):
        assert [end for _, end in run_here([job], one, start=start)] == [Outcome("finished")]
    assert essence(store, job) == essence(whole, job)


def test_a_killed_process_is_started_again_and_goes_on(undisturbed: Undisturbed, start: Warm, tmp_path: Path) -> None:
    store = Store(tmp_path)
    kill(store, FIRST, "step 30", "write 50")
    assert run_process(FIRST, store, start) == Outcome("finished")
    assert start.ends == [-signal.SIGKILL, -signal.SIGKILL, 0]
    assert essence(store, FIRST) == essence(undisturbed[0], FIRST)


def test_a_process_that_is_killed_again_and_again_is_given_up(start: Warm, tmp_path: Path) -> None:
    store = Store(tmp_path)
    kill(store, FIRST, *["step 3"] * (1 + RETRIES))
    assert run_process(FIRST, store, start) == Outcome("failed", "its process was killed by signal 9")
    assert start.ends == [-signal.SIGKILL] * (1 + RETRIES)
    assert is_midway(store.folder(FIRST))


@pytest.mark.slow
def test_a_killed_server_takes_its_child_along_and_another_goes_on(
    undisturbed: Undisturbed, start: Warm, tmp_path: Path
) -> None:
    store = Store(tmp_path)
    kill(store, FIRST, "parent 30")
    assert run_process(FIRST, store, start) == Outcome("finished")
    assert start.ends == [-signal.SIGKILL, 0]
    assert essence(store, FIRST) == essence(undisturbed[0], FIRST)


@pytest.mark.slow
def test_a_killed_parent_takes_server_and_child_along(
    undisturbed: Undisturbed,
    start: Warm,
    processes: Processes,
    writers: Processes,
    wait_until: Callable[[Callable[[], object]], None],
    start_study: Callable[..., subprocess.Popen[bytes]],
    tmp_path: Path,
) -> None:
    store = Store(tmp_path)
    parent = start_study(store)
    wait_until((store.folder(FIRST) / "last.ckpt").exists)
    assert list(processes(store).values()) == [parent.pid]
    assert len(writers(store)) == 2
    parent.kill()
    parent.wait()
    assert is_midway(store.folder(FIRST))
    wait_until(lambda: not writers(store))
    assert store.outcome(FIRST) is None
    assert run_process(FIRST, store, start) == Outcome("finished")
    assert essence(store, FIRST) == essence(undisturbed[0], FIRST)


@pytest.mark.slow
def test_two_studies_at_once_do_different_runs_and_each_once(
    undisturbed: Undisturbed,
    start: Warm,
    warm_studies: Warm,
    wait_until: Callable[[Callable[[], object]], None],
    tmp_path: Path,
) -> None:
    store = Store(tmp_path / "runs")
    with (tmp_path / "log").open("wb") as log:
        other = warm_studies(store.root, log)
    wait_until(store.log(FIRST).exists)
    results = conduct(small_plan(), store, StudyObserver(), partial(run_here, start=start))
    with other.stdin:
        assert other.wait(None) == 0
    assert 0 < len(start.ends) < len(JOBS)  # of the processes that this one has started
    assert what_counts(results) == what_counts(undisturbed[1])
    for job in JOBS:
        assert essence(store, job) == essence(undisturbed[0], job)
        assert len((store.folder(job) / "timings.jsonl").read_text().splitlines()) == job.recipe.train.epochs


@pytest.mark.slow
def test_a_study_that_is_killed_ten_times_ends_with_the_same_table(
    undisturbed: Undisturbed, warm_studies: Warm, tmp_path: Path
) -> None:
    """Its process is killed in the middle of each run, and runs die too, also while they write their checkpoint."""
    store = Store(tmp_path / "runs")
    store.root.mkdir()
    plans = (("parent 1", "parent 30", "write 40"), ("parent 70",), ("write 9", "parent 2", "parent 3"), ("parent 50",))
    for job, lines in zip(JOBS, plans, strict=True):
        kill(store, job, *lines, *["parent 4"] * (job is JOBS[3]) * 4)
    for _ in range(10):
        assert warm_studies.do(store.root) == -signal.SIGKILL
        assert any(is_midway(store.folder(job)) for job in JOBS)
    assert warm_studies.do(store.root) == 0
    assert not any(kills_of(store.folder(job)).read_text() for job in JOBS)
    results = conduct(small_plan(), store, StudyObserver())
    assert what_counts(results) == what_counts(undisturbed[1])
    for job in JOBS:
        assert essence(store, job) == essence(undisturbed[0], job)
