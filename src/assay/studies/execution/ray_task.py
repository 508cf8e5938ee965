"""What a Ray worker does: one run, in a process of its own, so that a crash stays with the run.

Whether a worker sees the driver's store is found out by a file with a name that nobody else can have: where
it is there, the worker writes into the store; elsewhere it works in its user's cache folder, and the run
folder comes back with the result.
"""

from __future__ import annotations

import contextlib
import signal
import socket
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from assay.data.cache import cache_folder
from assay.studies.execution.code_version import code_version
from assay.studies.execution.local import run_process
from assay.studies.execution.parcel import Parcel, pack, unpack
from assay.studies.execution.processes import process_starter
from assay.studies.execution.store import Job, Outcome, Store


@dataclass(frozen=True)
class Driver:
    """What a worker has to know of the process that asks.

    Attributes:
        root: of its store.
        mark: name of the file by which the store is recognised.
        code: its version.
    """

    root: Path
    mark: str
    code: str


@dataclass(frozen=True)
class Returned:
    """What comes back from a task: with the run's folder and log where the driver does not see them."""

    outcome: Outcome
    parcel: Parcel = field(default_factory=dict)
    log: bytes = b""


def do_job(job: Job, driver: Driver, *firsts: Parcel) -> Returned:
    """The task: the job's run, in the driver's store or, on a host that does not see it, in one of its own.

    ``firsts`` are the folders of the runs that it needs.
    """
    if code_version() != driver.code:
        reason = f"host {socket.gethostname()} has another version of assay or its libraries"
        return Returned(Outcome("failed", reason))
    shares = (driver.root / driver.mark).exists()
    store = Store(driver.root if shares else cache_folder() / "execution")
    if not shares:
        for first, parcel in zip(job.after.values(), firsts, strict=True):
            unpack(parcel, store.folder(first))
    with _cancelled() as is_cancelled, process_starter() as start:
        outcome = run_process(job, store, start, lambda _job: is_cancelled())
    if shares:
        return Returned(outcome)
    parcel = pack(store.folder(job)) if outcome.status in ("finished", "diverged") else {}
    return Returned(outcome, parcel, store.log(job).read_bytes() if store.log(job).exists() else b"")


@contextlib.contextmanager
def _cancelled() -> Iterator[Callable[[], bool]]:
    """Whether Ray has cancelled the task, which it does by an interrupt.

    SIGTERM is left to Ray: the worker ends, its run's process with it, and another worker takes the task.
    """
    asked = threading.Event()
    before = signal.signal(signal.SIGINT, lambda *_: asked.set())
    try:
        yield asked.is_set
    finally:
        signal.signal(signal.SIGINT, before)
