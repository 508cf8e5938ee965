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

from assay.base.registry import construct

Schedule = Callable[[float], float]


def constant(_epochs: float) -> Schedule:
    """Factor 1 throughout."""
    return lambda _epoch: 1.0


def step(_epochs: float, *, every: float = 10.0, factor: float = 0.1) -> Schedule:
    """Multiply by ``factor`` every ``every`` epochs (torch's StepLR)."""
    return lambda epoch: factor ** math.floor(epoch / every + 1e-9)  # 1e-9: 0.3 / 0.1 is below 3


def multistep(_epochs: float, *, milestones: Sequence[float], factor: float = 0.1) -> Schedule:
    """Multiply by ``factor`` at each milestone, in epochs (torch's MultiStepLR).

    Raises:
        ValueError: the milestones do not ascend.
    """
    if list(milestones) != sorted(set(milestones)):
        raise ValueError(f"schedule.milestones: {list(milestones)} do not ascend")
    return lambda epoch: factor ** bisect.bisect_right(milestones, epoch)


def exponential(_epochs: float, *, every: float = 1.0, factor: float = 0.9) -> Schedule:
    """Fall smoothly, by ``factor`` per ``every`` epochs (torch's ExponentialLR where updated by epoch)."""
    return lambda epoch: factor ** (epoch / every)


def linear(epochs: float, *, final: float = 0.0) -> Schedule:
    """A straight line from 1 down to ``final`` at the end (torch's LinearLR)."""
    return lambda epoch: 1 + (final - 1) * epoch / epochs


def cosine(epochs: float, *, final: float = 0.0) -> Schedule:
    """Half a cosine from 1 down to ``final`` (Loshchilov & Hutter 2017, equation 5, without restarts)."""
    return cosine_periodic(epochs, period=epochs, final=final)


def cosine_periodic(_epochs: float, *, period: float = 10.0, final: float = 0.0) -> Schedule:
    """Fall to ``final`` in ``period`` epochs, rise again in as many, and so on.

    torch's CosineAnnealingLR does this past its T_max; without warm restarts it is seldom what was meant.
    """
    return lambda epoch: _between(1.0, final, epoch / period)


def cosine_restarts(_epochs: float, *, period: float = 10.0, multiply: int = 1, final: float = 0.0) -> Schedule:
    """Fall to ``final`` in ``period`` epochs, begin anew at 1, each period ``multiply`` times the one before.

    SGDR: Loshchilov & Hutter 2017, equation 5 (torch's CosineAnnealingWarmRestarts).
    """

    def factor(epoch: float) -> float:
        began, length = 0.0, period  # counted anew at each call: a schedule has no memory, so a run can resume
        while epoch >= began + length - 1e-9:
            began, length = began + length, length * multiply
        return _between(1.0, final, max(0.0, epoch - began) / length)

    return factor


def one_cycle(epochs: float, *, rise: float = 0.3, start: float = 0.04, final: float = 4e-6) -> Schedule:
    """Rise from ``start`` to 1 in the first ``rise`` of the epochs, then fall to ``final``, both as a cosine.

    Smith & Topin 2018, section 2, with torch's OneCycleLR's defaults; the momentum stays as it is.
    """
    top = rise * epochs
    return lambda epoch: (
        _between(start, 1.0, epoch / top) if epoch < top else _between(1.0, final, (epoch - top) / (epochs - top))
    )


def _between(first: float, last: float, progress: float) -> float:
    """Go half a cosine from ``first`` (progress 0) to ``last`` (progress 1), and back (progress 2)."""
    return last + (first - last) * (1 + math.cos(math.pi * progress)) / 2


SCHEDULES: dict[str, Callable[..., Schedule]] = {
    "constant": constant,
    "step": step,
    "multistep": multistep,
    "exponential": exponential,
    "linear": linear,
    "cosine": cosine,
    "cosine-periodic": cosine_periodic,
    "cosine-restarts": cosine_restarts,
    "one-cycle": one_cycle,
}


def build_schedule(
    name: str, *, epochs: float, warmup: float = 0.0, warmup_start: float | None = None, **options: Any
) -> Schedule:
    """Build the schedule ``name`` for a run of ``epochs`` epochs; options that are None take its defaults.

    Args:
        name: a key of ``SCHEDULES``.
        epochs: length of the run, warmup included.
        warmup: epochs in which the factor rises in a straight line to the schedule's own; the
            schedule begins, and counts its epochs, at their end (torch's SequentialLR).
        warmup_start: the factor at the very beginning of the warmup; None is 0.01.
        options: of that schedule.

    Raises:
        ValueError: no such schedule, it has no such option or lacks one that it needs, the
            warmup is as long as the run, or ``warmup_start`` is given without a warmup.
    """
    if warmup_start is not None and not warmup:
        raise ValueError("schedule.warmup_start needs schedule.warmup above 0")
    if warmup >= epochs:
        raise ValueError(f"schedule.warmup: {warmup:g} epochs leave none of the run's {epochs:g}")
    schedule = construct("schedule", name, SCHEDULES, epochs - warmup, **options)
    if not warmup:
        return schedule
    start, target = 0.01 if warmup_start is None else warmup_start, schedule(0.0)
    return lambda epoch: target * (start + (1 - start) * epoch / warmup) if epoch < warmup else schedule(epoch - warmup)


def attach(schedule: Schedule, optimizer: Optimizer, *, epochs: float, steps_per_epoch: int, update: str) -> LambdaLR:
    """Make a scheduler to be stepped after every step.

    Args:
        schedule: for a group of parameters with a ``span`` below 1, all of it passes in that share of the epochs, and
            its rate is 0 from then on.
        optimizer: its rates are multiplied.
        epochs: length of the run.
        steps_per_epoch: at least 1.
        update: "epoch" for a rate that is constant within an epoch, or "step".
    """

    def factor_of(span: float) -> Callable[[int], float]:
        def factor(count: int) -> float:
            epoch = count // steps_per_epoch if update == "epoch" else count / steps_per_epoch
            return 0.0 if span < 1 and epoch >= span * epochs else schedule(epoch / span)

        return factor

    return LambdaLR(optimizer, [factor_of(group.get("span", 1.0)) for group in optimizer.param_groups])
