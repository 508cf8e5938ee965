"""Doing a study: the runs that are missing, whatever happens to one of them; a report of where it stands."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Protocol

from assay.studies.collect import collect
from assay.studies.execution.local import Watch, run_here
from assay.studies.execution.store import DAMAGED, Job, Outcome, Store
from assay.studies.plan import Plan
from assay.studies.results import StudyResults

Execute = Callable[[Sequence[Job], Store, Watch], Iterator[tuple[Job, Outcome]]]
"""Does jobs, those that others need first, and yields each with its outcome; `execution.local.run_here` is one."""


class View(Protocol):
    """Is told how a study goes."""

    def start(self, plan: Plan, store: Store, todo: Sequence[Job]) -> None:
        """The study begins; ``todo`` is left to do of it."""

    def watch(self, job: Job) -> bool:
        """A job is running, as it has for half a second; true asks to stop it."""

    def done(self, job: Job, outcome: Outcome) -> None:
        """A job has ended."""

    def stop(self) -> None:
        """The study has ended, however it did."""


class Silence:
    """Shows nothing."""

    def start(self, plan: Plan, store: Store, todo: Sequence[Job]) -> None:
        """Nothing."""

    def watch(self, job: Job) -> bool:  # noqa: ARG002 - whichever it is
        """Never asks to stop."""
        return False

    def done(self, job: Job, outcome: Outcome) -> None:
        """Nothing."""

    def stop(self) -> None:
        """Nothing."""


class InterruptedStudyError(Exception):
    """The study was stopped by a signal; all that was done is kept."""


def conduct(plan: Plan, store: Store, view: View, execute: Execute = run_here) -> StudyResults:
    """Do the runs of a study that are not done yet. Failed ones are tried again; diverged ones would diverge again.

    Args:
        plan: the study's runs.
        store: where finished runs are found, and the others go.
        view: is told of the progress.
        execute: does the runs.

    Returns:
        What all its runs gave; those that failed with their reasons.

    Raises:
        InterruptedStudyError: SIGINT or SIGTERM arrived.
    """
    todo = [job for job in plan.order() if _is_missing(job, store)]
    view.start(plan, store, todo)
    try:
        for job, outcome in execute(todo, store, view.watch):
            view.done(job, outcome)
            if outcome.status == "interrupted":
                raise InterruptedStudyError(f"stopped; {plan.study.name} goes on where it is with the same command")
    finally:
        view.stop()
    return collect(plan, store)


def _is_missing(job: Job, store: Store) -> bool:
    """Not done, or not done well; what is left of a damaged record is kept beside."""
    outcome = store.outcome(job)
    if outcome and outcome.status == "failed" and outcome.reason.startswith(DAMAGED):
        store.set_aside(job)
    return outcome is None or outcome.status == "failed"
