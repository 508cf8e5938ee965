"""The feature maps of layers."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from assay.analysis.inspection.trace import watching


def feature_maps(network: nn.Module, images: Tensor, layers: Sequence[str]) -> dict[str, Tensor]:
    """Return the outputs of the named layers for images float32 ``[B, C, H, W]``.

    Returns:
        For each layer float32 ``[B, C, H, W]`` on the CPU; the output ``[B, C]`` of a linear layer becomes
        ``[B, C, 1, 1]``. Of a layer that is called several times, the last output.

    Raises:
        ValueError: no such layer, one that is not called, or one whose output is not maps.
    """
    maps: dict[str, Tensor] = {}

    def see(name: str, output: Tensor) -> None:
        # A copy, because a later layer may overwrite the output in place; cpu() does not copy what is on the CPU.
        maps[name] = output.detach().float().cpu().clone()

    with torch.no_grad(), watching(network, layers, see):
        network(images)
    for name in layers:
        if name not in maps:
            raise ValueError(f"layer {name!r} takes no part in the answer, or gives no tensor")
        if maps[name].ndim not in (2, 4):
            shape = "x".join(map(str, maps[name].shape[1:]))
            raise ValueError(f"layer {name!r} gives {shape} for an image: neither maps [C, H, W] nor a vector [C]")
    return {name: maps[name] if maps[name].ndim == 4 else maps[name][:, :, None, None] for name in layers}
