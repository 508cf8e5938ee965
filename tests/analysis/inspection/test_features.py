"""Feature maps: what the layer gave, not what was made of it later."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from assay.analysis.inspection.features import feature_maps


def make() -> nn.Sequential:
    torch.manual_seed(0)
    head = nn.Sequential(nn.Flatten(), nn.Linear(5 * 4 * 4, 3))
    return nn.Sequential(nn.Conv2d(1, 5, 3), nn.ReLU(inplace=True), head).eval()


def images() -> torch.Tensor:
    return torch.randn(2, 1, 6, 6, generator=torch.Generator().manual_seed(1))


def test_the_maps_are_those_of_the_layer_although_relu_overwrites_them() -> None:
    network = make()
    found = feature_maps(network, images(), ["0", "1"])
    with torch.no_grad():
        before = nn.functional.conv2d(images(), network[0].weight, network[0].bias)
    assert found["0"].shape == (2, 5, 4, 4)
    torch.testing.assert_close(found["0"], before)
    assert (found["0"] < 0).any()
    torch.testing.assert_close(found["1"], before.clamp(min=0))


def test_a_vector_becomes_maps_of_one_position() -> None:
    found = feature_maps(make(), images(), ["2.1"])["2.1"]
    assert found.shape == (2, 3, 1, 1)
    torch.testing.assert_close(found[:, :, 0, 0], make()(images()).detach())


def test_layers_without_maps_are_refused_by_name() -> None:
    class Odd(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.tokens, self.unused = nn.Flatten(2), nn.Linear(1, 1)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            tokens: torch.Tensor = self.tokens(x)
            return tokens.mean(2)

    with pytest.raises(ValueError, match="layer 'tokens' gives 1x36 for an image"):
        feature_maps(Odd(), images(), ["tokens"])
    with pytest.raises(ValueError, match="layer 'unused' takes no part in the answer"):
        feature_maps(Odd(), images(), ["unused"])
    with pytest.raises(ValueError, match="unknown layer 'tokes': did you mean tokens"):
        feature_maps(Odd(), images(), ["tokes"])
