"""Do one run of a study's ``runs.jsonl`` again, and compare it with what stands there."""

from __future__ import annotations

import math
import random
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from numpy.typing import NDArray

from assay.studies.collect import measured
from assay.studies.conduct import Execute, InterruptedStudyError
from assay.studies.execution.code_version import code_version
from assay.studies.execution.ended import EndedRun
from assay.studies.execution.local import never, run_here
from assay.studies.execution.store import Job, Store
from assay.studies.folder import read_plan
from assay.studies.plan import Plan
from assay.studies.prior import prior_deviation
from assay.studies.runs_file import RUNS_FILE, read_runs

POINTS = 3 * math.sqrt(2) * prior_deviation()
"""how far two runs of one recipe that round differently may be apart, in percentage points: as two seeds may"""
LOSS = 0.01
"""relative difference that the first epoch's mean loss may have, before rounding has grown"""


@dataclass(frozen=True)
class Verification:
    """A run that was done again.

    Attributes:
        row: a row that it is of.
        seed: its seed.
        key: its key.
        is_same_machine: whether processor, accelerator, threads and type of number are those of the first time.
        differences: in what it differs by more than is allowed, a line each: on the same kind of machine by anything.
    """

    row: str
    seed: int
    key: str
    is_same_machine: bool
    differences: tuple[str, ...]


def verify_run(folder: str | Path, *, draw: int = 0, execute: Execute = run_here) -> Verification:
    """Do one run again, drawn at random, and compare it with its line.

    On the same kind of machine it has to agree to the bit: figures of all epochs, and every answer. Elsewhere sums
    round otherwise, and a training amplifies that: there the first epoch's loss may differ by 1 %, and the accuracy
    by as much as that of another seed.

    Args:
        folder: holds the study's ``study.json`` and ``runs.jsonl``.
        draw: seed of the drawing.
        execute: does the run.

    Raises:
        ValueError: there is no run of this version of the code, or it cannot be done here.
        InterruptedStudyError: a signal arrived.
    """
    plan, runs = read_plan(Path(folder)), read_runs(Path(folder))
    job = random.Random(draw).choice(_candidates(Path(folder), plan, runs))
    again = _repeated(job, execute)
    row = next(name for name, jobs in plan.jobs.items() if any(one.key == job.key for one in jobs.values()))
    before = runs[job.key]
    is_same = _kind(before) == _kind(again)
    differences = tuple(_exactly(before, again) if is_same else _roughly(before, again))
    return Verification(row, job.recipe.train.seed, job.key, is_same, differences)


def _candidates(folder: Path, plan: Plan, runs: dict[str, EndedRun]) -> list[Job]:
    """The plan's runs that the file tells of and that today's code has done, by key."""
    jobs = {job.key: job for jobs in plan.jobs.values() for job in jobs.values()}
    found = {key: job for key, job in sorted(jobs.items()) if key in runs and runs[key].code == code_version()}
    if not found:
        commits = sorted({str(run.environment["commit"]) for run in runs.values() if run.environment.get("commit")})
        there = f"check out commit {' or '.join(commits)}" if commits else "its commit is not known"
        raise ValueError(f"{folder / RUNS_FILE}: none of its {len(runs)} runs is of this version of the code; {there}")
    return list(found.values())


def _repeated(job: Job, execute: Execute) -> EndedRun:
    """Do the run again, after those that it needs."""
    with TemporaryDirectory() as place:
        store = Store(Path(place))
        for one, outcome in execute([*map(_here, job.after.values()), _here(job)], store, never):
            if outcome.status == "interrupted":
                raise InterruptedStudyError("stopped; the run was not done again")
            if outcome.status == "failed":
                raise ValueError(f"run {one.key} could not be done again: {outcome.reason}")
        again = store.ended(job)
        assert again is not None
        return replace(again, traces=store.traces(job))


def _here(job: Job) -> Job:
    """The job, with the images where they lay or, where no such folder is, where this machine keeps its own."""
    root = job.recipe.data.root
    if root is None or root.expanduser().is_dir():
        return job
    return replace(job, recipe=job.recipe.but({"data.root": None}))


def _kind(run: EndedRun) -> tuple[object, ...]:
    about = run.environment
    names = ("processor", "accelerator", "threads", "precision")
    return (str(about.get("device")).split(":")[0], *(about.get(name) for name in names))


def _exactly(before: EndedRun, again: EndedRun) -> Iterator[str]:
    if before.status != again.status:
        yield f"it {again.status}, and {before.status} before"
    if len(before.epochs) != len(again.epochs):
        yield f"{len(again.epochs)} epochs, {len(before.epochs)} before"
    for old, new in zip(before.epochs, again.epochs, strict=False):
        for name in sorted(old.keys() | new.keys()):
            if old.get(name) != new.get(name):
                yield f"epoch {old['epoch']}: {name} {new.get(name)}, {old.get(name)} before"
    if before.answers and again.answers:
        yield from _other_answers(before.answers.correct, again.answers.correct)
    if before.traces and again.traces:
        for name, was in vars(before.traces).items():
            if not np.array_equal(was, getattr(again.traces, name), equal_nan=True):
                yield f"what the probe wrote: other {name.replace('_', ' ')}"


def _other_answers(before: NDArray[np.bool_], again: NDArray[np.bool_]) -> Iterator[str]:
    if len(before) != len(again):
        yield f"{len(again)} test images, {len(before)} before"
    elif changed := int((before != again).sum()):
        yield f"{changed} of {len(again)} answers, right where they were wrong or wrong where they were right"


def _roughly(before: EndedRun, again: EndedRun) -> Iterator[str]:
    if before.status != again.status:
        yield f"it {again.status}, and {before.status} before"
        return
    old, new = (run.epochs[0]["train_loss"] if run.epochs else None for run in (before, again))
    if old is None or new is None or abs(new - old) > LOSS * abs(old):
        yield f"the first epoch's loss is {new}, {old} before: more than {LOSS:.0%} apart"
    if before.status == "finished":
        was, now = (100 * float(measured(run.summary, "test")["accuracy"]) for run in (before, again))
        if abs(now - was) > POINTS:
            yield f"accuracy {now:.2f} %, {was:.2f} % before: more than {POINTS:.1f} points apart"
