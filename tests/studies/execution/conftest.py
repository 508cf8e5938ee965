"""What an undisturbed study gives, and the processes that work on a store."""

import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import small_study

from assay.studies.conduct import StudyObserver, conduct
from assay.studies.execution.store import Job, Store
from assay.studies.results import StudyResults


@pytest.fixture(scope="session")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> tuple[Store, StudyResults]:
    """The small study's store and results."""
    store = Store(tmp_path_factory.mktemp("undisturbed"))
    return store, conduct(small_study.small_plan(), store, StudyObserver())


@pytest.fixture
def processes() -> Callable[..., dict[int, int]]:
    """A function that finds the processes of a store's runs, or of one: their numbers, and those of their parents."""

    def find(store: Store, job: Job | None = None) -> dict[int, int]:
        listing = subprocess.run(["ps", "-axwwo", "pid=,ppid=,args="], capture_output=True, text=True, check=True)
        lines = [line.split(maxsplit=2) for line in listing.stdout.splitlines()]
        wanted = f"assay.studies.execution.child {store.folder(job) if job else store.root.absolute()}"
        return {int(pid): int(parent) for pid, parent, command in lines if wanted in command}

    return find


@pytest.fixture
def wait_until() -> Callable[[Callable[[], object]], None]:
    """A function that waits until something is true, at most ten minutes."""

    def wait(is_so: Callable[[], object]) -> None:
        end = time.monotonic() + 600
        while not is_so():
            assert time.monotonic() < end, "it never came"
            time.sleep(0.02)

    return wait


@pytest.fixture
def start_study() -> Iterator[Callable[..., subprocess.Popen[bytes]]]:
    """A function that starts a process that conducts the small study in a store; it ends with the test."""
    started: list[subprocess.Popen[bytes]] = []

    def start(store: Store, where: str = "here") -> subprocess.Popen[bytes]:
        command = [sys.executable, str(Path(small_study.__file__)), str(store.root), where]
        started.append(subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL))
        return started[-1]

    yield start
    for process in started:
        process.kill()
        process.wait()
