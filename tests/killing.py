"""Runs and studies that are killed at a chosen step, in processes forked from one that is warm.

A file ``KEY.kills`` beside a run folder tells the processes that do this run where to die, one line each:
``step 7`` sends SIGKILL to itself at its seventh step, ``write 7`` before its seventh file is safe on the disk, and
``parent 7`` to its parent at its seventh step; then it waits for its own end, which has to follow.

As a program, this is a fork server: ``killing.py run SOCKET`` for runs and for `warm_programs`, ``killing.py study
SOCKET`` for processes that conduct the small study in a store and fork their runs themselves.
"""

from __future__ import annotations

import importlib
import os
import signal
import socket
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import chdir, contextmanager
from functools import partial
from pathlib import Path
from typing import IO
from unittest.mock import patch

import warm_programs
from assay.recipe.recipe import Recipe, read_recipe
from assay.run.folder import RunFolder
from assay.run.observer import Observer
from assay.run.record import RunRecord
from assay.run.run import run
from assay.studies.execution import child, fork_server
from assay.studies.execution.child import END_OF_RECIPE
from assay.studies.execution.processes import ForkServer, RunProcess
from assay.training.loop import Step


def kills_of(folder: Path) -> Path:
    """The file that tells a run's processes where to die."""
    return folder.with_suffix(".kills")


def is_midway(folder: Path) -> bool:
    """Whether a run stands between its first step and its end."""
    files = RunFolder(folder)
    has_begun = files.recipe.exists() and not files.summary.exists()
    return has_begun and len(files.metrics.rows()) < read_recipe(files.recipe).train.epochs


class Warm:
    """Starts processes as a `ForkServer` does, whichever test asks, and keeps how they ended.

    What differs between tests is no reason for a new server: the environment stays as it was at first.
    """

    def __init__(self, program: Sequence[str], cache: Path) -> None:
        self.ends: list[int] = []
        self.server = ForkServer(program)
        self._environment = {**os.environ, "ASSAY_CACHE": str(cache)}
        self._environment.pop("PYTEST_CURRENT_TEST", None)
        self._place = Path.cwd()

    def __call__(self, folder: Path, log: IO[bytes]) -> RunProcess:
        """Start the process of a run, or of the study in a store."""
        with patch.dict(os.environ, self._environment, clear=True), chdir(self._place):
            process = self.server(folder, log)

        def wait(seconds: float | None) -> int | None:
            status = process.wait(seconds)
            if status is not None and not ended:
                ended.append(status)
                self.ends.append(status)
            return status

        ended: list[int] = []
        return RunProcess(process.stdin, wait, process.terminate)

    def do(self, folder: Path, recipe: Recipe | None = None, *, seconds: float | None = None) -> int:
        """The exit status of one process, which ends within this time."""
        with folder.with_suffix(".out").open("ab") as log:
            process = self(folder, log)
            with process.stdin:
                if recipe:
                    process.stdin.write(f"{recipe.to_yaml()}{END_OF_RECIPE}".encode())
                status = process.wait(seconds)
        assert status is not None, f"it works after {seconds} seconds"
        return status


@contextmanager
def warm(cache: Path, *program: str) -> Iterator[Warm]:
    """A fork server of a program: its file, and what it is given before the socket."""
    starter = Warm(program, cache)
    try:
        yield starter
    finally:
        starter.server.close()


class _KillAt(Observer):
    def __init__(self, steps: int, kill: Callable[[], None]) -> None:
        self.left, self.kill = steps, kill

    def step(self, step: Step) -> None:  # noqa: ARG002 - the interface
        self.left -= 1
        if self.left == 0:
            self.kill()


def _kill_self() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def _kill_parent() -> None:
    os.kill(os.getppid(), signal.SIGKILL)
    time.sleep(600)


def _run(recipe: Recipe, folder: Path, *, resume: bool) -> RunRecord:
    kills = kills_of(folder)
    lines = kills.read_text().splitlines() if kills.exists() else []
    if not lines:
        return run(recipe, folder, resume=resume)
    kills.write_text("\n".join(lines[1:]))
    kind, number = lines[0].split()
    if kind == "write":
        os.fsync = _kill_at_write(int(number))
        return run(recipe, folder, resume=resume)
    kill = _kill_self if kind == "step" else _kill_parent
    return run(recipe, folder, resume=resume, observers=[_KillAt(int(number), kill)])


def _kill_at_write(number: int) -> Callable[[int], None]:
    fsync, left = os.fsync, [number]

    def count(file: int) -> None:
        left[0] -= 1
        if left[0] == 0:
            _kill_self()
        fsync(file)

    return count


def _fork(folder: Path, log: IO[bytes]) -> RunProcess:
    """Start a run as a fork of this process itself, which is warm and has no threads."""
    theirs, ours = os.pipe()
    number = os.fork()
    if number == 0:
        os.close(ours)
        fork_server.do_run(folder, theirs, log.fileno())
    os.close(theirs)
    status: list[int] = []

    def wait(seconds: float | None) -> int | None:
        end = time.monotonic() + (600 if seconds is None else seconds)
        while not status and time.monotonic() < end:
            ended, how = os.waitpid(number, os.WNOHANG)
            status.extend([os.waitstatus_to_exitcode(how)] * bool(ended))
            time.sleep(0.005)
        return status[0] if status else None

    return RunProcess(os.fdopen(ours, "wb", buffering=0), wait, lambda: os.kill(number, signal.SIGTERM))


def _conduct(root: Path) -> int:
    """Conduct the small study as a process of its own does."""
    child.main = _do_run
    conduct(small_plan(), Store(root), StudyObserver(), partial(run_here, start=_fork))
    return 0


def _do_asked(folder: Path) -> int:
    return warm_programs.main(folder) if warm_programs.is_asked(folder) else _do_run(folder)


if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).parent / "studies" / "execution"))
    from small_study import small_plan

    from assay.studies.conduct import StudyObserver, conduct
    from assay.studies.execution.local import run_here
    from assay.studies.execution.store import Store

    _do_run = child.main
    child.run = _run
    if sys.argv[1] == "study":
        child.main = _conduct
    else:
        child.main = _do_asked
        for library in warm_programs.LIBRARIES:
            importlib.import_module(library)
    fork_server.main(socket.socket(fileno=int(sys.argv[2])))
