"""A process that has imported what a run needs, and forks a child for each run: ``python -m ... SOCKET``.

``multiprocessing`` has a fork server too, but its children import the caller's main module again: a script that
calls ``assay.run_study()`` without ``if __name__ == "__main__"`` would start itself for each run.

For each run, a message with the run folder arrives on the socket, with two open files: the child's standard input, and
its log. The answer is its exit status, or the negative number of the signal that killed it. SIGTERM is passed on to
the child. The server ends when the other end of the socket is closed, which a parent that is killed does too.
"""

from __future__ import annotations

import atexit
import gc
import importlib
import os
import signal
import socket
import sys
import traceback
import warnings
from pathlib import Path
from typing import NoReturn

from assay.studies.execution import child
from assay.studies.execution.protocol import STATUS

_LAZY = (
    "PIL.BmpImagePlugin",
    "PIL.GifImagePlugin",
    "PIL.JpegImagePlugin",
    "PIL.PngImagePlugin",
    "PIL.PpmImagePlugin",
    "assay.run.tracking.tensorboard",
    "safetensors.numpy",
    "tensorboard.plugins.hparams.metadata",
    "torch._dynamo",  # torch's optimizers import it at their first step, though nothing is compiled: 1 to 2 seconds
    "torch.utils.flop_counter",
    "torch.utils.serialization",
)
"""What most runs import on their way; timm and torchvision, slow to import, are left to those that use them."""
_WATCHED = (signal.SIGCHLD, signal.SIGTERM)


def main(connection: socket.socket) -> None:
    """Answer the requests until the other end is closed.

    No device may be touched and no thread pool of torch or OpenMP started before a fork, as neither survives it.
    The threads that imports do start (OpenBLAS's, jemalloc's) have fork handlers of their own.
    """
    import_all()
    gc.freeze()  # or each child's garbage collector would write to, and so copy, all that is imported
    while True:
        message, files, _, _ = socket.recv_fds(connection, 65536, 2)
        if not message:
            return
        # blocked, the two signals wait for _follow: none is lost or sent to a process number that is used again
        mask = signal.pthread_sigmask(signal.SIG_BLOCK, _WATCHED)
        with warnings.catch_warnings(action="ignore", category=DeprecationWarning):  # Python 3.12: threads and fork
            process = os.fork()
        if process == 0:
            connection.close()
            signal.pthread_sigmask(signal.SIG_SETMASK, mask)
            do_run(Path(os.fsdecode(message)), *files)
        for file in files:
            os.close(file)
        connection.send(STATUS.pack(_follow(process)))
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)


def import_all() -> None:
    """Import what most runs import on their way."""
    for name in _LAZY:
        importlib.import_module(name)


def do_run(folder: Path, stdin: int, log: int) -> NoReturn:
    """Do the run as a fresh process would, out of reach of the server's signals, and end."""
    os.setsid()
    for file, number in ((stdin, 0), (log, 1), (log, 2)):
        os.dup2(file, number)
    os.close(stdin)
    os.close(log)
    sys.argv = [child.__file__, str(folder)]  # the command in the run's env.json
    status = 1  # that of a Python that crashes
    try:
        status = child.main(folder)
    except BaseException:
        traceback.print_exc()
    atexit._run_exitfuncs()  # ends the workers that load images, among others
    sys.stdout.flush()
    os._exit(status)  # taking the interpreter apart would cost half a second


def _follow(process: int) -> int:
    """Wait for the child's end, and pass SIGTERM on to it."""
    while True:
        if signal.sigwait(_WATCHED) == signal.SIGTERM:
            os.kill(process, signal.SIGTERM)
        ended, status = os.waitpid(process, os.WNOHANG)
        if ended:
            return os.waitstatus_to_exitcode(status)


if __name__ == "__main__":
    main(socket.socket(fileno=int(sys.argv[1])))
