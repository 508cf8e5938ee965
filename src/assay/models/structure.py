"""The parts of a network, from its first layers to its head: found from its modules alone, for any network."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from torch import nn

_CONTAINERS = (nn.Sequential, nn.ModuleList, nn.ModuleDict)


def final_layers(network: nn.Module) -> tuple[str, ...]:
    """The dotted names of the layers that give the scores: one, or several where a network averages its heads.

    Networks of timm name theirs; of any other network it is the last linear layer or convolution in the order of
    its modules.
    """
    named = getattr(network, "pretrained_cfg", {}).get("classifier") or ()
    modules = dict(network.named_modules())
    given = [name for name in ([named] if isinstance(named, str) else named) if name in modules]
    layers = [name for name, layer in modules.items() if isinstance(layer, nn.Linear | nn.Conv2d)]
    # LeViT's variants of stride 8 have a second head, distilled, that timm does not name.
    unnamed = [name for name in layers if given and is_within(name, ["head_dist"]) and name not in given]
    return tuple(given + unnamed) or tuple(layers[-1:])


def heads_of(network: nn.Module) -> tuple[str, ...]:
    """The dotted names of the modules that hold the final layers: ``("fc",)``, ``("classifier",)``.

    A head is the whole module beside the body: a VGG's three linear layers, a ConvNeXt's norm and linear layer.
    """
    # A network may be wrapped in modules that hold nothing else: its body and head are the first that stand together.
    root, path = network, ""
    while len(children := [pair for pair in root.named_children() if any(True for _ in pair[1].parameters())]) == 1:
        path, root = f"{path}{children[0][0]}.", children[0][1]
    beside = [f"{path}{name}" for name, _ in children] or [path.removesuffix(".")]
    return tuple(name for name in beside if any(is_within(layer, [name]) for layer in final_layers(network)))


def layer_groups(network: nn.Module) -> list[list[str]]:
    """The names of the learned parameters in groups, from the first layers to the head, which is the last group.

    A group is a block (a residual block, an inception module), or a layer that stands in no block; the
    norm or activation behind it belongs to it. Blocks are found by descending through containers
    (`torch.nn.Sequential` and its like, and modules that call themselves a stage or an encoder); the order is
    that in which the network's modules were made. Parameters that stand in no module of their own
    (a position embedding) belong to the first group. Parameters with ``requires_grad`` off are left out.
    """
    heads = heads_of(network)
    groups: list[list[str]] = []
    head: list[str] = []
    left = {name: parameter for name, parameter in network.named_parameters() if parameter.requires_grad}
    for unit in _units(network):
        own = {name: left.pop(name) for name in list(left) if is_within(name, [unit])}
        if is_within(unit, heads):
            head += own
        elif groups and all(parameter.ndim < 2 for parameter in own.values()):
            groups[-1] += own
        elif own:
            groups.append(list(own))
    groups = groups or ([[]] if left else [])
    if left:
        groups[0][:0] = left
    return [*groups, head]


def is_within(name: str, modules: Iterable[str]) -> bool:
    """Whether the dotted name is that of one of the modules or of something inside one."""
    return any(name == module or name.startswith(f"{module}.") for module in modules)


def _units(module: nn.Module, path: str = "") -> Iterator[str]:
    """Yield the names of the blocks, and of the layers outside blocks."""
    for name, child in module.named_children():
        # timm's stages and torchvision's encoders have classes of their own, which only their names tell.
        if isinstance(child, _CONTAINERS) or type(child).__name__.endswith(("Stage", "Encoder")):
            yield from _units(child, f"{path}{name}.")
        else:
            yield f"{path}{name}"
