"""Conducting a study: its rows are checked, its missing runs are done, and its results are collected."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import cache

import torch

from assay.base.text import quoted
from assay.data.load import Data
from assay.data.preprocess import Wanted
from assay.recipe.data_section import DataSection
from assay.run.batches import open_data
from assay.run.build import check_recipe
from assay.studies.collect import collect
from assay.studies.execution.local import Watch, run_here
from assay.studies.execution.store import DAMAGED, Job, Outcome, Store
from assay.studies.plan import Plan
from assay.studies.results import StudyResults

Execute = Callable[[Sequence[Job], Store, Watch], Iterator[tuple[Job, Outcome]]]
"""Does jobs, of which preparatory runs come first, and yields each with its outcome; ``run_here`` is one."""


class StudyObserver:
    """Follows a study without changing it. Every method does nothing; a subclass overrides those that it needs."""

    def start(self, plan: Plan, store: Store, todo: Sequence[Job]) -> None:
        """The study begins; ``todo`` are its missing runs."""

    def watch(self, job: Job) -> bool:  # noqa: ARG002 - for subclasses
        """Return whether the job should stop; called about twice a second while it runs."""
        return False

    def done(self, job: Job, outcome: Outcome) -> None:
        """A job has ended."""

    def stop(self) -> None:
        """The study has ended, or failed, or was interrupted."""


class InterruptedStudyError(Exception):
    """A signal stopped the study; all finished runs are kept."""


def check_rows(plan: Plan, store: Store) -> None:
    """Open the images of every row that has no run yet, and check that its components fit together.

    So a mistake in the last row is reported at once, and not after the hours that the rows before it take.

    Raises:
        ValueError: names the first row that cannot run, and why.
    """

    @cache  # rows mostly share their images
    def images(section: DataSection, *, has_weights: bool) -> Data:
        # Weights bring a size and channels, but are not loaded for a check: any values stand for theirs.
        wanted = Wanted(size=32, channels=len(section.mean) if section.mean else 3) if has_weights else Wanted()
        return open_data(section, torch.device("cpu"), wanted)

    for name, jobs in plan.jobs.items():
        job = next(iter(jobs.values()))
        if job.after or any(store.known(one) for one in jobs.values()):
            continue  # a row after a preparatory run cannot be built before that run is done
        try:
            check_recipe(job.recipe, images(job.recipe.data, has_weights=bool(job.recipe.model.pretrained)))
        except ValueError as error:
            raise ValueError(f"study {plan.study.name}, row {quoted(name)}: {error}") from None
        except (NotImplementedError, RuntimeError):
            continue  # a network from a library that cannot be built on torch's meta device: its run will tell


def conduct(plan: Plan, store: Store, observer: StudyObserver, execute: Execute = run_here) -> StudyResults:
    """Do the missing runs of a study. Failed ones are tried again; diverged ones are not, as they would diverge again.

    Raises:
        InterruptedStudyError: SIGINT or SIGTERM arrived.
    """
    missing = [job for jobs in plan.jobs.values() for job in jobs.values() if _is_missing(job, store.known(job), store)]
    wanted = {job.key for job in missing}
    # A preparatory run is needed here, with its weights: a line that tells of it is not enough.
    needed = {first.key: first for job in missing for first in job.after.values()}
    wanted |= {key for key, first in needed.items() if _is_missing(first, store.outcome(first), store)}
    todo = [job for job in plan.order() if job.key in wanted]
    observer.start(plan, store, todo)
    try:
        for job, outcome in execute(todo, store, observer.watch):
            observer.done(job, outcome)
            if outcome.status == "interrupted":
                raise InterruptedStudyError(f"stopped; {plan.study.name} goes on where it is with the same command")
    finally:
        observer.stop()
    return collect(plan, store)


def _is_missing(job: Job, outcome: Outcome | None, store: Store) -> bool:
    """Whether the job has no outcome or failed; a damaged record is moved aside, so that the run can begin anew."""
    if outcome and outcome.status == "failed" and outcome.reason.startswith(DAMAGED):
        store.set_aside(job)
    return outcome is None or outcome.status == "failed"
