"""Muon: the momentum of each convolution's filters is made orthogonal before the update."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from assay.training.per_weight import PerWeightOptimizer

_QUINTIC = (3.4445, -4.7750, 2.0315)  # Jordan et al. 2024: steepest at zero that keeps 1 within 0.7 to 1.2
_ITERATIONS = 5  # as Jordan et al. 2024
_IMAGE_CHANNELS = 3  # filters over no more channels than an image has are left to AdamW


def orthogonalize(matrix: Tensor) -> Tensor:
    """Return roughly the nearest semi-orthogonal float32 matrix, with singular values between about 0.7 and 1.2.

    Newton-Schulz iteration with a quintic polynomial (Jordan et al. 2024, "Muon: an optimizer for
    hidden layers in neural networks").
    """
    linear, cubic, quintic = _QUINTIC
    wide = matrix.T if matrix.shape[0] > matrix.shape[1] else matrix  # the smaller Gram matrix is the cheaper
    wide = wide / (wide.norm() + 1e-7)
    for _ in range(_ITERATIONS):
        gram = wide @ wide.T
        wide = torch.addmm(wide, torch.addmm(gram, gram, gram, beta=cubic, alpha=quintic), wide, beta=linear)
    return wide.T if matrix.shape[0] > matrix.shape[1] else wide


class Muon(PerWeightOptimizer):
    """Muon for the filters of convolutions, AdamW for the rest; one learning rate for both.

    A filter bank ``[out, in, height, width]`` is taken as the matrix ``[out, in x height x width]``.
    Its orthogonal update is scaled by 0.2 sqrt(larger side), which gives it the root mean square of
    an AdamW update (Liu et al. 2025, "Muon is scalable for LLM training", section 2.2), so that the
    same learning rate and the same decoupled weight decay suit both.

    Filters over three channels or fewer (the image's own, and depthwise ones) are left to AdamW: there
    is little to make orthogonal in them.

    With ``normalize`` a filter bank is first scaled to the length of the square root of its number of filters, and its
    orthogonal update, which has about that length too, is not scaled: ``lr`` is the step relative to the weights, and
    nothing of the weights' length is left to decay or to grow (Jordan 2024, ``airbench94_muon``).

    Args:
        groups: parameters or groups, as for torch's optimizers.
        lr: learning rate; 0.001 to 0.01 is usual, with ``normalize`` 0.1 to 0.3 for filters.
        weight_decay: decoupled: the weight shrinks by ``lr * weight_decay`` at each step.
        momentum: of Muon, in Nesterov's form.
        beta1: of AdamW, for the mean of the gradient.
        beta2: of AdamW, for the mean of its square.
        eps: of AdamW, added to the denominator.
        normalize: hold the filters at length 1, in the mean over a bank.
    """

    def __init__(
        self,
        groups: Any,
        *,
        lr: float,
        weight_decay: float = 0.0,
        momentum: float = 0.95,
        beta1: float = 0.9,
        beta2: float = 0.95,
        eps: float = 1e-8,
        normalize: bool = False,
    ) -> None:
        defaults = {"lr": lr, "weight_decay": weight_decay, "momentum": momentum, "betas": (beta1, beta2)}
        super().__init__(groups, {**defaults, "eps": eps, "normalize": normalize})

    def update(self, weight: Tensor, gradient: Tensor, group: dict[str, Any]) -> None:
        """Take one weight's step."""
        weight.mul_(1 - group["lr"] * group["weight_decay"])
        if weight.ndim == 4 and weight.shape[1] > _IMAGE_CHANNELS:
            matrix = self._nesterov(weight, gradient, group["momentum"]).flatten(1)
            scale = 1.0 if group["normalize"] else 0.2 * max(matrix.shape) ** 0.5
            if group["normalize"]:
                weight.mul_(len(weight) ** 0.5 / (weight.norm() + 1e-7))
            weight.add_(orthogonalize(matrix).view(weight.shape), alpha=-group["lr"] * scale)
        else:
            weight.add_(self._adam(weight, gradient, group), alpha=-group["lr"])

    def _nesterov(self, weight: Tensor, gradient: Tensor, momentum: float) -> Tensor:
        state = self.state[weight]
        if not state:
            state["momentum_buffer"] = torch.zeros_like(gradient)
        state["momentum_buffer"].lerp_(gradient, 1 - momentum)
        return gradient.lerp(state["momentum_buffer"], momentum)

    def _adam(self, weight: Tensor, gradient: Tensor, group: dict[str, Any]) -> Tensor:
        """Return the direction of AdamW (Loshchilov & Hutter 2019, algorithm 2, lines 6 to 12)."""
        state, (beta1, beta2) = self.state[weight], group["betas"]
        if not state:
            state.update(
                step=torch.zeros(()), exp_avg=torch.zeros_like(gradient), exp_avg_sq=torch.zeros_like(gradient)
            )
        state["step"] += 1
        state["exp_avg"].lerp_(gradient, 1 - beta1)
        state["exp_avg_sq"].mul_(beta2).addcmul_(gradient, gradient, value=1 - beta2)
        count = state["step"].item()  # on the CPU: no wait for the device
        second = (state["exp_avg_sq"] / (1 - beta2**count)).sqrt_().add_(group["eps"])
        direction: Tensor = state["exp_avg"] / (1 - beta1**count) / second
        return direction
