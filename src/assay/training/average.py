"""An exponential moving average of the weights, often more accurate than the last weights of a noisy training."""

from __future__ import annotations

from torch import nn
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn


def average_of(network: nn.Module, decay: float | None) -> AveragedModel | None:
    """Make torch's moving average of the network's parameters and buffers, or None without a decay.

    After each step ``average = decay x average + (1 - decay) x weight``, with a decay in (0, 1); it begins as the
    weights after the first.
    """
    if decay is None:
        return None
    average = get_ema_multi_avg_fn(decay)  # type: ignore[no-untyped-call]
    return AveragedModel(network, multi_avg_fn=average, use_buffers=True)
