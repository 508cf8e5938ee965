"""An exponential moving average of the weights, often more accurate than the last weights of a noisy training."""

from __future__ import annotations

import math

from torch import nn
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

_LARGE_SHARE = 0.1


def average_of(network: nn.Module, decay: float | None) -> AveragedModel | None:
    """Make torch's moving average of the network's parameters and buffers, or None without a decay.

    After each step ``average = decay x average + (1 - decay) x weight``, with a decay in (0, 1); it begins as the
    weights after the first.
    """
    if decay is None:
        return None
    average = get_ema_multi_avg_fn(decay)  # type: ignore[no-untyped-call]
    return AveragedModel(network, multi_avg_fn=average, use_buffers=True)


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
