"""Processes of runs: forks of a server give what fresh processes give, see what they see, and leave nothing behind."""

import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from fresh_run import FreshRun

from assay.pages.report import origin
from assay.run.record import RunRecord
from assay.studies.execution.processes import ForkServer, process_starter

SERVER = """
import os, signal, socket, sys, time, types

# In the place of the module that does runs, whose imports take seconds.
child = sys.modules["assay.studies.execution.child"] = types.ModuleType("child")
child.__file__ = "child.py"
from assay.studies.execution import fork_server

def main(folder):
    if folder.name == "tell":
        print(os.environ["TOLD"], os.getcwd(), sys.argv[1], os.getppid(), os.getsid(0) == os.getpid())
    elif folder.name == "crash":
        raise RuntimeError("cosmic ray")
    elif folder.name == "killed":
        os.kill(os.getpid(), signal.SIGKILL)
    elif folder.name == "stopped":
        signal.signal(signal.SIGTERM, lambda *_: os._exit(130))
        print("listening", flush=True)
        time.sleep(600)
    return 3

child.main = main
fork_server._LAZY = ()
fork_server.main(socket.socket(fileno=int(sys.argv[1])))
"""
SCRIPT = """
import os
print("started")
import assay
def pipes():
    files = [os.path.realpath(f"/proc/self/fd/{number}") for number in os.listdir("/proc/self/fd")]
    return sorted(file for file in files if "pipe:[" in file or "socket:[" in file)
before = pipes()
assay.run_study("study.yaml", seeds=1, progress=False)
assert pipes() == before
try:
    os.waitpid(-1, os.WNOHANG)
except ChildProcessError:
    print("no child is left")
"""
STUDY = """
purpose: Does a study's run give what train gives?
base: digits
changes: {train.epochs: 2, train.threads: 1}
design: list
rows: {plain: }
"""

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="runs are forked on Linux only")


@pytest.fixture
def server() -> Iterator[ForkServer]:
    """Forks processes that end in ways of their own."""
    with closing(ForkServer(["-c", SERVER])) as started:
        yield started


def end_of(server: ForkServer, folder: Path) -> int | None:
    """How the process of that folder's name ends; what it prints is in ``log`` beside it."""
    with folder.with_name("log").open("ab") as log:
        process = server(folder, log)
        with process.stdin:
            return process.wait(None)


def test_every_end_is_reported(server: ForkServer, tmp_path: Path) -> None:
    assert end_of(server, tmp_path / "returns") == 3
    assert end_of(server, tmp_path / "crash") == 1
    assert (tmp_path / "log").read_text().splitlines()[-1] == "RuntimeError: cosmic ray"
    assert end_of(server, tmp_path / "killed") == -signal.SIGKILL
    with (tmp_path / "stopped.log").open("ab") as log:
        process = server(tmp_path / "stopped", log)
        while "listening" not in (tmp_path / "stopped.log").read_text():
            assert process.wait(0.05) is None
        process.terminate()
        assert process.wait(None) == 130
        assert process.wait(None) == 130
        process.stdin.close()
    assert end_of(server, tmp_path / "returns") == 3


def test_a_run_sees_the_environment_and_folder_of_the_moment_it_starts(
    server: ForkServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for told in ("one", "one", "two"):
        monkeypatch.setenv("TOLD", told)
        assert end_of(server, tmp_path / "tell") == 3
    lines = [line.rsplit(" ", 2) for line in (tmp_path / "log").read_text().splitlines()]
    assert [line[0] for line in lines] == [f"{told} {tmp_path} {tmp_path}/tell" for told in ("one", "one", "two")]
    servers = [line[1] for line in lines]
    assert servers[0] == servers[1] != servers[2]
    assert [line[2] for line in lines] == ["True"] * 3


def test_blocks_within_another_share_its_server() -> None:
    with process_starter() as outer:
        for _ in range(2):
            with process_starter() as inner:
                assert inner is outer
    with process_starter() as other:
        assert other is not outer


@pytest.mark.slow
@pytest.mark.xdist_group("processes")
def test_the_server_is_fit_to_be_forked_and_lacks_no_import(fresh_run: FreshRun) -> None:
    assert not fresh_run.has_touched_the_gpu
    assert set(fresh_run.threads) <= {"jemalloc_bg_thd"}  # it handles forks itself
    late = {name.partition(".")[0] for name in fresh_run.imported_late}
    assert not late & {"PIL", "pandas", "scipy", "sklearn", "sympy", "tensorboard", "torchvision"}
    assert "torchvision" not in fresh_run.imported_at_first  # or each command would wait for it


@pytest.mark.slow
def test_a_plain_script_gets_the_bytes_that_train_gives_and_is_run_once(tmp_path: Path, finished_run: Path) -> None:
    (tmp_path / "study.yaml").write_text(STUDY)
    (tmp_path / "script.py").write_text(SCRIPT)
    told = subprocess.run([sys.executable, "script.py"], cwd=tmp_path, capture_output=True, text=True, check=True)
    assert told.stdout.splitlines() == ["started", "no child is left"]
    [run] = [path for path in (tmp_path / "studies" / "runs").iterdir() if path.is_dir()]
    for name in ("model.safetensors", "metrics.jsonl"):
        assert (run / name).read_bytes() == (finished_run / name).read_bytes()
    assert origin.is_of_study(RunRecord.read(run))
    assert RunRecord.read(run).environment["command"][1:] == [str(run)]
