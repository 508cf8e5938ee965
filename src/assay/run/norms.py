"""Whether a network's batch norms behave in evaluation as they did in training."""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn

from assay.data.batches import EvaluationBatches

BatchNorm = nn.modules.batchnorm._BatchNorm


@torch.no_grad()
def norm_remark(network: nn.Module, batches: EvaluationBatches) -> str | None:
    """Compare a network's answers with running statistics, as in evaluation, and with a batch's own, as in training.

    The running statistics follow the batches slowly (by 1 % a step in TensorFlow's networks, by 10 % in torch's), so
    after few steps, or few since large changes, they are those of another network.

    Args:
        network: in evaluation mode; unchanged afterwards.
        batches: training images as they are, in random order, in batches of the training's size.

    Returns:
        A line if fewer answers are right with the running statistics than with the batches' own, by 2 % of
        the images and by more than twice the standard deviation that chance gives to this difference
        (McNemar 1947); else, or without such norms, None.
    """
    norms = [layer for layer in network.modules() if isinstance(layer, BatchNorm) and layer.track_running_stats]
    if not norms:
        return None
    running, own = [], []
    for images, labels in batches:
        running.append(network(images).argmax(1) == labels)
        with _own_statistics(norms):
            own.append(network(images).argmax(1) == labels)
    return _compared(torch.cat(running), torch.cat(own))


def _compared(running: Tensor, own: Tensor) -> str | None:
    lost, won = (int((one & ~other).sum()) for one, other in ((own, running), (running, own)))
    if lost - won < 0.02 * len(own) or lost - won <= 2 * math.sqrt(lost + won):
        return None
    return (
        f"the norms' running statistics lag behind the weights: with them {running.double().mean():.1%} of "
        f"{len(own)} training images are right, with those of each batch, as in training, {own.double().mean():.1%}; "
        "more epochs help, or frozen norms where weights are pretrained (transfer.freeze_norms true)"
    )


@contextmanager
def _own_statistics(norms: list[BatchNorm]) -> Iterator[None]:
    """Let norms use the statistics of the batch, and keep their running ones."""
    before = [layer.momentum for layer in norms]
    counters = [layer.num_batches_tracked for layer in norms]
    for layer in norms:
        layer.train()
        layer.momentum, layer.num_batches_tracked = 0.0, None
    try:
        yield
    finally:
        for layer, momentum, counter in zip(norms, before, counters, strict=True):
            layer.eval()
            layer.momentum, layer.num_batches_tracked = momentum, counter
