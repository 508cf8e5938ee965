"""An exponential average of the weights, which answers better than the last weights where these are noisy."""

from __future__ import annotations

from torch import nn
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn


def average_of(network: nn.Module, decay: float | None) -> AveragedModel | None:
    """Follow the weights with torch's own average of parameters and buffers.

    After each step ``average = decay x average + (1 - decay) x weight``.

    Args:
        network: whose weights are followed; the first step's are taken whole.
        decay: in (0, 1), or None for no average.
    """
    if decay is None:
        return None
    average = get_ema_multi_avg_fn(decay)  # type: ignore[no-untyped-call]
    return AveragedModel(network, multi_avg_fn=average, use_buffers=True)
