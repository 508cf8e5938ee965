"""Where a run stands."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from assay.training.loop import Step


@dataclass
class Position:
    """Where a run stands; all of it goes into the checkpoint.

    Attributes:
        epoch: epochs done.
        step: steps done of the epoch under way.
        loss: sum of the losses of those steps, float64.
        correct: number of right answers in them, int64.
        best: the selected epoch's score, and ``best_epoch`` its number, from 1.
        metrics_size: bytes of ``metrics.jsonl``; ``timings_size`` of ``timings.jsonl``.
        epoch_seconds: time spent on the steps of the epoch under way.
        seconds: time spent on the epochs done, evaluation included.
    """

    loss: Tensor
    correct: Tensor
    epoch: int = 0
    step: int = 0
    best: tuple[float, ...] = ()
    best_epoch: int = 0
    metrics_size: int = 0
    timings_size: int = 0
    epoch_seconds: float = 0.0
    seconds: float = 0.0

    @classmethod
    def start(cls, device: torch.device) -> Position:
        """At the very beginning."""
        zero = torch.zeros((), device=device)
        return cls(zero.double() if device.type != "mps" else zero, zero.long())

    def add(self, step: Step) -> None:
        """Count a step, without waiting for the device."""
        self.step += 1
        self.loss += step.loss
        self.correct += step.correct

    def next_epoch(self) -> None:
        """The epoch under way is done."""
        self.epoch, self.step, self.epoch_seconds = self.epoch + 1, 0, 0.0
        self.loss.zero_()
        self.correct.zero_()
