"""Which modules a picture goes through, and their outputs; by forward hooks alone, for any network."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from assay.base.registry import choose


@dataclass(frozen=True)
class Call:
    """One call of a module in a forward pass: its dotted name, the module, and the shape of its output."""

    name: str
    module: nn.Module
    shape: tuple[int, ...]

    @property
    def positions(self) -> tuple[int, ...]:
        """Height and width of the maps ``[B, C, H, W]``; empty where the output is not a map."""
        return self.shape[2:] if len(self.shape) == 4 else ()


def find_layers(network: nn.Module, names: Iterable[str]) -> dict[str, nn.Module]:
    """Return the modules of those dotted names; raise ``ValueError`` with the nearest name for an unknown one."""
    modules = {name: module for name, module in network.named_modules() if name}  # the network itself has no name
    return {name: choose("layer", name, modules) for name in names}


@contextmanager
def watching(network: nn.Module, names: Iterable[str], see: Callable[[str, Tensor], None]) -> Iterator[None]:
    """Call ``see(name, output)`` whenever one of the named modules has returned a tensor.

    The output must be read at once: an activation behind the module may overwrite it in place.
    """

    def hook(name: str, _module: nn.Module, _inputs: Any, output: Any) -> None:
        if isinstance(output, Tensor):
            see(name, output)

    handles = [
        module.register_forward_hook(partial(hook, name)) for name, module in find_layers(network, names).items()
    ]
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()


def trace(network: nn.Module, images: Tensor) -> list[Call]:
    """Return all calls of modules in the order in which they return; a module may be called several times."""
    modules = {name: module for name, module in network.named_modules() if name}
    calls: list[Call] = []

    def see(name: str, output: Tensor) -> None:
        calls.append(Call(name, modules[name], tuple(output.shape)))

    with torch.no_grad(), watching(network, modules, see):
        network(images)
    return calls


def first_block(calls: Sequence[Call]) -> str:
    """Return the module that ends the first convolution's block: its activation, or its norm, or itself."""
    start = next(place for place, call in enumerate(calls) if isinstance(call.module, nn.Conv2d))
    last = calls[start]
    for call in calls[start + 1 :]:
        if call.shape != last.shape or any(weight.ndim > 1 for weight in call.module.parameters()):
            break
        if not isinstance(call.module, nn.Identity):  # timm puts one where a block has no activation
            last = call
    return last.name


def stages(calls: Sequence[Call]) -> list[str]:
    """Return the last module at each resolution of a convolution's output, from the input to the head.

    In a residual network these are the stem and the stages, in a VGG the activations before each pooling. Maps of a
    single position are left out.
    """
    sizes = dict.fromkeys(call.positions for call in calls if isinstance(call.module, nn.Conv2d))
    return [
        next(call.name for call in reversed(calls) if call.positions == size)
        for size in sizes
        if max(size, default=0) > 1
    ]
