"""Optimizers by name: torch's own, with its own defaults."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import torch
from torch import nn
from torch.optim import Optimizer

from assay.choices import construct


def sgd(
    parameters: Iterable[nn.Parameter],
    *,
    lr: float,
    weight_decay: float = 0.0,
    momentum: float = 0.0,
    nesterov: bool = False,
) -> Optimizer:
    """Stochastic gradient descent with L2, momentum and Nesterov's form of it.

    Raises:
        ValueError: Nesterov's form without momentum.
    """
    if nesterov and not momentum:
        raise ValueError("optim.nesterov needs optim.momentum above 0")
    return torch.optim.SGD(
        parameters, lr=lr, weight_decay=weight_decay, momentum=momentum, nesterov=nesterov, fused=True
    )


def adam(
    parameters: Iterable[nn.Parameter],
    *,
    lr: float,
    weight_decay: float = 0.0,
    beta1: float = 0.9,
    beta2: float = 0.999,
    eps: float = 1e-8,
) -> Optimizer:
    """Adam (Kingma & Ba 2015, algorithm 1), with L2 added to the gradient."""
    return torch.optim.Adam(parameters, lr=lr, weight_decay=weight_decay, betas=(beta1, beta2), eps=eps, fused=True)


OPTIMIZERS: dict[str, Callable[..., Optimizer]] = {"sgd": sgd, "adam": adam}


def build_optimizer(name: str, parameters: Iterable[nn.Parameter], **options: Any) -> Optimizer:
    """The optimizer ``name`` over the parameters; options that are None take its defaults.

    Raises:
        ValueError: no such optimizer, or it has no such option.
    """
    return construct("optimizer", name, OPTIMIZERS, parameters, **options)
