"""What each layer of a network costs."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from assay.analysis.inspection.trace import watching


@dataclass(frozen=True)
class LayerCost:
    """The cost of one layer.

    Attributes:
        name: dotted, as in `torch.nn.Module.named_modules`; empty for what the network itself does outside its modules.
        kind: its class.
        shape: of its output for one image, without the batch; empty where it gives no tensor.
        parameters: numbers that it learns, without those of layers inside it.
        flops: operations of one image's forward pass, likewise; a multiply-add counts as two.
    """

    name: str
    kind: str
    shape: tuple[int, ...]
    parameters: int
    flops: int

    def to_row(self) -> dict[str, Any]:
        """Return a flat row with the shape as text: ``64x32x32``."""
        return vars(self) | {"shape": "x".join(map(str, self.shape))}


def layer_costs(network: nn.Module, image: Tensor) -> list[LayerCost]:
    """Return the layers that learn or that cost operations, in the order of the network's modules.

    The sums are `assay.models.count_parameters` and `assay.models.cost.count_flops`.

    Args:
        network: in evaluation mode.
        image: one image, ``[1, C, H, W]``.
    """
    modules = dict(network.named_modules())
    shapes: dict[str, tuple[int, ...]] = {}

    def see(name: str, output: Tensor) -> None:
        shapes[name] = tuple(output.shape[1:])

    with torch.no_grad(), watching(network, filter(None, modules), see), FlopCounterMode(display=False) as counter:
        network(image)
    flops = _own_flops(network, counter)
    parameters = _own_parameters(network)
    rows = (
        LayerCost(name, type(module).__name__, shapes.get(name, ()), parameters[name], flops[name])
        for name, module in modules.items()
    )
    return [row for row in rows if row.parameters or row.flops]


def _own_flops(network: nn.Module, counter: FlopCounterMode) -> dict[str, int]:
    """Return the operations of each module outside the modules in it."""
    root = type(network).__name__  # by which the counter calls the network, and its layers "ResNet.conv1"
    counts = {name: sum(operations.values()) for name, operations in counter.get_flop_counts().items()}
    totals = {name: counts.get(f"{root}.{name}" if name else root, 0) for name, _ in network.named_modules()}
    return {
        name: totals[name] - sum(totals.get(f"{name}.{child}".lstrip("."), 0) for child, _ in module.named_children())
        for name, module in network.named_modules()
    }


def _own_parameters(network: nn.Module) -> Counter[str]:
    sizes: Counter[str] = Counter()
    for name, weight in network.named_parameters():
        if weight.requires_grad:  # frozen weights are not learned
            sizes[name.rpartition(".")[0]] += weight.numel()
    return sizes
