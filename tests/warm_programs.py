"""Python programs as forks of a process that has imported what they need, and so are the programs that they start.

The file ``asked.json`` in a request's folder says what is run there: the words after ``python``, and what differs in
the environment. What the program prints is in ``stdout`` and ``stderr`` beside it, and its number in ``pid``.
"""

from __future__ import annotations

import atexit
import ctypes
import gc
import json
import os
import runpy
import signal
import subprocess
import sys
import traceback
import warnings
from collections.abc import Mapping, Sequence
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any, NoReturn

from assay.studies.execution import child

_PR_SET_PDEATHSIG = 1
_do_run = child.main
LIBRARIES = ("assay.api", "assay.cli", "assay.run.benchmark.gauge", "matplotlib.pyplot", "timm", "torchvision")
"""what is imported before"""


def ask(folder: Path, arguments: Sequence[str | Path], environment: Mapping[str, str] | None = None) -> Path:
    """Make the folder of a request."""
    folder.mkdir(parents=True, exist_ok=True)
    asked = {"arguments": [str(word) for word in arguments], "environment": dict(environment or {})}
    (folder / "asked.json").write_text(json.dumps(asked))
    return folder


def is_asked(folder: Path) -> bool:
    """Whether a program is asked for there."""
    return (folder / "asked.json").exists()


def main(folder: Path) -> int:
    """Do what is asked for in the folder, and return the exit status."""
    asked = json.loads((folder / "asked.json").read_text())
    os.environ.update(asked["environment"])
    os.chdir(folder)
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)  # or a test that fails would leave a server behind
    child.main = _do_run  # for the program that forks runs
    subprocess.Popen = _ForkingPopen
    warnings.simplefilter("error")  # as in the tests
    warnings.filterwarnings("ignore", "This DataLoader will create", UserWarning)
    warnings.filterwarnings("ignore", ".*fork", DeprecationWarning)
    (folder / "pid").write_text(str(os.getpid()))
    for number, name in ((1, "stdout"), (2, "stderr")):
        with (folder / name).open("w") as file:
            os.dup2(file.fileno(), number)
    return _status(asked["arguments"])


class _ForkingPopen(subprocess.Popen):
    """Forks a Python program instead of starting a new Python for it."""

    def __init__(self, args: Any, **options: Any) -> None:
        if args[0] == sys.executable:
            words = [word for word in args[1:] if word != "-u"]
            options["preexec_fn"] = partial(_instead, words, options.get("env"), options.get("pass_fds", ()))
        sys.stdout.flush()
        super().__init__(args, **options)


def _instead(arguments: Sequence[str], environment: Mapping[str, str] | None, kept: Sequence[int]) -> NoReturn:
    """Do the work of the program that would now take the place of this process, and end."""
    opened = [int(path.name) for path in Path("/proc/self/fd").iterdir()]
    for number in {*opened} - {0, 1, 2, *kept}:
        with suppress(OSError):  # of the one that has listed them
            os.close(number)  # the parent waits for the end of one of them
    gc.enable()
    warnings.simplefilter("default")
    if environment is not None:
        os.environ.clear()
        os.environ.update(environment)
    status = _status(arguments)
    atexit._run_exitfuncs()
    sys.stdout.flush()
    os._exit(status)


def _status(arguments: Sequence[str]) -> int:
    """The exit status of ``python ARGUMENTS``."""
    is_module = arguments[0] == "-m"
    sys.argv = [*arguments[is_module:]]
    try:
        if is_module:
            runpy.run_module(sys.argv[0], run_name="__main__", alter_sys=True)
        elif arguments[0] == "-c":
            del sys.argv[1]
            exec(arguments[1], {"__name__": "__main__"})
        else:
            sys.path.insert(0, str(Path(sys.argv[0]).parent))
            runpy.run_path(sys.argv[0], run_name="__main__")
    except SystemExit as left:
        if isinstance(left.code, str):
            print(left.code, file=sys.stderr)
        return left.code if isinstance(left.code, int) else int(left.code is not None)
    except BaseException:
        traceback.print_exc()
        return 1
    return 0
