"""Runs on a Ray cluster: one task each, which Ray places, orders and tries again."""

from __future__ import annotations

import contextlib
import uuid
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from assay.base.signals import StopRequest
from assay.recipe.recipe import Recipe
from assay.studies.execution.code_version import code_version
from assay.studies.execution.local import Watch, never, unmet
from assay.studies.execution.parcel import pack, unpack
from assay.studies.execution.ray_connection import check_share, connected, remote
from assay.studies.execution.ray_task import Driver, Returned, do_job
from assay.studies.execution.store import Job, Outcome, Store, job_with_full_paths

if TYPE_CHECKING:
    from ray import ObjectRef

_TICK_SECONDS = 0.5
_SAVE_SECONDS = 60  # that the running processes have to save when all is to stop

Done = tuple[Job, Outcome]


@dataclass(frozen=True)
class Ray:
    """Does jobs on Ray; called as `execution.local.run_here` is.

    Attributes:
        address: of a cluster, or ``auto`` for the one of this machine; None starts Ray here for the time of
            the jobs. Where this process is connected to Ray already, that connection is used and kept.
        cpus: CPUs that Ray sets aside for each run, above 0.
        gpus: GPUs of each run, at least 0; a run with none sees none.
        retries: how often a run is tried again whose worker or host is lost; it goes on from its checkpoint.

    Raises:
        ValueError: Ray is not installed, or a number is out of its range.
    """

    address: str | None = None
    cpus: float = 1
    gpus: float = 0
    retries: int = 3

    def __post_init__(self) -> None:
        check_share(self.cpus, self.gpus)
        if self.retries < 0:
            raise ValueError(f"retries of a run on Ray: {self.retries} is too few")

    def __call__(self, jobs: Sequence[Job], store: Store, watch: Watch = never) -> Iterator[Done]:
        """Do the jobs, as many at once as the cluster has room for.

        Args:
            jobs: those that others need stand before them. Each states ``train.threads``: what Ray or a host
                would choose differs from place to place, and with it the rounding.
            store: takes their run folders and failures.
            watch: is called twice a second for each job that has begun on a host that shares the store.

        Returns:
            Each job with its outcome as it ends, which the store holds by then. One that fails, or that
            ``watch`` stops, does not stop the others; after SIGINT or SIGTERM the running ones save, and the
            interrupted ones come last.

        Raises:
            ValueError: a recipe that leaves ``train.threads`` open, or asks for more threads or another device than a
                run's share has; no Ray at the address; a local Ray too small for a run.
        """
        for job in jobs:
            self._check(job.recipe)
        return self._do(jobs, store, watch) if jobs else iter(())

    def _check(self, recipe: Recipe) -> None:
        """Refuse what would be computed otherwise than the run's key says, or by more than its share."""
        threads, device = recipe.train.threads, recipe.train.device
        if threads is None:
            raise ValueError("train.threads: a run on Ray has to state it, or its rounding depends on the host")
        if threads > max(1, self.cpus):
            raise ValueError(f"train.threads: {threads}, for a run with {self.cpus:g} CPUs on Ray; state no more")
        if device != "auto" and (device != "cpu") != (self.gpus > 0):
            expected = "cuda" if self.gpus else "cpu"
            raise ValueError(f"train.device: {device}, for a run with {self.gpus:g} GPUs on Ray; state {expected}")

    def _do(self, jobs: Sequence[Job], store: Store, watch: Watch) -> Iterator[Done]:
        import ray

        pending: dict[ObjectRef[Returned], Job] = {}
        with connected(self.address, self.cpus, self.gpus), _driver(store) as driver, StopRequest() as stop:
            before = {job.key: _touched(store.log(job)) for job in jobs}
            try:
                pending |= self._submit(jobs, store, driver)
                while pending and not stop.requested:
                    yield from _ended(pending, store, 1, _TICK_SECONDS)
                    for ref, job in pending.items():
                        if _touched(store.log(job)) != before[job.key] and watch(job):
                            ray.cancel(ref)
                yield from _wind_up(pending, store)
            finally:
                for ref in pending:
                    ray.cancel(ref, force=True)

    def _submit(self, jobs: Sequence[Job], store: Store, driver: Driver) -> dict[ObjectRef[Returned], Job]:
        """A task for each job; the results of those that it needs are its arguments, so Ray brings them in order."""
        import ray

        task = remote(do_job, self.cpus, self.gpus, retries=self.retries)
        needed = {first.key: first for job in jobs for first in job.after.values()}
        to_do = {job.key for job in jobs}
        refs = {key: ray.put(_found(first, store)) for key, first in needed.items() if key not in to_do}
        for job in jobs:
            firsts = [refs[first.key] for first in job.after.values()]
            refs[job.key] = task.remote(job_with_full_paths(job), driver, job.key in needed, *firsts)
        return {refs[job.key]: job for job in jobs}


def _found(job: Job, store: Store) -> Returned:
    """What a task would have given for a job that was done before."""
    return Returned(store.outcome(job) or Outcome("interrupted"), pack(store.folder(job)))


@contextlib.contextmanager
def _driver(store: Store) -> Iterator[Driver]:
    """Leave a mark in the store that only a host with the same folder can see."""
    root = store.root.absolute()
    root.mkdir(parents=True, exist_ok=True)
    mark = root / f".driver-{uuid.uuid4().hex}"
    mark.touch()
    try:
        yield Driver(root, mark.name, code_version())
    finally:
        mark.unlink(missing_ok=True)


def _touched(log: Path) -> int | None:
    return log.stat().st_mtime_ns if log.exists() else None


def _ended(pending: dict[ObjectRef[Returned], Job], store: Store, count: int, seconds: float) -> Iterator[Done]:
    """The next jobs that end, up to ``count`` in that time; the store has them, and they are pending no more."""
    import ray

    ended, _ = ray.wait(list(pending), num_returns=count, timeout=seconds)
    for ref in ended:
        job = pending.pop(ref)
        outcome = _receive(ref, job, store)
        store.note(job, outcome)
        yield job, outcome


def _receive(ref: ObjectRef[Returned], job: Job, store: Store) -> Outcome:
    import ray
    from ray.exceptions import RayError, RayTaskError, TaskCancelledError

    try:
        result = ray.get(ref)
    except TaskCancelledError:
        return Outcome("interrupted")
    except RayError as error:
        found = store.outcome(job)
        if found and found.status in ("finished", "diverged"):  # the worker died after the end of the run
            return found
        if lacking := unmet(job, store):
            return lacking
        lines = [line.strip() for line in str(error).splitlines() if line.strip()]
        return Outcome("failed", f"Ray gave up: {lines[-1 if isinstance(error, RayTaskError) else 0]}")
    if result.log:
        store.log(job).write_bytes(result.log)
    unpack(result.parcel, store.folder(job))
    return result.outcome


def _wind_up(pending: dict[ObjectRef[Returned], Job], store: Store) -> Iterator[Done]:
    """Let what runs save where it stands; what has finished meanwhile comes first, so that it is not lost."""
    import ray

    if not pending:
        return
    for ref in pending:
        ray.cancel(ref)
    ended = list(_ended(pending, store, len(pending), _SAVE_SECONDS))
    ended += [(job, Outcome("interrupted")) for job in pending.values()]
    yield from sorted(ended, key=lambda done: done[1].status == "interrupted")
