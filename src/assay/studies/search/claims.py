"""Who works on which trial; a trial whose worker is gone is done again, with the same values."""

from __future__ import annotations

import contextlib
import os
import socket
import time

from optuna import Study, Trial
from optuna.exceptions import UpdateFinishedTrialError
from optuna.trial import FrozenTrial, TrialState

_WORKER = "worker"
INSTEAD_OF = "instead of"
_SIGN_SECONDS, _GONE_SECONDS = 30, 120


class Claim:
    """This process's sign of life on a trial."""

    def __init__(self, trial: Trial) -> None:
        self._trial = trial
        self._signed = 0.0
        self.renew()

    def renew(self) -> None:
        """Sign again where the last sign is old; raises ``UpdateFinishedTrialError`` where others took the trial."""
        now = time.time()
        if now - self._signed > _SIGN_SECONDS:
            self._trial.set_user_attr(_WORKER, {"host": socket.gethostname(), "process": os.getpid(), "seen": now})
            self._signed = now


def put_back(study: Study, number: int, reason: str) -> None:
    """Give up a running trial, and queue its values, so that its run goes on from the checkpoint."""
    trial = study.get_trials(deepcopy=False)[number]
    with contextlib.suppress(UpdateFinishedTrialError, ValueError):  # another process was quicker
        study.tell(number, state=TrialState.FAIL)
        study.enqueue_trial(trial.params, user_attrs={INSTEAD_OF: number, "why": reason})


def put_back_abandoned(study: Study) -> None:
    """Put back the trials whose process is gone: dead on this host, or without a sign of life for two minutes."""
    for trial in study.get_trials(deepcopy=False, states=(TrialState.RUNNING,)):
        if _is_abandoned(trial):
            put_back(study, trial.number, "its process was gone")


def _is_abandoned(trial: FrozenTrial) -> bool:
    worker = trial.user_attrs.get(_WORKER)
    if worker is None:  # its process stopped, or is just about to sign
        assert trial.datetime_start is not None
        return time.time() - trial.datetime_start.timestamp() > _GONE_SECONDS
    dead = worker["host"] == socket.gethostname() and not _is_alive(worker["process"])
    return dead or time.time() - worker["seen"] > _GONE_SECONDS


def _is_alive(process: int) -> bool:
    """Whether a process of that number is there; where the system cannot be asked so, its signs of life must do."""
    if os.name != "posix":
        return True
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        pass
    return True
