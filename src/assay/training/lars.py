"""LARS: momentum, with a learning rate for each layer."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from assay.training.per_weight import PerWeightOptimizer


class LARS(PerWeightOptimizer):
    """Layer-wise adaptive rate scaling (You, Gitman & Ginsburg 2017, algorithm 1).

    A layer's rate is ``lr x trust x |w| / (|g| + weight_decay x |w|)``, so that an update stays small beside the
    weights that it changes, also with very large batches. Biases and the norms' parameters (vectors), and layers
    whose weights or gradients are all zero, keep the rate ``lr``.

    Args:
        groups: parameters or groups, as for torch's optimizers.
        lr: the global learning rate.
        weight_decay: L2 penalty.
        momentum: of the scaled gradients.
        trust: length of an update over that of its weights, at rate 1.
        eps: added to the denominator.
    """

    def __init__(
        self,
        groups: Any,
        *,
        lr: float,
        weight_decay: float = 0.0,
        momentum: float = 0.9,
        trust: float = 0.001,
        eps: float = 1e-9,
    ) -> None:
        options = {"lr": lr, "weight_decay": weight_decay, "momentum": momentum, "trust": trust, "eps": eps}
        super().__init__(groups, options)

    def update(self, weight: Tensor, gradient: Tensor, group: dict[str, Any]) -> None:
        """Take one weight's step."""
        direction = gradient.add(weight, alpha=group["weight_decay"])
        if weight.ndim > 1:
            # As tensors and by `where`: a number or an `if` would wait for the device.
            length, slope = weight.norm(), gradient.norm()
            rate = group["trust"] * length / (slope + group["weight_decay"] * length + group["eps"])
            direction.mul_(torch.where((length > 0) & (slope > 0), rate, 1.0))
        state = self.state[weight]
        if not state:
            state["momentum_buffer"] = torch.zeros_like(weight)
        state["momentum_buffer"].mul_(group["momentum"]).add_(direction, alpha=group["lr"])
        weight.sub_(state["momentum_buffer"])
