"""The cost of a forward pass."""

from __future__ import annotations

import torch
from torch import nn


def count_flops(network: nn.Module, channels: int, size: int, device: torch.device) -> int:
    """Count the floating-point operations of one image's forward pass, ``[channels, size, size]``, on the device.

    A multiply-add counts as two; papers often count it once, as He et al. 2018 does. As in torch's counter, only
    convolutions and matrix products count; norms, activations and pooling are a few percent more. The network must
    be in evaluation mode.
    """
    from torch.utils.flop_counter import FlopCounterMode  # imports triton: a third of a second, which few commands need

    image = torch.zeros(1, channels, size, size, device=device)
    with torch.no_grad(), FlopCounterMode(display=False) as counter:
        network(image)
    return int(counter.get_total_flops())
