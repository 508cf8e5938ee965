"""Runs on this machine, one process after another."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import nullcontext, suppress
from pathlib import Path

from assay.base.signals import StopRequest
from assay.studies.execution.processes import Start, process_starter
from assay.studies.execution.protocol import DIVERGED, END_OF_RECIPE, FINISHED, INTERRUPTED, REFUSED
from assay.studies.execution.queue import Queue
from assay.studies.execution.store import Job, Outcome, Store

RETRIES = 2  # of a run whose process died; it continues from its checkpoint
_WATCH_SECONDS = 0.5

Watch = Callable[[Job], bool]
"""Called about twice a second while a job runs; true asks it to stop."""


def never(_job: Job) -> bool:
    """Never ask to stop."""
    return False


def run_here(
    jobs: Sequence[Job], store: Store, watch: Watch = never, start: Start | None = None
) -> Iterator[tuple[Job, Outcome]]:
    """Do the jobs one after another, each in a process of its own.

    What other processes do in the same store is left to them: this one takes other jobs meanwhile, and at the end
    waits for theirs, or takes over what they leave undone.

    Args:
        jobs: the runs, each after those that it needs.
        store: takes their run folders and failures.
        watch: is called while a job runs, here or elsewhere.
        start: starts a job's process; by default as `process_starter` says.

    Yields:
        Each job with its outcome, which the store holds by then. A job that fails does not stop the
        others; after one that was interrupted no other begins.
    """
    begin = nullcontext(start) if start else process_starter()
    with StopRequest() as stop, begin as starter, Queue(jobs, store) as queue:

        def wish(job: Job) -> bool:
            return watch(job) or stop.requested

        while queue.left:
            job = _next(queue, wish)
            if job is None:
                yield queue.elsewhere[0], Outcome("interrupted")
                return
            outcome = queue.ended_elsewhere(job)
            if outcome is None:
                outcome = Outcome("interrupted") if stop.requested else run_process(job, store, starter, wish)
                store.note(job, outcome)
            queue.give_back(job)
            yield job, outcome
            if outcome.status == "interrupted":
                return


def _next(queue: Queue, wish: Watch) -> Job | None:
    """The next job; while other processes have all that are left, they are waited for. None on a wish to stop."""
    while (job := queue.take()) is None:
        if any(wish(other) for other in queue.elsewhere):
            return None
        time.sleep(_WATCH_SECONDS)
    return job


def run_process(job: Job, store: Store, start: Start, watch: Watch = never) -> Outcome:
    """Do one job in a process of its own; if that crashes, continue from the checkpoint, a few times.

    Args:
        job: fails if a run that it needs has not finished.
        store: takes the run folder and the log; the outcome is not noted there.
        start: starts the process.
        watch: is called while it runs; the first true answer makes the process save and end.
    """
    if lacking := unmet(job, store):
        return lacking
    outcome = Outcome("failed", "never started")
    for _ in range(1 + RETRIES):
        status = _process(job, store, start, watch)
        outcome = _outcome(status, store.log(job))
        if status in (FINISHED, REFUSED, DIVERGED, INTERRUPTED):
            break
    return outcome


def unmet(job: Job, store: Store) -> Outcome | None:
    """Return the failure of a job that needs a run which has not finished; None if all have."""
    for first in job.after.values():
        if store.outcome(first) != Outcome("finished"):
            return Outcome("failed", f"the run {first.key} that it needs did not finish")
    return None


def _process(job: Job, store: Store, start: Start, watch: Watch) -> int:
    """Return the exit status of the job's process. The first wish to stop is passed on, and the process saves."""
    store.root.mkdir(parents=True, exist_ok=True)
    store.log(job).touch()  # its time tells that the run begins
    with store.log(job).open("ab") as log:
        process = start(store.folder(job), log)
        told = False
        try:
            with suppress(BrokenPipeError):  # the process was killed already
                process.stdin.write(f"{store.recipe(job).to_yaml()}{END_OF_RECIPE}".encode())
            while (status := process.wait(_WATCH_SECONDS)) is None:
                if not told and watch(job):
                    process.terminate()
                    told = True
        finally:
            process.stdin.close()
            process.wait(None)
    return INTERRUPTED if told and status not in (FINISHED, REFUSED, DIVERGED) else status


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
