"""The first convolution's kernels as pictures."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from torch import nn

_CHANNELS_SHOWN = 4


@dataclass(frozen=True)
class Kernels:
    """A convolution's weights, float32 ``[O, I, k, k]``, and its name."""

    layer: str
    weights: NDArray[np.float32]

    @property
    def coloured(self) -> bool:
        """Whether filters can be shown in colour: they have three input channels."""
        return bool(self.weights.shape[1] == 3)

    @property
    def per_filter(self) -> int:
        """How many pictures show a filter: one in colours, or one for each of its first four channels."""
        return 1 if self.coloured else min(self.weights.shape[1], _CHANNELS_SHOWN)

    def pictures(self, most: int) -> NDArray[np.float32]:
        """Scale each filter to its largest magnitude; values that are not finite count as 0.

        Args:
            most: the largest number of filters to show, from the first on.

        Returns:
            With three input channels colours in [0, 1], ``[N, k, k, 3]``, where 0.5 is the weight 0. Otherwise values
            in [-1, 1], ``[N, k, k]``: a picture for each of a filter's first four channels.
        """
        filters = self.weights[:most]
        if self.coloured:
            return (0.5 + 0.5 * _scaled(filters)).transpose(0, 2, 3, 1)
        shown = _scaled(filters)[:, :_CHANNELS_SHOWN]
        return shown.reshape(-1, *shown.shape[2:])


def first_kernels(network: nn.Module) -> Kernels:
    """Return the kernels of the first 2-D convolution; raises ``ValueError`` if the network has none."""
    for name, layer in network.named_modules():
        if isinstance(layer, nn.Conv2d):
            return Kernels(name, layer.weight.detach().float().cpu().numpy())
    raise ValueError(f"{type(network).__name__} has no convolution to look at")


def _scaled(filters: NDArray[np.float32]) -> NDArray[np.float32]:
    # A diverged run leaves infinities; one of them would make all other weights of its filter look like 0.
    finite = np.nan_to_num(filters, posinf=0, neginf=0)
    largest = np.abs(finite).max(axis=(1, 2, 3), keepdims=True)
    return (finite / np.where(largest > 0, largest, 1)).astype(np.float32)
