"""Runs on a Ray cluster: one task each, which Ray places and tries again."""

from __future__ import annotations

import contextlib
import sys
import uuid
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from assay.base.signals import StopRequest
from assay.studies.execution.code_version import code_version
from assay.studies.execution.local import Watch, never
from assay.studies.execution.queue import Queue
from assay.studies.execution.ray_connection import connected
from assay.studies.execution.ray_share import Room, Share, check_room
from assay.studies.execution.ray_task import Driver
from assay.studies.execution.ray_tasks import Done, Tasks
from assay.studies.execution.store import Job, Store

_TICK_SECONDS = 0.5


def _say(line: str) -> None:
    print(line, file=sys.stderr)


@dataclass(frozen=True)
class Ray:
    """Does jobs on Ray; called as `execution.local.run_here` is.

    Each run gets the share that its recipe needs: at least `cpus`, more where it has more threads or decoding
    processes; and `gpus`, unless its device is the CPU.

    Attributes:
        address: of a cluster, or ``auto`` for the one of this machine; None starts Ray here for the time of
            the jobs. Where this process is connected to Ray already, that connection is used and kept.
        cpus: the fewest CPUs that Ray sets aside for a run, above 0.
        gpus: GPUs of each run on a GPU, at least 0: whole ones, or a part of one; a run with none sees none.
        retries: how often a run is tried again whose worker or host is lost; it goes on from its checkpoint.
        autoscaling: the cluster adds machines: a run that none has room for waits for one and is not refused.
        say: takes a line on what is waited for.

    Raises:
        ValueError: Ray is not installed, or a number is out of its range.
    """

    address: str | None = None
    cpus: float = 1
    gpus: float = 0
    retries: int = 3
    autoscaling: bool = False
    say: Callable[[str], None] = _say

    def __post_init__(self) -> None:
        Share(self.cpus, self.gpus)  # checks them
        if self.retries < 0:
            raise ValueError(f"retries of a run on Ray: {self.retries} is too few")

    def __call__(self, jobs: Sequence[Job], store: Store, watch: Watch = never) -> Iterator[Done]:
        """Do the jobs, as many at once as the cluster has room for.

        What other processes do in the same store is left to them, as `run_here` does.

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
            ValueError: a recipe that leaves ``train.threads`` open, or asks for a GPU where `gpus` is 0; `gpus` that no
                recipe takes; no Ray at the address; a run for which no machine has room, without `autoscaling`.
        """
        shares = self._shares(jobs)
        return self._do(jobs, shares, store, watch) if jobs else iter(())

    def ready(self, jobs: Sequence[Job]) -> contextlib.AbstractContextManager[None]:
        """A connection to Ray, which has room for each of the jobs; a call within it uses this one.

        Raises:
            ValueError: as a call does, but before anything is written.
        """
        return self.with_room(set(self._shares(jobs).values()))

    @contextlib.contextmanager
    def with_room(self, shares: Iterable[Share]) -> Iterator[None]:
        """A connection to Ray; raises ``ValueError`` if there is none, or no machine has room for one of the shares."""
        with connected(self.address):
            if not self.autoscaling:
                check_room(shares)
            yield

    def _shares(self, jobs: Sequence[Job]) -> dict[str, Share]:
        shares = {job.key: Share(self.cpus, self.gpus).of(job.recipe) for job in jobs}
        if self.gpus and shares and not any(share.gpus for share in shares.values()):
            raise ValueError(f"gpus of a run on Ray: {self.gpus:g}, and all runs have train.device cpu; state cuda")
        return shares

    def _do(self, jobs: Sequence[Job], shares: Mapping[str, Share], store: Store, watch: Watch) -> Iterator[Done]:
        with self.ready(jobs), _driver(store) as driver, StopRequest() as stop, Queue(jobs, store) as queue:
            tasks = Tasks(queue, store, driver, shares, self.retries)
            room = Room(self.autoscaling, self.say)
            try:
                while (queue.left or tasks.pending) and not stop.requested:
                    yield from tasks.submit(room)
                    yield from tasks.ended(1, _TICK_SECONDS)
                    yield from tasks.look(watch)
                yield from tasks.wind_up()
            finally:
                tasks.kill()


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
