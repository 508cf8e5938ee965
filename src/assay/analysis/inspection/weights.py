"""How a network's weights are distributed, layer by layer, and how those of two networks differ."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from torch import nn

NEAR_ZERO = 1e-3
"""A weight of a smaller magnitude counts as near zero."""

_BINS = 61  # odd: the bin in the middle is centred on zero
_SHARE_INSIDE = 0.999

Weights = Mapping[str, NDArray[np.float32]]
"""From a layer's dotted name to its weights, flat."""


@dataclass(frozen=True)
class Distribution:
    """The distribution of one layer's weights in one network.

    Attributes:
        layer: its dotted name.
        model: which network.
        count: how many weights.
        mean: of the weights.
        std: their standard deviation.
        near_zero: share of weights of a magnitude below ``NEAR_ZERO``, in [0, 1].
    """

    layer: str
    model: str
    count: int
    mean: float
    std: float
    near_zero: float


def layer_weights(network: nn.Module) -> Weights:
    """Return the weights of every convolution and linear layer; biases and the parameters of norms are left out."""
    return {
        name.removesuffix(".weight"): weight.detach().float().cpu().numpy().ravel()
        for name, weight in network.named_parameters()
        if name.endswith(".weight") and weight.ndim >= 2
    }


def distributions(models: Mapping[str, Weights]) -> list[Distribution]:
    """Return a row for each layer of each model; rows of the same layer follow one another."""
    rows = []
    for layer in all_layers(models):
        for model, layers in models.items():
            if layer in layers:
                wide = layers[layer].astype(np.float64)
                # The threshold is compared in float32, in which the weights are stored.
                near_zero = float((np.abs(layers[layer]) < NEAR_ZERO).mean())
                rows.append(Distribution(layer, model, wide.size, float(wide.mean()), float(wide.std()), near_zero))
    return rows


def all_layers(models: Mapping[str, Weights]) -> list[str]:
    """Return the names of the layers that any of the models has, in order."""
    return list(dict.fromkeys(layer for weights in models.values() for layer in weights))


def shared_bins(samples: Sequence[NDArray[np.float32]]) -> NDArray[np.float64]:
    """Return the edges of 61 bins around zero that hold 99.9 % of each sample's weights."""
    limit = max(float(np.quantile(np.abs(sample), _SHARE_INSIDE)) for sample in samples)
    return np.linspace(-1, 1, _BINS + 1) * max(limit, 1e-12)  # all weights may be 0


def shares(weights: NDArray[np.float32], edges: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the percentage of all weights in each bin; weights outside the edges are in none."""
    counts, _ = np.histogram(weights, edges)
    return 100 * counts / weights.size
