"""Several processes of one run on this host: started, followed, and ended together."""

from __future__ import annotations

import atexit
import importlib
import os
import select
import signal
import sys
import tempfile
import threading
import time
import traceback
import warnings
from argparse import ArgumentTypeError
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any, NoReturn

MEETING = "ASSAY_MEETING"
"""the environment's variable that says where the processes meet: an address as torch.distributed takes it"""
PATIENCE = "ASSAY_PATIENCE"
"""the environment's variable for the seconds that a process waits for another one that lives"""
_PATIENCE = 600.0
GRACE = 20.0
"""seconds that the other processes have to end by themselves after the first one has"""
SILENCE = 30.0
"""seconds after which a process that gives no sign of life, such as a stopped one, is ended"""
_BEAT = 1.0  # seconds from one sign of life to the next
_INTERRUPTED = 130


@dataclass(frozen=True)
class Devices:
    """What ``--devices`` asks for: how many processes, and the ``train.device`` of all of them, if it is given."""

    count: int
    device: str | None = None

    @classmethod
    def parse(cls, text: str) -> Devices:
        """Read ``2``, ``cpu:2`` or ``cuda:2``; raises what argparse takes for a mistake of the user."""
        device, _, count = text.rpartition(":")
        if device not in ("", "cpu", "cuda") or not count.isdecimal() or not 1 <= int(count) <= 1024:
            raise ArgumentTypeError(f"expected a number of processes, such as 2 or cpu:2, not {text!r}")
        return cls(int(count), device or None)


def process_count() -> int:
    """How many processes train together, by the variables that torchrun sets; 1 without them."""
    given = {name: os.environ.get(name, "") for name in ("RANK", "WORLD_SIZE")}
    if not all(given.values()):
        return 1
    for name, text in given.items():
        if not text.isdecimal():
            raise ValueError(f"{name}: expected a number, not {text!r}; start with torchrun")
    return int(given["WORLD_SIZE"])


def patience() -> timedelta:
    """How long a process waits for the others; one that has ended is noticed at once, this is for one that hangs.

    No sign tells a process that hangs from one whose step takes long, so the user says how long is too long.

    Raises:
        ValueError: the variable holds no number of seconds from 1 to a week.
    """
    text = os.environ.get(PATIENCE, f"{_PATIENCE}")
    try:
        seconds = float(text)
    except ValueError:
        seconds = 0.0
    if not 1 <= seconds <= 604_800:
        raise ValueError(f"{PATIENCE}: expected seconds from 1 to 604800 (a week), such as 60, not {text!r}")
    return timedelta(seconds=seconds)


def on_ranks(count: int, work: Callable[[], int]) -> int:
    """Do the same work in several processes that know of each other, and return the exit status of all.

    Each is a fork of this one, so that nothing is imported twice. A signal that asks this process to end is passed on
    to them, and they end with it, however it ends. Where one fails, the others end too.

    Args:
        count: how many.
        work: what each of them does; returns its exit status.

    Raises:
        ValueError: this system's processes cannot be forked safely, or ``ASSAY_PATIENCE`` is no number of seconds.
    """
    patience()
    if sys.platform != "linux":
        raise ValueError(f"--devices works on Linux alone; here use torchrun --nproc-per-node {count} -m assay train")
    if count == 1:
        return work()
    for name in ("assay.api", "torch._dynamo"):  # which torch's optimizers import at their first step
        importlib.import_module(name)
    with tempfile.TemporaryDirectory(prefix="assay-") as folder, _Requests() as requests:
        reader, writer = os.pipe()  # its end tells the processes that this one has ended
        meeting = {MEETING: f"file://{Path(folder) / 'meeting'}", "WORLD_SIZE": str(count)}
        processes, pulses = {}, _Pulses()
        for rank in range(count):
            own = {**meeting, "RANK": str(rank), "LOCAL_RANK": str(rank), "LOCAL_WORLD_SIZE": str(count)}
            pulse = pulses.add(rank)
            processes[rank] = _fork(work, own, count, reader, writer, pulse)
            os.close(pulse)
        os.close(reader)
        try:
            return _follow(processes, requests, pulses)
        finally:
            os.close(writer)
            pulses.close()


def _fork(
    work: Callable[[], int], variables: Mapping[str, str], count: int, reader: int, writer: int, pulse: int
) -> int:
    """Start a process that does the work; return its number."""
    sys.stdout.flush()
    with warnings.catch_warnings(action="ignore", category=DeprecationWarning):  # Python 3.12: threads and fork
        number = os.fork()
    if number == 0:
        os.close(writer)
        _do(work, variables, count, reader, pulse)
    return number


def _do(work: Callable[[], int], variables: Mapping[str, str], count: int, reader: int, pulse: int) -> NoReturn:
    """Do the work as one of the processes, and end."""
    atexit._clear()  # what the parent has registered is not this process's to clean up
    status = 1  # that of a Python that crashes
    try:
        os.setpgid(0, 0)  # the terminal's Ctrl-C reaches the parent alone, which passes it on once
        for kind, handler in ((signal.SIGINT, signal.default_int_handler), (signal.SIGTERM, signal.SIG_DFL)):
            signal.signal(kind, handler)
        threading.Thread(target=_live_with_parent, args=[reader, pulse], daemon=True).start()
        os.environ.update(variables)
        os.environ.setdefault("GLOO_SOCKET_IFNAME", "lo")
        _share_threads(count)
        status = work()
    except BaseException:
        traceback.print_exc()
    atexit._run_exitfuncs()  # ends the workers that load images, among others
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(status)


def _share_threads(count: int) -> None:
    import torch

    torch.set_num_threads(max(1, torch.get_num_threads() // count))


def _live_with_parent(reader: int, pulse: int) -> None:
    """Give the parent a sign of life again and again; end with it."""
    while not select.select([reader], [], [], _BEAT)[0]:  # it is readable once the parent has closed its end
        with suppress(OSError):  # the parent is ending: this pipe may be closed a moment before the other one
            os.write(pulse, b".")
    os._exit(1)


@dataclass
class _Pulses:
    """The signs of life of this process's children."""

    _pipes: dict[int, int] = field(default_factory=dict)
    _seen: dict[int, float] = field(default_factory=dict)

    def add(self, rank: int) -> int:
        """Return the end of a pipe that a child writes to."""
        self._pipes[rank], pulse = os.pipe()
        os.set_blocking(self._pipes[rank], False)
        self._seen[rank] = time.monotonic()
        return pulse

    def silent(self) -> set[int]:
        """The ranks that have given no sign for too long."""
        for rank, pipe in self._pipes.items():
            with suppress(BlockingIOError):
                os.read(pipe, 65536)  # empty at its end: a process that has ended is no silent one
                self._seen[rank] = time.monotonic()
        return {rank for rank, seen in self._seen.items() if time.monotonic() - seen > SILENCE}

    def close(self) -> None:
        """Close this process's ends."""
        for pipe in self._pipes.values():
            os.close(pipe)


@dataclass
class _Requests:
    """Counts the signals that ask this process to end."""

    count: int = 0
    _before: dict[signal.Signals, Any] = field(default_factory=dict)

    def __enter__(self) -> _Requests:
        if threading.current_thread() is threading.main_thread():
            self._before = {kind: signal.signal(kind, self._note) for kind in (signal.SIGINT, signal.SIGTERM)}
        return self

    def __exit__(self, *_: object) -> None:
        for kind, handler in self._before.items():
            signal.signal(kind, handler)

    def _note(self, *_: object) -> None:
        self.count += 1


def _follow(processes: Mapping[int, int], requests: _Requests, pulses: _Pulses) -> int:
    """Wait until all have ended, see that they do, and return the status of the whole."""
    left, statuses, silent, lost = dict(processes), dict[int, int](), set[int](), ""
    passed_on, deadline = 0, float("inf")
    while left:
        time.sleep(0.02)
        for rank in pulses.silent() & left.keys():
            silent.add(rank)
            _send(signal.SIGKILL, {rank: left[rank]})
        for rank, status in _ended(left):
            statuses[rank] = status
            if deadline < float("inf"):
                continue
            deadline = time.monotonic() + GRACE
            if status < 0:
                how = f"killed by {signal.Signals(-status).name}"
                why = f"ended: it gave no sign of life for {SILENCE:g} seconds" if rank in silent else how
                lost = f"process {rank} of {len(processes)} was {why}"
        if requests.count > passed_on:  # a second one ends them at once
            _send(signal.SIGKILL if passed_on else signal.SIGTERM, left)
            passed_on = requests.count
        if time.monotonic() > deadline:
            _send(signal.SIGKILL, left)
    if lost:
        print("assay: interrupted" if requests.count else f"assay: {lost}", file=sys.stderr)
        return _INTERRUPTED if requests.count else 1
    return next((status for status in (2, _INTERRUPTED, 1) if status in statuses.values()), 0)


def _ended(left: dict[int, int]) -> list[tuple[int, int]]:
    """Take out those that have ended; return their ranks and statuses, negative for a signal."""
    found = []
    for rank, number in tuple(left.items()):
        ended, how = os.waitpid(number, os.WNOHANG)
        if ended:
            del left[rank]
            found.append((rank, os.waitstatus_to_exitcode(how)))
    return found


def _send(kind: signal.Signals, processes: Mapping[int, int]) -> None:
    for number in processes.values():
        os.kill(number, kind)  # not waited for yet, so that the number is still its own
