"""What an undisturbed study gives, and the processes that work on a store."""

import contextlib
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import pytest
import small_study
from fresh_run import FreshRun, do_fresh_run

import killing
from assay.studies.conduct import StudyObserver, conduct
from assay.studies.execution.local import run_here
from assay.studies.execution.store import Job, Store
from assay.studies.results import StudyResults
from killing import Warm, warm


@pytest.fixture(scope="session")
def warm_studies(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Warm]:
    """Starts processes that conduct the small study in a store, in no time."""
    with warm(tmp_path_factory.mktemp("cache"), killing.__file__, "study") as starter:
        yield starter


@pytest.fixture
def start(warm_runs: Warm) -> Warm:
    """The same; it knows of the ends in this test only."""
    warm_runs.ends.clear()
    return warm_runs


@pytest.fixture(scope="session")
def undisturbed(warm_runs: Warm, tmp_path_factory: pytest.TempPathFactory) -> tuple[Store, StudyResults]:
    """The small study's store and results."""
    store = Store(tmp_path_factory.mktemp("undisturbed"))
    return store, conduct(small_study.small_plan(), store, StudyObserver(), partial(run_here, start=warm_runs))


@pytest.fixture(scope="session")
def fresh_run(tmp_path_factory: pytest.TempPathFactory) -> FreshRun:
    """What a run imports in a process that has imported nothing else."""
    return do_fresh_run(tmp_path_factory.mktemp("fresh") / "run")


def _parents() -> dict[int, int]:
    """The parent of each process; from /proc, as a `ps` for each look would cost more than what is waited for."""
    parents = {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):  # it has just ended
            parents[int(stat.parent.name)] = int(stat.read_text().rpartition(")")[2].split()[1])
    return parents


def _log_of(pid: int) -> Path | None:
    """Where a process's standard output goes."""
    try:
        return Path(f"/proc/{pid}/fd/1").readlink()
    except OSError:
        return None


def _is_server(pid: int) -> bool:
    try:
        return b"fork_server" in Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return False


def writers_of(store: Store) -> dict[int, Path]:
    """The processes that write to logs of a store, and the log of each."""
    logs = {pid: _log_of(pid) for pid in _parents()}
    return {pid: log for pid, log in logs.items() if log and log.parent == store.root.absolute()}


@pytest.fixture
def writers() -> Callable[[Store], dict[int, Path]]:
    """A function that finds the processes of a store's runs, with the fork servers that they come from."""
    return writers_of


@pytest.fixture
def processes() -> Callable[..., dict[int, int]]:
    """A function that finds the processes of a store's runs, or of one: their numbers, and those of who asked.

    They are forks of a server, whose parent has asked.
    """

    def find(store: Store, job: Job | None = None) -> dict[int, int]:
        parents, logs = _parents(), writers_of(store)
        children = [pid for pid in logs if job is None or logs[pid] == store.log(job)]
        servers = {pid: parents[pid] for pid in children if pid in parents and _is_server(parents[pid])}
        return {pid: parents[server] for pid, server in servers.items() if server in parents}

    return find


@pytest.fixture
def wait_until() -> Callable[[Callable[[], object]], None]:
    """A function that waits until something is true, at most ten minutes."""

    def wait(is_so: Callable[[], object]) -> None:
        end = time.monotonic() + 600
        while not is_so():
            assert time.monotonic() < end, "it never came"
            time.sleep(0.05)

    return wait


@pytest.fixture
def start_study() -> Iterator[Callable[..., subprocess.Popen[bytes]]]:
    """A function that starts a process that conducts the small study in a store; it ends with the test."""
    started: list[subprocess.Popen[bytes]] = []

    def start(store: Store, *where: str) -> subprocess.Popen[bytes]:
        command = [sys.executable, str(Path(small_study.__file__)), str(store.root), *where]
        environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
        started.append(subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=environment))
        return started[-1]

    yield start
    for process in started:
        process.kill()
        process.wait()
