"""What each layer of a network costs."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

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


def layer_costs(network: nn.Module, image: Tensor) -> list[LayerCost]:
    """Return the layers that learn or that cost operations on one image ``[1, C, H, W]``, in the network's order.

    The sums are `assay.models.count_parameters` and `assay.models.cost.count_flops`.
    """
    modules = dict(network.named_modules())
    shapes: dict[str, tuple[int, ...]] = {}

    def see(name: str, output: Tensor) -> None:
        shapes[name] = tuple(output.shape[1:])

    with torch.no_grad(), watching(network, filter(None, modules), see), FlopCounterMode(display=False) as counter:
        network(image)
    parameters: Counter[str] = Counter()
    for name, weight in network.named_parameters():
        if weight.requires_grad:  # frozen weights are not learned
            parameters[name.rpartition(".")[0]] += weight.numel()
    root = type(network).__name__  # by which the counter calls the network, and its layers "ResNet.conv1"
    flops = {name: sum(counts.values()) for name, counts in counter.get_flop_counts().items()}
    costs = []
    for name, module in modules.items():
        path = f"{root}.{name}".rstrip(".")
        # The counter adds the operations of the modules inside a module to its own.
        own = flops.get(path, 0) - sum(flops.get(f"{path}.{child}", 0) for child, _ in module.named_children())
        costs.append(LayerCost(name, type(module).__name__, shapes.get(name, ()), parameters[name], own))
    return [cost for cost in costs if cost.parameters or cost.flops]
