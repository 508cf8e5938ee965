"""Runs on this machine, one process after another."""

from __future__ import annotations

import contextlib
import subprocess
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import IO, cast

from assay.base.signals import StopRequest
from assay.studies.execution.child import DIVERGED, END_OF_RECIPE, FINISHED, INTERRUPTED, REFUSED
from assay.studies.execution.store import Job, Outcome, Store

RETRIES = 2  # of a run whose process died; it goes on from its checkpoint
_TICK_SECONDS = 0.5

Watch = Callable[[Job], bool]
"""Called about twice a second while a job runs; true asks it to stop."""


def never(_job: Job) -> bool:
    """No wish to stop."""
    return False


def run_here(jobs: Iterable[Job], store: Store, watch: Watch = never) -> Iterator[tuple[Job, Outcome]]:
    """Do the jobs one after another, each in a process of its own.

    Args:
        jobs: those that others need stand before them.
        store: takes their run folders and failures.
        watch: is called while a job runs.

    Yields:
        Each job with its outcome, which the store holds by then. A job that fails does not stop the
        others; after one that was interrupted no other begins.
    """
    with StopRequest() as stop:

        def wish(job: Job) -> bool:
            return watch(job) or stop.requested

        for job in jobs:
            outcome = Outcome("interrupted") if stop.requested else run_process(job, store, wish)
            store.note(job, outcome)
            yield job, outcome
            if outcome.status == "interrupted":
                return


def run_process(job: Job, store: Store, watch: Watch = never) -> Outcome:
    """Do one job in a process of its own; where that crashes, go on from the checkpoint, a few times.

    Args:
        job: those that it needs have finished, or it fails.
        store: takes the run folder and the log; the outcome is not noted there.
        watch: is called while it runs; the first true answer makes the process save and end.
    """
    if lacking := unmet(job, store):
        return lacking
    outcome = Outcome("failed", "never started")
    for _ in range(1 + RETRIES):
        status = _process(job, store, watch)
        outcome = _outcome(status, store.log(job))
        if status in (FINISHED, REFUSED, DIVERGED, INTERRUPTED):
            break
    return outcome


def unmet(job: Job, store: Store) -> Outcome | None:
    """The failure of a job whose turn has come while one that it needs has not finished."""
    for first in job.after.values():
        if store.outcome(first) != Outcome("finished"):
            return Outcome("failed", f"the run {first.key} that it needs did not finish")
    return None


def _process(job: Job, store: Store, watch: Watch) -> int:
    """The exit status of the job's process. A wish to stop is passed on once, and the process saves where it stands."""
    store.root.mkdir(parents=True, exist_ok=True)
    store.log(job).touch()  # tells whoever looks that it begins
    command = [sys.executable, "-m", "assay.studies.execution.child", str(store.folder(job))]
    with store.log(job).open("ab") as log, _start(command, log) as process:
        with contextlib.suppress(BrokenPipeError):  # it was killed already
            cast("IO[bytes]", process.stdin).write(f"{store.recipe(job).to_yaml()}{END_OF_RECIPE}".encode())
        told = False
        while (status := _wait(process)) is None:
            if not told and watch(job):
                process.terminate()
                told = True
    return INTERRUPTED if told and status not in (FINISHED, REFUSED, DIVERGED) else status


def _start(command: Sequence[str], log: IO[bytes]) -> subprocess.Popen[bytes]:
    """A process out of reach of the terminal's Ctrl-C, with a standard input that is not buffered."""
    return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=log, stderr=log, start_new_session=True, bufsize=0)


def _wait(process: subprocess.Popen[bytes]) -> int | None:
    try:
        return process.wait(_TICK_SECONDS)
    except subprocess.TimeoutExpired:
        return None


def _outcome(status: int, log: Path) -> Outcome:
    if status == FINISHED:
        return Outcome("finished")
    if status == INTERRUPTED:
        return Outcome("interrupted")
    reason = _last_line(log)
    if status == DIVERGED:
        return Outcome("diverged", reason)
    if status == REFUSED:
        return Outcome("failed", reason)
    died = f"its process was killed by signal {-status}" if status < 0 else f"its process crashed: {reason}"
    return Outcome("failed", died)


def _last_line(log: Path) -> str:
    lines = log.read_text(errors="replace").split("\n")
    return next((line.strip() for line in reversed(lines) if line.strip()), "it said nothing")
