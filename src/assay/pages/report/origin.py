"""What made a run: a command line, or a study that ran it in a process of its own."""

from __future__ import annotations

import shlex
from pathlib import PurePosixPath

from assay.run.record import RunRecord

# Ends of the path of the program, as a run's env.json has it. The records of every version must be recognised: its
# studies have their child process in src/assay/execution or in src/assay/studies/execution.
_COMMAND_LINE = ("/assay/cli.py", "/assay/__main__.py")
_STUDY = ("/execution/child.py", "/workers/default_worker.py")  # on this machine, and on Ray


def is_of_study(record: RunRecord) -> bool:
    """Return whether a study started the run, in a process of its own."""
    return _program(record).endswith(_STUDY)


def command(record: RunRecord) -> str:
    """Return the command line that made the run, quoted for a shell; empty if it is unknown or a study's process."""
    if is_of_study(record):
        return ""
    given = [str(part) for part in record.environment.get("command") or []]
    program = _program(record)
    is_assay = program.endswith(_COMMAND_LINE) or PurePosixPath(program).stem == "assay"
    return shlex.join(["assay", *given[1:]] if is_assay else given)


def _program(record: RunRecord) -> str:
    """Return the path of the program that made the run, with ``/`` at its beginning and between its parts."""
    given = record.environment.get("command") or [""]
    return "/" + str(given[0]).replace("\\", "/")
