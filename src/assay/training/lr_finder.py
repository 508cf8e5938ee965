"""A sweep over learning rates, to find one for a network and its data."""

from __future__ import annotations

import copy
import itertools
import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.optim.lr_scheduler import LambdaLR

from assay.training.loop import Update, train_epoch
from assay.training.losses import LossFunction

_FIRST = 10  # steps after which the moving average is smooth enough for slopes


@dataclass(frozen=True)
class Sweep:
    """The losses of a training whose learning rate rises from step to step.

    Attributes:
        rates: of each step, ascending.
        losses: of each step's batch, before its update.
        smoothed: their exponential average, corrected for its start.
        notes: remarks on the settings, a line each.
    """

    rates: tuple[float, ...]
    losses: tuple[float, ...]
    smoothed: tuple[float, ...]
    notes: tuple[str, ...] = ()

    @property
    def steepest(self) -> float:
        """The rate at which the smoothed loss falls fastest over the logarithm of the rate, before its minimum."""
        first, last = min(_FIRST, self._lowest), self._lowest + 1
        if last - first < 2:
            return self.tenth
        slopes: NDArray[np.float64] = np.gradient(self.smoothed[first:last], np.log(self.rates[first:last]))
        return self.rates[first + int(slopes.argmin())]

    @property
    def tenth(self) -> float:
        """A tenth of the rate at which the smoothed loss is lowest."""
        return self.rates[self._lowest] / 10

    @property
    def suggestion(self) -> float:
        """The rate to begin with: the lower of the two, because so short a training makes high rates look good."""
        return min(self.steepest, self.tenth)

    @property
    def _lowest(self) -> int:
        return int(np.argmin(self.smoothed))


def sweep_rates(
    network: nn.Module,
    batches: Iterable[tuple[Tensor, Tensor]],
    update: Update,
    loss_fn: LossFunction,
    *,
    lr: float,
    low: float = 1e-7,
    high: float = 10.0,
    steps: int = 100,
    smoothing: float = 0.9,
    microbatches: int = 1,
    set_mode: Callable[[nn.Module], object] = nn.Module.train,
) -> Sweep:
    """Train a copy of the network while the learning rate rises exponentially from ``low`` to ``high``.

    It ends where the smoothed loss exceeds four times its best, a loss is not finite, or the batches
    end. The network, the optimizer and torch's generators are unchanged afterwards.

    Source: Smith 2017, "Cyclical Learning Rates for Training Neural Networks", section 3.3; with a
    rate that rises exponentially, the average and the end as they have become usual.

    Args:
        network: maps images to scores.
        batches: images and targets; at most ``steps`` are taken.
        update: holds the optimizer over the network's parameters, whose groups keep the proportions of their rates,
            and the precision and clipping of the training; its schedule and average are not used.
        loss_fn: of scores, targets and images.
        lr: ``optim.lr`` of the recipe, from which the optimizer's initial rates were computed.
        low: the first rate, above 0.
        high: the rate of the last step, above ``low``.
        steps: at least 2.
        smoothing: weight of the past in the exponential average, in [0, 1).
        microbatches: as in ``train_epoch``.
        set_mode: puts the network into training mode.

    Raises:
        ValueError: ``low`` is not below ``high``, there are fewer than 2 steps, or the first loss is not finite.
    """
    if not (0 < low < high and steps >= 2):
        raise ValueError(
            f"a sweep rises from a rate above 0 in 2 steps or more, not from {low:g} to {high:g} in {steps}"
        )
    # Copied together, so that the copied optimizer holds the copied network's weights.
    network, optimizer = copy.deepcopy((network, update.optimizer))
    rates = np.geomspace(low, high, steps).tolist()
    scheduler = LambdaLR(optimizer, lambda step: rates[min(step, steps - 1)] / lr)
    trial = Update(optimizer, scheduler, copy.deepcopy(update.precision), update.clip)
    losses: list[float] = []
    smoothed: list[float] = []
    average = 0.0
    devices = {parameter.device for parameter in network.parameters() if parameter.device.type == "cuda"}
    with torch.random.fork_rng(devices):
        chosen = itertools.islice(batches, steps)
        for step in train_epoch(network, chosen, trial, loss_fn, microbatches=microbatches, set_mode=set_mode):
            loss = step.loss.item()
            if not math.isfinite(loss):
                break
            losses.append(loss)
            average = smoothing * average + (1 - smoothing) * loss
            smoothed.append(average / (1 - smoothing ** len(losses)))  # the sum of the weights, as it began at 0
            if smoothed[-1] > 4 * min(smoothed):
                break
    if not losses:
        raise ValueError("the very first loss is not finite: no learning rate can be found")
    return Sweep(tuple(rates[: len(losses)]), tuple(losses), tuple(smoothed))
