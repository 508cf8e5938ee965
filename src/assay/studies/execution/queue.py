"""The runs that are left to do, and which process takes which: several that conduct one study take different ones.

A process reserves a run by a lock on a file beside the run's folder. The operating system ends the lock with the
process, and a network file system with the process's host: nothing is left over of one that is killed.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from types import TracebackType
from typing import Self

from filelock import FileLock, Timeout

from assay.studies.execution.store import Job, Outcome, Store


class Queue:
    """Jobs in the order in which they are taken; as a context it gives back at its end what it holds.

    Args:
        jobs: each after those that it needs.
        store: has their run folders, beside which they are reserved.

    Attributes:
        left: the jobs that have not been taken.
        elsewhere: those among them that another process had when `take` was last called.
    """

    def __init__(self, jobs: Sequence[Job], store: Store) -> None:
        self.left = list(jobs)
        self.elsewhere: list[Job] = []
        self._store = store
        self._failed_before = {job.key: store.failed_at(job) for job in jobs}
        self._held: dict[str, FileLock] = {}

    def take(self, fits: Callable[[Job], bool] = lambda _job: True) -> Job | None:
        """Reserve the next job that fits and waits for none; None where there is none that no other process has."""
        self.elsewhere = []
        waited_for = {job.key for job in self.left} | self._held.keys()
        for job in self.left:
            if not fits(job) or any(first.key in waited_for for first in job.after.values()):
                continue
            if self._reserve(job):
                self.left.remove(job)
                return job
            self.elsewhere.append(job)
        return None

    def _reserve(self, job: Job) -> bool:
        folder = self._store.folder(job)
        folder.parent.mkdir(parents=True, exist_ok=True)
        lock = FileLock(folder.with_suffix(".reserved"))
        try:
            lock.acquire(blocking=False)
        except Timeout:
            return False
        self._held[job.key] = lock
        return True

    def ended_elsewhere(self, job: Job) -> Outcome | None:
        """How another process has ended the job since this queue began; None where it has not."""
        outcome = self._store.outcome(job)
        if outcome and outcome.status == "failed" and self._store.failed_at(job) == self._failed_before[job.key]:
            return None  # it failed before, and is tried again
        return outcome

    def give_back(self, job: Job) -> None:
        """End the job's reservation."""
        self._held.pop(job.key).release()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for lock in self._held.values():
            lock.release()
        self._held.clear()
