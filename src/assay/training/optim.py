"""Optimizers by name: torch's own, with its defaults, in the fused form where it has one; and LARS and Muon."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from assay.base.registry import construct
from assay.training.lars import LARS
from assay.training.muon import Muon

Groups = Sequence[dict[str, Any]]


def sgd(
    groups: Groups,
    *,
    lr: float,
    weight_decay: float = 0.0,
    momentum: float = 0.0,
    dampening: float = 0.0,
    nesterov: bool = False,
) -> Optimizer:
    """Stochastic gradient descent with L2 and momentum, also in Nesterov's form.

    With ``dampening`` equal to ``momentum`` b the direction is d_k = b d_(k-1) + (1 - b) g.

    Raises:
        ValueError: Nesterov's form or dampening without momentum, or both.
    """
    for option, value in {"dampening": dampening, "nesterov": nesterov}.items():
        if value and not momentum:
            raise ValueError(f"optim.{option} needs optim.momentum above 0")
    if nesterov and dampening:
        raise ValueError("optim.nesterov has no dampening: leave out optim.dampening")
    optimizer = torch.optim.SGD(
        groups,
        lr=lr,
        weight_decay=weight_decay,
        momentum=momentum,
        dampening=dampening,
        nesterov=nesterov,
        fused=not dampening,
    )
    if momentum and not dampening:
        # The fused step makes the momenta of a whole group at its first step: it fails where some layers learn later
        # than others, and leaves them uninitialised where the first step of a half-precision run overflows. Momenta
        # of zero give the same first step.
        for group in optimizer.param_groups:
            for weight in group["params"]:
                optimizer.state[weight]["momentum_buffer"] = torch.zeros_like(weight)
    return optimizer


def adagrad(groups: Groups, *, lr: float, weight_decay: float = 0.0, eps: float = 1e-10) -> Optimizer:
    """Adagrad (Duchi et al. 2011), with L2 added to the gradient."""
    return torch.optim.Adagrad(groups, lr=lr, weight_decay=weight_decay, eps=eps)


def adadelta(groups: Groups, *, lr: float, weight_decay: float = 0.0, rho: float = 0.9, eps: float = 1e-6) -> Optimizer:
    """Adadelta (Zeiler 2012, algorithm 1), with L2 added to the gradient."""
    return torch.optim.Adadelta(groups, lr=lr, weight_decay=weight_decay, rho=rho, eps=eps)


def rmsprop(
    groups: Groups,
    *,
    lr: float,
    weight_decay: float = 0.0,
    rho: float = 0.99,
    momentum: float = 0.0,
    eps: float = 1e-8,
) -> Optimizer:
    """RMSprop (Hinton's lecture 6e), with L2 added to the gradient; ``rho`` is torch's ``alpha``."""
    return torch.optim.RMSprop(groups, lr=lr, weight_decay=weight_decay, alpha=rho, momentum=momentum, eps=eps)


def _adam(
    kind: type[torch.optim.Adam],
    groups: Groups,
    *,
    lr: float,
    weight_decay: float = 0.0,
    beta1: float = 0.9,
    beta2: float = 0.999,
    eps: float = 1e-8,
) -> Optimizer:
    return kind(groups, lr=lr, weight_decay=weight_decay, betas=(beta1, beta2), eps=eps, fused=True)


adam = partial(_adam, torch.optim.Adam)
"""Kingma & Ba 2015, algorithm 1, with L2 added to the gradient"""
adamw = partial(_adam, torch.optim.AdamW)
"""Adam with decoupled weight decay (Loshchilov & Hutter 2019, algorithm 2)"""


OPTIMIZERS: dict[str, Callable[..., Optimizer]] = {
    "sgd": sgd,
    "adagrad": adagrad,
    "adadelta": adadelta,
    "rmsprop": rmsprop,
    "adam": adam,
    "adamw": adamw,
    "lars": LARS,
    "muon": Muon,
}


def build_optimizer(name: str, groups: Groups, **options: Any) -> Optimizer:
    """Build the optimizer ``name`` over groups of parameters; raises ``ValueError`` as `construct` does."""
    return construct("optimizer", name, OPTIMIZERS, groups, **options)


def parameter_groups(
    network: nn.Module,
    *,
    lr: float,
    weight_decay: float,
    decay: str = "all",
    factors: Mapping[str, float] | None = None,
    bias_lr: float = 1.0,
    spans: Mapping[str, float] | None = None,
) -> list[dict[str, Any]]:
    """Group the network's parameters, in its order, by learning rate, weight decay and how long they learn.

    Args:
        network: the network to train.
        lr: the learning rate at factor 1.
        weight_decay: the weight decay of the parameters that have one.
        decay: "all", or "weights" to leave out biases and the norms' parameters, which are the vectors
            (Goyal et al. 2017, section 5.3; He et al. 2018, section 3.1, "no bias decay").
        factors: factors on the rate, by the parameters' names; 1 for a name that is missing.
        bias_lr: a further factor, on that of biases.
        spans: shares of the run that parameters learn, by their names; 1 for a name that is missing.
    """
    groups: dict[tuple[float, float, float], list[nn.Parameter]] = {}
    for name, weight in network.named_parameters():
        decays = decay == "all" or weight.ndim > 1
        factor = (factors or {}).get(name, 1.0) * (bias_lr if name.rpartition(".")[2] == "bias" else 1.0)
        key = (lr * factor, weight_decay if decays else 0.0, (spans or {}).get(name, 1.0))
        groups.setdefault(key, []).append(weight)
    return [
        {"params": weights, "lr": rate, "weight_decay": decay, "span": span}
        for (rate, decay, span), weights in groups.items()
    ]


def restore_optimizer(optimizer: Optimizer, state: dict[str, Any]) -> None:
    """Load an optimizer's state; its settings stay, as a recipe gives them and a resumed run has the same.

    Raises:
        ValueError: the state is of other weights, or holds a tensor of another shape than its weight.
    """
    settings = [{name: value for name, value in group.items() if name != "params"} for group in optimizer.param_groups]
    optimizer.load_state_dict(state)
    for group, own in zip(optimizer.param_groups, settings, strict=True):
        group.update(own)
    for weight, kept in optimizer.state.items():
        for name, value in kept.items():  # which torch does not look at: a step would fail, or broadcast it
            if isinstance(value, Tensor) and value.ndim and value.shape != weight.shape:
                raise ValueError(f"optimizer: {name} of shape {list(value.shape)}, of a weight of {list(weight.shape)}")
            if not isinstance(value, Tensor | int | float | None):
                raise ValueError(f"optimizer: {name} is {type(value).__name__}, not a tensor or a number")
