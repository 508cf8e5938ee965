"""What a run needs of its recipe where several processes share its steps, and what its record says of them."""

from __future__ import annotations

import torch
from torch import nn

from assay.base.ranks import Ranks
from assay.recipe.recipe import Recipe


def check_processes(recipe: Recipe, network: nn.Module, ranks: Ranks) -> None:
    """Raise ``ValueError`` for batches too small for norms or to be shared, and for what one process alone can do."""
    train, processes, has_norms = recipe.train, f"{ranks.size} processes", _has_batch_norm(network)
    if has_norms and train.batch_size == train.accumulate:
        raise ValueError("train.batch_size: batch norm needs at least 2 images in each part of a batch")
    if ranks.size == 1:
        return
    if recipe.probe.every is not None:
        raise ValueError(f"probe.every: not with {processes}; it measures the loss of a whole batch in one")
    if train.compile and train.sync_norm and has_norms:
        raise ValueError(f"train.compile: with {processes} it needs train.sync_norm false")
    needed = ranks.size * (2 if has_norms and not train.sync_norm else 1)
    if train.batch_size // train.accumulate < needed:
        part = "" if train.accumulate == 1 else f" in {train.accumulate} parts"
        raise ValueError(
            f"train.batch_size: {train.batch_size}{part} is too few for {processes}, which need {needed} images"
        )


def device_of(ranks: Ranks, device: torch.device, name: str) -> torch.device:
    """This process's own device.

    Args:
        ranks: the processes.
        device: the one that a single process would take.
        name: ``train.device``, as the recipe has it.

    Raises:
        ValueError: the processes of this host would have to share one.
    """
    if ranks.size == 1 or device.type == "cpu":
        return device
    count = torch.cuda.device_count() if device.type == "cuda" else 1
    if ":" in name or count < ranks.local_size:
        raise ValueError(
            f"train.device {name}: {ranks.local_size} processes need a device each, and here "
            f"{'it names one' if ':' in name else f'is {count}'}; choose cpu, cuda, or fewer processes"
        )
    return torch.device(device.type, ranks.local_rank)


def in_words(recipe: Recipe, network: nn.Module, ranks: Ranks) -> list[str]:
    """A line on the processes, where there are several."""
    if ranks.size == 1:
        return []
    own = "batch norms see each process's own images; the running statistics are the mean of all processes'"
    norms = "batch norms see the whole batch" if recipe.train.sync_norm else own
    return [f"{ranks.size} processes share each batch" + (f"; {norms}" if _has_batch_norm(network) else "")]


def _has_batch_norm(network: nn.Module) -> bool:
    return any(isinstance(layer, nn.modules.batchnorm._BatchNorm) for layer in network.modules())
