"""The tasks that Ray has of a study: handed over as there is room, received, cancelled."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from assay.studies.execution.local import Watch, unmet
from assay.studies.execution.parcel import Parcel, pack, unpack
from assay.studies.execution.queue import Queue
from assay.studies.execution.ray_connection import remote
from assay.studies.execution.ray_share import Room, Share, machines
from assay.studies.execution.ray_task import Driver, Returned, do_job
from assay.studies.execution.store import Job, Outcome, Store, job_with_full_paths

if TYPE_CHECKING:
    from ray import ObjectRef

_SAVE_SECONDS = 60  # that the running processes have to save when all is to stop

Done = tuple[Job, Outcome]


class Tasks:
    """What Ray does of a queue's jobs; each method that yields jobs leaves their outcomes in the store.

    Args:
        queue: of the jobs; one is reserved as long as Ray has its task.
        store: of their runs.
        driver: what the workers have to know.
        shares: of a machine, for each job's key.
        retries: how often Ray tries a task again whose worker is lost.
    """

    def __init__(self, queue: Queue, store: Store, driver: Driver, shares: Mapping[str, Share], retries: int) -> None:
        self.pending: dict[ObjectRef[Returned], Job] = {}
        self._queue, self._store, self._driver = queue, store, driver
        self._shares, self._retries = shares, retries
        self._firsts: dict[str, ObjectRef[Parcel]] = {}
        self._before = {job.key: _touched(store.log(job)) for job in queue.left}

    def submit(self, room: Room) -> Iterator[Done]:
        """Hand over as many jobs as there is room for; yields those that ended elsewhere or cannot run."""
        have = machines()
        running = Counter(self._shares[job.key] for job in self.pending.values())

        def fits(job: Job) -> bool:
            share = self._shares[job.key]
            return running[share] < most[share]

        most = {share: room.most(share, have) for share in {self._shares[job.key] for job in self._queue.left}}
        while job := self._queue.take(fits):
            outcome = self._queue.ended_elsewhere(job) or unmet(job, self._store)
            if outcome:
                yield self._settled(job, outcome)
            else:
                running[self._shares[job.key]] += 1
                self._hand_over(job)

    def _hand_over(self, job: Job) -> None:
        import ray

        for first in job.after.values():  # a host that does not see the store gets their folders with the task
            if first.key not in self._firsts:
                self._firsts[first.key] = ray.put(pack(self._store.folder(first)))
        firsts = [self._firsts[first.key] for first in job.after.values()]
        task = remote(do_job, self._shares[job.key], retries=self._retries)
        self.pending[task.remote(job_with_full_paths(job), self._driver, *firsts)] = job

    def _settled(self, job: Job, outcome: Outcome) -> Done:
        self._store.note(job, outcome)
        self._queue.give_back(job)
        return job, outcome

    def ended(self, count: int, seconds: float) -> Iterator[Done]:
        """The next jobs that end, up to ``count`` in that time."""
        import ray

        if not self.pending:
            time.sleep(seconds)
            return
        refs, _ = ray.wait(list(self.pending), num_returns=count, timeout=seconds)
        for ref in refs:
            job = self.pending.pop(ref)
            yield self._settled(job, _receive(ref, job, self._store))

    def look(self, watch: Watch) -> Iterator[Done]:
        """Let ``watch`` see the jobs that have begun, here or elsewhere, and stop those that it asks to stop."""
        import ray

        for ref, job in self.pending.items():
            if _touched(self._store.log(job)) != self._before[job.key] and watch(job):
                ray.cancel(ref)
        for job in self._queue.elsewhere:
            if watch(job):
                self._queue.left.remove(job)
                yield job, Outcome("interrupted")

    def wind_up(self) -> Iterator[Done]:
        """Let what runs save where it stands; what has finished meanwhile comes first, so that it is not lost."""
        import ray

        for ref in self.pending:
            ray.cancel(ref)
        ended = list(self.ended(len(self.pending), _SAVE_SECONDS)) if self.pending else []
        ended += [(job, Outcome("interrupted")) for job in (*self.pending.values(), *self._queue.left)]
        yield from sorted(ended, key=lambda done: done[1].status == "interrupted")

    def kill(self) -> None:
        """End what Ray still has, at once."""
        import ray

        for ref in self.pending:
            ray.cancel(ref, force=True)


def _touched(log: Path) -> int | None:
    return log.stat().st_mtime_ns if log.exists() else None


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
        lines = [line.strip() for line in str(error).splitlines() if line.strip()]
        return Outcome("failed", f"Ray gave up: {lines[-1 if isinstance(error, RayTaskError) else 0]}")
    if result.log:
        store.log(job).write_bytes(result.log)
    unpack(result.parcel, store.folder(job))
    return result.outcome
