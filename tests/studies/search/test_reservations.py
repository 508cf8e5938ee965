"""Who is taken for dead: the trial of such a process is repeated."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from assay.studies.search.reservations import _is_alive


def test_a_process_is_alive_until_it_ends() -> None:
    assert _is_alive(os.getpid())
    process = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    assert _is_alive(process.pid)
    process.kill()
    process.communicate()
    assert not _is_alive(process.pid)


@pytest.mark.skipif(sys.platform != "linux", reason="only there the state can be read")
def test_a_process_that_has_ended_is_dead_before_its_parent_asks() -> None:
    process = subprocess.Popen([sys.executable, "-c", ""])
    os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)  # until it has ended, without asking for its status
    os.kill(process.pid, 0)  # its number is still there
    assert not _is_alive(process.pid)
    process.wait()
