"""Weights that follow those of a training, and are often more accurate: an exponential average, or Lookahead's."""

from __future__ import annotations

import copy
import math
from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

_LARGE_SHARE = 0.1
_SHARE = 0.5


class Lookahead(nn.Module):
    """Slow weights, which a network's own lead every few steps, and from which it then goes on.

    Zhang et al. 2019, "Lookahead Optimizer: k steps forward, 1 step back", algorithm 1: after every k steps of the
    weights w, and after the last one, the slow weights s move to ``s + share x (w - s)``, and w begins again there.
    Running statistics move alike, and counts are copied. ``module`` holds s; it begins as the network.

    Args:
        network: whose steps they look at.
        every: k, in steps, at least 1.
        steps: of the whole training.
        share: of the way, in (0, 1], after a number of steps.
    """

    taken: Tensor

    def __init__(self, network: nn.Module, every: int, steps: int, share: Callable[[int], float]) -> None:
        super().__init__()
        self.module = copy.deepcopy(network)
        self._every, self._steps, self._share = every, steps, share
        self.register_buffer("taken", torch.zeros((), dtype=torch.int64, device="cpu"))

    @torch.no_grad()
    def update_parameters(self, network: nn.Module) -> None:
        """Count a step of the network; if it is a k-th one or the last, move both."""
        self.taken += 1
        taken = int(self.taken)  # on the CPU: no wait for the device
        if taken % self._every and taken != self._steps:
            return
        fast, share = network.state_dict(), self._share(taken)
        for name, slow in self.module.state_dict().items():
            if slow.is_floating_point():
                fast[name].copy_(slow.lerp_(fast[name], share))
            else:
                slow.copy_(fast[name])


Average = AveragedModel | Lookahead
"""after each step ``update_parameters`` of the network; ``module`` is what is measured and kept"""


def constant(share: float, _steps: int) -> Callable[[int], float]:
    """The same share at every move, as Zhang et al. 2019."""
    return lambda _taken: share


def cubic(share: float, steps: int) -> Callable[[int], float]:
    """From 1 down to the share after so many steps: Jordan 2024, "94% on CIFAR-10 in 3.29 Seconds on a Single GPU"."""
    return lambda taken: 1 - (1 - share) * (taken / steps) ** 3


CURVES = {"constant": constant, "cubic": cubic}


def average_of(
    network: nn.Module,
    decay: float | None = None,
    *,
    every: int | None = None,
    share: float | None = None,
    curve: str | None = None,
    steps: int = 1,
) -> Average | None:
    """Make the weights that follow the network's, or None if nothing asks for them.

    Args:
        network: on its device.
        decay: in (0, 1): after each step ``average = decay x average + (1 - decay) x weight``, of parameters and
            buffers, which begins as the weights after the first step; torch's moving average.
        every: steps between two moves of `Lookahead`; not with a decay.
        share: of its way; 0.5 by default.
        curve: of the share over the training, in `CURVES`; ``constant`` by default.
        steps: of the whole training.
    """
    if decay is not None:
        average = get_ema_multi_avg_fn(decay)  # type: ignore[no-untyped-call]
        return AveragedModel(network, multi_avg_fn=average, use_buffers=True)
    if every is None:
        return None
    return Lookahead(network, every, steps, CURVES[curve or "constant"](share or _SHARE, steps))


def lag_remark(decay: float, steps: int) -> str | None:
    """Say in a line that an average still holds more than a tenth of its first weights after ``steps`` steps; or None.

    They are those after the first step, hardly trained, and their share is ``decay ** (steps - 1)``.
    """
    share = decay ** (steps - 1)
    if steps < 3 or share <= _LARGE_SHARE:
        return None
    rest = 1 - _LARGE_SHARE ** (1 / (steps - 1))
    unit = 10.0 ** math.floor(math.log10(rest))
    fitting = 1 - unit * math.ceil(rest / unit)  # a digit is enough
    advice = f"at most {fitting:.9g}" if fitting > 0 else "no average"
    return (
        f"train.ema {decay:g}: after {steps:,} steps {share:.0%} of the average are still the weights that the run "
        f"began with; {advice} suits so few steps"
    )
