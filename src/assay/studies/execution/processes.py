"""How a run's process starts: forked from a warm server, or, where that is impossible, as a new Python."""

from __future__ import annotations

import contextlib
import os
import select
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, cast

from assay.studies.execution.protocol import STATUS


@dataclass(frozen=True)
class RunProcess:
    """The process of a run, out of reach of the terminal's Ctrl-C.

    Attributes:
        stdin: takes the recipe; the process ends when it is closed.
        wait: waits up to so many seconds (None: without limit) for the end of the process; returns its exit status,
            the negative number of the signal that killed it, or None while it runs.
        terminate: asks it to save and end.
    """

    stdin: IO[bytes]
    wait: Callable[[float | None], int | None]
    terminate: Callable[[], None]


Start = Callable[[Path, IO[bytes]], RunProcess]
"""Starts the process of the run in that folder; what it prints goes to the log."""


def start_python(
    folder: Path, log: IO[bytes], program: Sequence[str] = ("-m", "assay.studies.execution.child")
) -> RunProcess:
    """Start a new Python, which takes seconds to import what a run needs."""
    process = _popen([*program, str(folder)], log=log, stdin=subprocess.PIPE)

    def wait(seconds: float | None) -> int | None:
        try:
            return process.wait(seconds)
        except subprocess.TimeoutExpired:
            return None

    return RunProcess(cast("IO[bytes]", process.stdin), wait, process.terminate)


class ForkServer:
    """Starts each run's process as a fork of one that has imported what a run needs; called as a `Start`.

    The server starts with the first run. It starts anew where it has died, and where this process's environment
    or working folder have changed, so that a run always sees those of the moment it starts.
    """

    def __init__(self, program: Sequence[str] = ("-m", "assay.studies.execution.fork_server")) -> None:
        self._program = program
        self._server: subprocess.Popen[bytes] | None = None
        self._connection: socket.socket
        self._surroundings: tuple[dict[str, str], Path]

    def __call__(self, folder: Path, log: IO[bytes]) -> RunProcess:
        """Start the process of a run; the one before has ended."""
        server, connection = self._ready(log)
        theirs, ours = os.pipe()
        with contextlib.suppress(OSError):  # the server has just died: wait() tells
            socket.send_fds(connection, [os.fsencode(folder)], [theirs, log.fileno()])
        os.close(theirs)
        status: int | None = None

        def wait(seconds: float | None) -> int | None:
            nonlocal status
            if status is None and select.select([connection], [], [], seconds)[0]:
                answer = _receive(connection)
                status = STATUS.unpack(answer)[0] if answer else server.wait()
            return status

        return RunProcess(os.fdopen(ours, "wb", buffering=0), wait, server.terminate)

    def close(self) -> None:
        """End the server; a later call starts another."""
        if self._server:
            self._connection.close()
            self._server.kill()
            self._server.wait()
            self._server = None

    def _ready(self, log: IO[bytes]) -> tuple[subprocess.Popen[bytes], socket.socket]:
        """Return a server that lives and sees what this process sees."""
        surroundings = dict(os.environ), Path.cwd()
        if self._server and (self._server.poll() is not None or surroundings != self._surroundings):
            self.close()
        if not self._server:
            self._connection, theirs = socket.socketpair()
            with theirs:
                self._server = _popen([*self._program, str(theirs.fileno())], log=log, pass_fds=[theirs.fileno()])
            self._surroundings = surroundings
        return self._server, self._connection


def _receive(connection: socket.socket) -> bytes:
    """Return the server's answer; empty if it has died."""
    try:
        return connection.recv(STATUS.size)
    except ConnectionError:
        return b""


def _popen(
    arguments: Sequence[str], *, log: IO[bytes], stdin: int = subprocess.DEVNULL, pass_fds: Sequence[int] = ()
) -> subprocess.Popen[bytes]:
    """Start Python out of reach of the terminal's Ctrl-C, with a standard input that is not buffered."""
    return subprocess.Popen(
        [sys.executable, *arguments],
        stdin=stdin,
        stdout=log,
        stderr=log,
        start_new_session=True,
        bufsize=0,
        pass_fds=tuple(pass_fds),
    )


_of_this_thread = threading.local()


@contextlib.contextmanager
def process_starter() -> Iterator[Start]:
    """How this thread starts the processes of runs: blocks that are nested share the outermost one's fork server.

    Without Linux a fork is missing (Windows), or system libraries do not survive it (macOS): then by a new Python.
    """
    outer: Start | None = getattr(_of_this_thread, "start", None)
    if outer or sys.platform != "linux":
        yield outer or start_python
        return
    with contextlib.closing(ForkServer()) as server:
        _of_this_thread.start = server
        try:
            yield server
        finally:
            _of_this_thread.start = None


def keep_server() -> None:
    """Let all further blocks of this thread share one fork server, which ends with this process."""
    if sys.platform == "linux" and not getattr(_of_this_thread, "start", None):
        _of_this_thread.start = ForkServer()
