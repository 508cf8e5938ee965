"""Of several processes each takes runs that no other has, and a run is free again when its process is gone."""

import subprocess
import sys
from pathlib import Path

import pytest

from assay.recipe.recipe import Recipe
from assay.studies.execution import local
from assay.studies.execution.local import run_here
from assay.studies.execution.processes import RunProcess
from assay.studies.execution.queue import Queue
from assay.studies.execution.store import Job, Outcome, Store

TEACHER, OTHER = Job(Recipe()), Job(Recipe().but({"train.seed": 1}))
STUDENT = Job(Recipe(), {"loss.teacher": TEACHER})
JOBS = [TEACHER, STUDENT, OTHER]


def test_a_job_waits_for_those_that_it_needs(tmp_path: Path) -> None:
    with Queue(JOBS, Store(tmp_path)) as queue:
        assert [queue.take(), queue.take(), queue.take()] == [TEACHER, OTHER, None]
        assert queue.elsewhere == []
        queue.give_back(TEACHER)
        assert queue.take() == STUDENT


def test_each_takes_what_no_other_has(tmp_path: Path) -> None:
    with Queue(JOBS, Store(tmp_path)) as here:
        assert here.take() == TEACHER
        with Queue(JOBS, Store(tmp_path)) as there:
            assert there.take(lambda job: job is not STUDENT) == OTHER
            assert there.elsewhere == [TEACHER]
            assert here.take() is None
            assert here.elsewhere == [OTHER]
        assert here.take() == OTHER


def test_a_reservation_ends_with_its_process(tmp_path: Path) -> None:
    """Also if that is killed, so that it can give nothing back."""
    code = "import fcntl, sys; file = open(sys.argv[1], 'w'); fcntl.flock(file, 2); print('held', flush=True); input()"
    held = Store(tmp_path).folder(OTHER).with_suffix(".reserved")
    with Queue([OTHER], Store(tmp_path)) as queue:
        with subprocess.Popen([sys.executable, "-c", code, str(held)], stdin=-1, stdout=-1) as process:
            assert process.stdout
            assert process.stdout.readline() == b"held\n"
            assert queue.take() is None
            process.kill()
        assert queue.take() == OTHER


def test_what_failed_elsewhere_meanwhile_is_told_apart_from_what_failed_before(tmp_path: Path) -> None:
    store = Store(tmp_path)
    store.note(OTHER, Outcome("failed", "an hour ago"))
    with Queue(JOBS, store) as queue:
        assert queue.ended_elsewhere(OTHER) is None
        assert queue.ended_elsewhere(TEACHER) is None
        failed = Outcome("failed", "just now")
        store.note(TEACHER, failed)
        assert queue.ended_elsewhere(TEACHER) == failed


def test_a_study_here_takes_the_outcomes_of_others_and_takes_over_what_they_leave(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store, done = Store(tmp_path), list[Job]()
    failed, finished = Outcome("failed", "it did not fit into memory"), Outcome("finished")

    def process(job: Job, *_: object) -> Outcome:
        done.append(job)
        return finished

    monkeypatch.setattr(local, "run_process", process)
    monkeypatch.setattr(local, "_WATCH_SECONDS", 0)
    with Queue([TEACHER, OTHER], store) as elsewhere:
        assert [elsewhere.take(), elsewhere.take()] == [TEACHER, OTHER]
        last = Job(Recipe().but({"train.seed": 2}))
        watched: list[Job] = []

        def watch(job: Job) -> bool:
            if not watched:  # the one ends, the other is given up
                store.note(TEACHER, failed)
                elsewhere.give_back(TEACHER)
                elsewhere.give_back(OTHER)
            watched.append(job)
            return False

        ends = list(run_here([TEACHER, OTHER, last], store, watch, no_process))
    assert ends == [(last, finished), (TEACHER, failed), (OTHER, finished)]
    assert done == [last, OTHER]
    assert watched == [TEACHER, OTHER]


def test_who_only_waits_for_others_can_be_stopped(tmp_path: Path) -> None:
    with Queue([OTHER], Store(tmp_path)) as elsewhere:
        assert elsewhere.take() == OTHER
        assert list(run_here([OTHER], Store(tmp_path), lambda _job: True, no_process)) == [
            (OTHER, Outcome("interrupted"))
        ]


def no_process(*_: object) -> RunProcess:
    """A start that must not be used."""
    raise AssertionError
