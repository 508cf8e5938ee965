"""Learning-rate schedules: pure functions from progress, in epochs, to a factor on the learning rate.

Each constructor takes the run's total number of epochs and its own options.
"""

from __future__ import annotations

import bisect
import math
from collections.abc import Callable, Sequence
from typing import Any

from torch.optim import Optimizer
from torch.optim.lr_scheduler import LambdaLR

from assay.choices import construct

Schedule = Callable[[float], float]


def constant(_epochs: int) -> Schedule:
    """Factor 1 throughout."""
    return lambda _epoch: 1.0


def step(_epochs: int, *, every: float = 10.0, factor: float = 0.1) -> Schedule:
    """Multiply by ``factor`` every ``every`` epochs (torch's StepLR)."""
    return lambda epoch: factor ** math.floor(epoch / every + 1e-9)  # 0.3 / 0.1 is below 3


def multistep(_epochs: int, *, milestones: Sequence[float], factor: float = 0.1) -> Schedule:
    """Multiply by ``factor`` at each milestone, in epochs (torch's MultiStepLR).

    Raises:
        ValueError: the milestones do not ascend.
    """
    if list(milestones) != sorted(set(milestones)):
        raise ValueError(f"schedule.milestones: {list(milestones)} do not ascend")
    return lambda epoch: factor ** bisect.bisect_right(milestones, epoch)


def exponential(_epochs: int, *, every: float = 1.0, factor: float = 0.9) -> Schedule:
    """Fall smoothly, by ``factor`` per ``every`` epochs (torch's ExponentialLR where updated by epoch)."""
    return lambda epoch: factor ** (epoch / every)


def cosine(epochs: int, *, final: float = 0.0) -> Schedule:
    """Half a cosine from 1 down to ``final`` (Loshchilov & Hutter 2017, equation 5, without restarts)."""
    return lambda epoch: final + (1 - final) * (1 + math.cos(math.pi * epoch / epochs)) / 2


SCHEDULES: dict[str, Callable[..., Schedule]] = {
    "constant": constant,
    "step": step,
    "multistep": multistep,
    "exponential": exponential,
    "cosine": cosine,
}


def build_schedule(name: str, *, epochs: int, **options: Any) -> Schedule:
    """The schedule ``name`` for a run of ``epochs`` epochs; options that are None take its defaults.

    Raises:
        ValueError: no such schedule, or it has no such option or lacks one that it needs.
    """
    return construct("schedule", name, SCHEDULES, epochs, **options)


def attach(schedule: Schedule, optimizer: Optimizer, *, steps_per_epoch: int, update: str) -> LambdaLR:
    """A scheduler that is stepped after every step; ``update`` "epoch" holds the rate within an epoch."""
    if update == "epoch":
        return LambdaLR(optimizer, lambda count: schedule(count // steps_per_epoch))
    return LambdaLR(optimizer, lambda count: schedule(count / steps_per_epoch))
