"""How far a run has come."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

import torch
from torch import Tensor

from assay.training.loop import Step


@dataclass
class Position:
    """How far a run has come; all of it goes into the checkpoint.

    Attributes:
        epoch: epochs done.
        step: steps done of the current epoch.
        loss: sum of the losses of those steps, float64 (float32 on mps).
        correct: number of correct predictions in them, int64.
        best: the selected epoch's score, and ``best_epoch`` its number, from 1; 0 is the linear probe that a run with
            a fitted head begins as.
        probe: the probe's loss and accuracy on the held-out split, if there is one.
        metrics_size: bytes of ``metrics.jsonl``; ``timings_size`` of ``timings.jsonl``.
        epoch_seconds: time spent on the steps of the current epoch.
        seconds: time spent on the epochs done, evaluation included.
    """

    loss: Tensor
    correct: Tensor
    epoch: int = 0
    step: int = 0
    best: tuple[float, ...] = ()
    best_epoch: int = 0
    probe: dict[str, Any] | None = None
    metrics_size: int = 0
    timings_size: int = 0
    epoch_seconds: float = 0.0
    seconds: float = 0.0

    @classmethod
    def start(cls, device: torch.device) -> Self:
        """The position before the first step."""
        zero = torch.zeros((), device=device)
        return cls(zero if device.type == "mps" else zero.double(), zero.long())  # mps has no float64

    @classmethod
    def restored(cls, values: Mapping[str, Any], device: torch.device) -> Self:
        """The position from the fields that a checkpoint holds."""
        sums = {name: values[name].to(device) for name in ("loss", "correct")}
        return cls(**{**values, **sums, "best": tuple(values["best"])})

    def add(self, step: Step) -> None:
        """Count a step, without waiting for the device."""
        self.step += 1
        self.loss += step.loss
        self.correct += step.correct

    def next_epoch(self) -> None:
        """Move on to the next epoch."""
        self.epoch, self.step, self.epoch_seconds = self.epoch + 1, 0, 0.0
        self.loss.zero_()
        self.correct.zero_()
