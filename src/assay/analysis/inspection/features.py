"""The feature maps of layers."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from assay.analysis.inspection.trace import watching


def feature_maps(network: nn.Module, images: Tensor, layers: Sequence[str]) -> dict[str, Tensor]:
    """Return the outputs of the named layers, before a later layer can overwrite them in place.

    Args:
        network: in evaluation mode.
        images: its input, float32 ``[B, C, H, W]``.
        layers: dotted names as in `torch.nn.Module.named_modules`.

    Returns:
        For each layer float32 ``[B, C, H, W]`` on the CPU; the output ``[B, C]`` of a linear layer becomes
        ``[B, C, 1, 1]``. Of a layer that is called several times, the last output.

    Raises:
        ValueError: no such layer, one that is not called, or one whose output is not maps.
    """
    maps: dict[str, Tensor] = {}

    def see(name: str, output: Tensor) -> None:
        maps[name] = output.detach().float().cpu().clone()  # cpu() alone would not copy what is on the CPU

    with torch.no_grad(), watching(network, layers, see):
        network(images)
    return {name: _as_maps(name, maps.get(name)) for name in layers}


def _as_maps(name: str, output: Tensor | None) -> Tensor:
    if output is None:
        raise ValueError(f"layer {name!r} takes no part in the answer, or gives no tensor")
    if output.ndim not in (2, 4):
        shape = "x".join(map(str, output.shape[1:]))
        raise ValueError(f"layer {name!r} gives {shape} for an image: neither maps [C, H, W] nor a vector [C]")
    return output if output.ndim == 4 else output[:, :, None, None]
