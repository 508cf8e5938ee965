"""Who does the work of a search: this process, or the workers of a Ray cluster."""

from __future__ import annotations

from collections.abc import Callable, Generator
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from functools import partial
from typing import Any

from assay.base.signals import StopRequest
from assay.studies.conduct import Execute
from assay.studies.execution.local import run_here
from assay.studies.execution.on_ray import Ray
from assay.studies.execution.processes import process_starter
from assay.studies.execution.ray_connection import remote
from assay.studies.execution.ray_share import Share
from assay.studies.search.trials import TrialEnd

Trial = Callable[[], TrialEnd]
Repeat = Callable[[Trial, int], Generator[TrialEnd, None, None]]
"""Calls a function that does a trial a number of times, and yields what the calls return."""


def one_by_one(trial: Trial, times: int) -> Generator[TrialEnd, None, None]:
    """Do trials in this process, one after another; none begins after a signal to stop."""
    with StopRequest() as stop, process_starter():  # all trials share a fork server
        for _ in range(times):
            yield trial()
            if stop.requested:
                yield TrialEnd("stopped", "a signal arrived")
                return


@dataclass(frozen=True)
class Workers:
    """Who does the work of a search; by default this machine does all of it, one run after another.

    Attributes:
        repeat: does trials; ``one_by_one``, or one that shares them among machines.
        execute: does the run of a trial, on the machine that does the trial.
        confirm: does the runs with fresh seeds.
        ready: a connection to the machines, before anything is written; raises ``ValueError`` if they cannot do a run.
    """

    repeat: Repeat = one_by_one
    execute: Execute = run_here
    confirm: Execute = run_here
    ready: Callable[[], AbstractContextManager[None]] = nullcontext


def on_ray(address: str | None = None, cpus: float = 1, gpus: float = 0, *, autoscaling: bool = False) -> Workers:
    """Return the workers of a Ray cluster; all its machines must see the storage and the run folders.

    Args:
        address: of the cluster; by default Ray starts on this machine alone.
        cpus: of one run, above 0.
        gpus: of one run, at least 0: whole ones, or a part of one.
        autoscaling: the cluster adds machines: a trial that none has room for waits for one and is not refused.

    Raises:
        ValueError: Ray is not installed, or a number is out of its range.
    """
    share, runs = Share(cpus, gpus), Ray(address, cpus, gpus, autoscaling=autoscaling)
    ready = partial(runs.with_room, [share])

    def repeat(trial: Trial, times: int) -> Generator[TrialEnd, None, None]:
        import ray  # an extra of the package, and slow to import

        with ready():
            # A lost worker's trial is put back by the others, so Ray must not repeat the task too.
            task = remote(trial, share, retries=0)
            pending = [task.remote() for _ in range(times)]
            try:
                while pending:
                    [done], pending = ray.wait(pending)
                    yield _fetch(done)
            finally:  # the caller has closed the generator, or a trial raised
                for left in pending:
                    ray.cancel(left)

    return Workers(repeat=repeat, confirm=runs, ready=ready)


def _fetch(done: Any) -> TrialEnd:
    """Return what the call returned, or a failure if Ray lost its process; raise what the call raised."""
    import ray
    from ray.exceptions import RayError, RayTaskError

    try:
        end: TrialEnd = ray.get(done)
    except RayTaskError as error:
        raise error.cause from None  # without Ray's own traceback
    except RayError as error:
        return TrialEnd("failed", f"Ray lost its process: {' '.join(str(error).split())}")
    return end
