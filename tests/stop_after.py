"""A run that is stopped on its way."""

from __future__ import annotations

import os
import signal

from assay.run.observer import Observer
from assay.training.loop import Step


class StopAfter(Observer):
    """Sends the process SIGINT after so many steps, as Ctrl-C does."""

    def __init__(self, steps: int) -> None:
        self.left = steps

    def step(self, step: Step) -> None:  # noqa: ARG002 - the interface
        """Count down."""
        self.left -= 1
        if self.left == 0:
            os.kill(os.getpid(), signal.SIGINT)
