"""`assay serve` as a process: it says where it is, answers, and ends."""

import errno
import os
import signal
import socket
import urllib.request
from pathlib import Path

import pytest

from assay.cli import main
from assay.pages.server import serve as serving
from killing import Warm
from warm_programs import ask


@pytest.mark.slow
@pytest.mark.xdist_group("programs")  # one worker starts the warm one
def test_it_answers_until_it_is_interrupted(tmp_path: Path, warm_runs: Warm) -> None:
    (tmp_path / "runs").mkdir()
    asked = ask(tmp_path / "asked", ["-m", "assay", "serve", tmp_path / "runs", "--port", "0"])
    with (tmp_path / "log").open("wb") as log:
        process = warm_runs(asked, log)
    with process.stdin:
        while not (asked / "stdout").exists() or "\n" not in (asked / "stdout").read_text():
            assert process.wait(0.05) is None, (asked / "stderr").read_text()
        address = (asked / "stdout").read_text().split()[0]
        assert address.startswith("http://127.0.0.1:")
        with urllib.request.urlopen(f"{address}/api/runs") as answer:
            assert answer.read() == b"[]"
            assert "server" not in answer.headers
        os.kill(int((asked / "pid").read_text()), signal.SIGINT)
        assert process.wait(60) == 130
    assert (asked / "stderr").read_text() == "assay: interrupted\n"


def test_a_taken_port_is_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        assert main(["serve", str(tmp_path), "--port", str(port)]) == 2
    reason = f"{os.strerror(errno.EADDRINUSE)}; choose another --host or --port"
    assert capsys.readouterr().err == f"assay: cannot listen on 127.0.0.1, port {port}: {reason}\n"


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["nowhere"], "nowhere: no such folder of runs"),
        (["--port", "65536"], "--port: 65536 is not from 0 to 65535"),
        (["--port", "-1"], "--port: -1 is not from 0 to 65535"),
        (["--host", "no such host"], "cannot listen on no such host"),
    ],
)
def test_bad_input_is_one_line(
    arguments: list[str],
    words: str,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    folder = [] if arguments[0] == "nowhere" else [str(tmp_path)]
    assert main(["serve", *folder, *arguments]) == 2
    error = capsys.readouterr().err
    assert error.startswith(f"assay: {words}")
    assert len(error.splitlines()) == 1


@pytest.mark.parametrize(("host", "warned"), [("127.0.0.1", False), ("localhost", False), ("0.0.0.0", True)])
def test_another_host_than_this_machine_is_warned_of(
    host: str, warned: bool, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    listened: list[str] = []

    def serve(_folder: Path, listener: socket.socket, given: str, _ready: object) -> None:
        listener.close()
        listened.append(given)

    monkeypatch.setattr(serving, "serve", serve)
    assert main(["serve", str(tmp_path), "--host", host, "--port", "0"]) == 0
    assert listened == [host]
    errors = capsys.readouterr().err.splitlines()
    assert [line.startswith("assay: warning: whoever reaches 0.0.0.0") for line in errors] == [True] * warned


def test_the_address_is_one_that_a_browser_takes() -> None:
    with serving.listen("0.0.0.0", 0) as listener:
        assert serving.address(listener).startswith("http://localhost:")
    with serving.listen("localhost", 0) as listener:
        assert serving.address(listener).startswith(("http://127.0.0.1:", "http://[::1]:"))
