"""Which groups of layers learn in which epoch, and at which rate: fine-tuning, and layers that stop early."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from torch import nn

from assay.base.registry import construct

LayerGroups = Sequence[Sequence[str]]
"""names of parameters, from the first layers to the head, which is the last group"""

Learning = Callable[[int, int], int]
"""``(epoch, groups)`` to how many of the groups learn, counted from the head; epochs count from 0"""

# Batch and instance norms have a class for each number of dimensions; only their private base is common to all.
NORMS = (nn.modules.batchnorm._BatchNorm, nn.modules.instancenorm._InstanceNorm, nn.GroupNorm, nn.LayerNorm)


def everything() -> Learning:
    """All groups learn from the start."""
    return lambda _epoch, groups: groups


def head_only() -> Learning:
    """Only the head learns, on the body's features."""
    return lambda _epoch, _groups: 1


def gradual(*, unfreeze_after: int = 1, unfreeze_every: int = 1) -> Learning:
    """First only the head learns, then group after group, from the last to the first.

    Source: Howard & Ruder 2018, "Universal Language Model Fine-tuning for Text Classification",
    section 3.3, where both numbers are 1.

    Args:
        unfreeze_after: epochs in which only the head learns, at least 1.
        unfreeze_every: epochs from one further group to the next, at least 1.
    """
    return lambda epoch, groups: min(groups, max(1, 2 + (epoch - unfreeze_after) // unfreeze_every))


def until(ends: Sequence[int]) -> Learning:
    """Each group learns up to its own number of epochs, the first groups no longer than those behind them."""
    return lambda epoch, _groups: sum(end > epoch for end in ends)


def freeze_out(groups: int, epochs: int, first: float) -> list[int]:
    """Return for how many epochs each group learns: fewer for the first layers, all for the head.

    A layer that has stopped is no longer computed backward, and the first layers, which settle first, cost most.
    FreezeOut (Brock et al. 2017) in its unscaled linear form, in whole epochs: the times rise in a straight line from
    group to group, and a rate that falls sooner begins no higher.

    Args:
        groups: how many, at least 1; see `LayerGroups`.
        epochs: of the run, at least 1.
        first: share of them that the first group learns, in (0, 1).
    """
    shares = [first + (1 - first) * place / max(1, groups - 1) for place in range(groups)]
    return [max(1, round(share * epochs)) for share in shares[:-1]] + [epochs]


FREEZES: dict[str, Callable[..., Learning]] = {"none": everything, "body": head_only, "gradual": gradual}


def build_learning(freeze: str, **options: Any) -> Learning:
    """Make the function of ``FREEZES`` that says what learns when; raises ``ValueError`` as `construct` does."""
    return construct("transfer.freeze", freeze, FREEZES, **options)


def rate_factors(groups: LayerGroups, *, layer_decay: float = 1.0, head_lr: float = 1.0) -> dict[str, float]:
    """Return the factor on the learning rate of each parameter, by name.

    Discriminative fine-tuning (Howard & Ruder 2018, section 3.1): the factor falls from group to
    group towards the input.

    Args:
        groups: see `LayerGroups`.
        layer_decay: the factor of a group over that of the group behind it, in (0, 1].
        head_lr: factor of the head alone, above 0; the body's factors count from 1 nonetheless.
    """
    factors = [layer_decay ** (len(groups) - 1 - place) for place in range(len(groups) - 1)] + [head_lr]
    return {name: factor for group, factor in zip(groups, factors, strict=True) for name in group}


def freeze_for(network: nn.Module, groups: LayerGroups, epoch: int, learning: Learning, *, frozen_norms: bool) -> None:
    """Set ``requires_grad`` of the groups' parameters for an epoch.

    The result depends only on the arguments, so a resumed run needs no memory of earlier epochs. Frozen parameters
    get no gradient, and optimizers skip them.

    Args:
        network: has the parameters that the groups name; others are not touched.
        groups: see `LayerGroups`.
        epoch: counted from 0.
        learning: how many of the groups learn.
        frozen_norms: freeze the norms of the body too, in all epochs.
    """
    frozen = len(groups) - learning(epoch, len(groups))
    norms = {name for name, layer in network.named_modules() if isinstance(layer, NORMS)} if frozen_norms else set()
    for place, group in enumerate(groups):
        for name in group:
            is_frozen_norm = place < len(groups) - 1 and name.rpartition(".")[0] in norms
            network.get_parameter(name).requires_grad_(place >= frozen and not is_frozen_norm)


def train_what_learns(network: nn.Module) -> None:
    """Put the network into training mode, except its frozen norms: those use their running statistics and keep them.

    A norm is frozen if it has parameters and none of them learns; a norm without parameters, if nothing learns in
    the module around it.
    """
    network.train()
    _put_frozen_norms_in_eval_mode(network)


def _put_frozen_norms_in_eval_mode(module: nn.Module) -> None:
    learns = [parameter.requires_grad for parameter in module.parameters()]
    if any(learns):
        for child in module.children():
            _put_frozen_norms_in_eval_mode(child)
    elif learns:
        for layer in module.modules():
            if isinstance(layer, NORMS):
                layer.eval()
