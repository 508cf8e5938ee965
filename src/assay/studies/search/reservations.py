"""Reservations of trials: who works on which one, and how the trial of a process that has died is repeated."""

from __future__ import annotations

import contextlib
import os
import socket
import time
from pathlib import Path

import optuna
from optuna.exceptions import UpdateFinishedTrialError
from optuna.trial import FrozenTrial, TrialState

# These keys and the shape of their values stand in storages that exist.
_WORKER = "worker"
INSTEAD_OF = "instead of"

# A reservation is renewed every 30 s; after four that were missed, the worker counts as dead.
_RENEW_SECONDS, _EXPIRY_SECONDS = 30, 120


class Reservation:
    """This process's reservation of a trial: host, process number, and when it was last renewed."""

    def __init__(self, trial: optuna.Trial) -> None:
        self._trial = trial
        self._renewed = 0.0  # long ago, so that the first call writes
        self.renew()

    def renew(self) -> None:
        """Renew the reservation if half a minute has passed.

        Raises:
            UpdateFinishedTrialError: another process has taken over the trial.
        """
        now = time.time()
        if now - self._renewed > _RENEW_SECONDS:
            self._trial.set_user_attr(_WORKER, {"host": socket.gethostname(), "process": os.getpid(), "seen": now})
            self._renewed = now


def put_back(optuna_study: optuna.Study, number: int, reason: str) -> None:
    """Give up a running trial and queue its values again; the repeated run goes on from its checkpoint."""
    trial = optuna_study.get_trials(deepcopy=False)[number]
    # Optuna raises either error if another process has ended the trial in the meantime.
    with contextlib.suppress(UpdateFinishedTrialError, ValueError):
        optuna_study.tell(number, state=TrialState.FAIL)
        optuna_study.enqueue_trial(trial.params, user_attrs={INSTEAD_OF: number, "why": reason})


def put_back_abandoned(optuna_study: optuna.Study) -> None:
    """Put back the trials whose process has died on this host, or has renewed nothing for two minutes."""
    for trial in optuna_study.get_trials(deepcopy=False, states=(TrialState.RUNNING,)):
        if _is_abandoned(trial):
            put_back(optuna_study, trial.number, "its process was gone")


def _is_abandoned(trial: FrozenTrial) -> bool:
    worker = trial.user_attrs.get(_WORKER)
    if worker is None:  # the process died before its reservation, or is about to write it
        assert trial.datetime_start is not None
        return time.time() - trial.datetime_start.timestamp() > _EXPIRY_SECONDS
    is_dead = worker["host"] == socket.gethostname() and not _is_alive(worker["process"])
    return is_dead or time.time() - worker["seen"] > _EXPIRY_SECONDS


def _is_alive(process: int) -> bool:
    """Return whether a process of that number works; True on systems where only the expiry can tell."""
    if os.name != "posix":
        return True  # on Windows os.kill would end the process
    try:
        os.kill(process, 0)  # signal 0 only asks whether the process exists
    except ProcessLookupError:
        return False
    except PermissionError:
        pass  # it exists, and belongs to another user
    # One that has ended keeps its number until its parent, such as Ray, asks how it ended.
    return _state(process) != "Z"


def _state(process: int) -> str:
    """Return the letter of a process's state, as ``ps`` prints it; empty where the system does not tell."""
    try:
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return ""
