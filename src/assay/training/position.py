"""How far a run has come."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Self

import torch
from torch import Tensor

from assay.base.numbers import is_count, is_number
from assay.base.text import quoted
from assay.training.loop import Step


def _is_time(value: Any) -> bool:
    return is_number(value) and 0 <= value < math.inf


def _is_sum(value: Any) -> bool:
    return isinstance(value, Tensor) and value.ndim == 0


def _is_score(value: Any) -> bool:
    return isinstance(value, tuple | list) and all(map(is_number, value))


_FIELDS: Mapping[str, tuple[str, Callable[[Any], bool]]] = {
    **dict.fromkeys(("loss", "correct"), ("a tensor of one number", _is_sum)),
    **dict.fromkeys(("epoch", "step", "best_epoch", "metrics_size", "timings_size"), ("a count", is_count)),
    **dict.fromkeys(("epoch_seconds", "seconds"), ("a time in seconds", _is_time)),
    "best": ("numbers", _is_score),
    "probe": ("figures or nothing", lambda value: value is None or isinstance(value, dict)),
}
"""what each field of a position must be in a checkpoint, in words and as a check"""


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

    @staticmethod
    def check(values: Mapping[str, Any]) -> None:
        """Raise ``ValueError`` that names the first field that no position could have been saved with."""
        for name, (expected, fits) in _FIELDS.items():
            if not fits(values.get(name)):
                raise ValueError(f"position.{name}: expected {expected}, not {quoted(values.get(name))}")

    @classmethod
    def restored(cls, values: Mapping[str, Any], device: torch.device) -> Self:
        """The position from the fields that a checkpoint holds."""
        sums = {name: values[name].to(device) for name in ("loss", "correct")}
        plain = {name: values.get(name) for name in _FIELDS}  # earlier versions had no probe
        return cls(**{**plain, **sums, "best": tuple(values["best"])})

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
