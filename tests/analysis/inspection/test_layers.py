"""Costs by layer: hand-worked ones, and sums that equal the counters of the whole."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from assay.analysis.inspection.layers import LayerCost, layer_costs
from assay.models import build_model, count_parameters
from assay.models.cost import count_flops

SOME = [
    ("simple-cnn", {}),
    ("resnet18", {"width": 0.125, "tweak": "d"}),
    ("vgg11", {}),
    ("timm:vit_tiny_patch16_224", {}),
]


def test_the_layers_of_lenet_by_hand() -> None:
    network = build_model("simple-cnn", classes=10, channels=3, image_size=32).eval()
    rows = layer_costs(network, torch.zeros(1, 3, 32, 32))
    assert rows[:2] == [
        LayerCost("features.0", "Conv2d", (6, 28, 28), 6 * 3 * 25 + 6, 2 * 28 * 28 * 6 * 3 * 25),
        LayerCost("features.3", "Conv2d", (16, 10, 10), 16 * 6 * 25 + 16, 2 * 10 * 10 * 16 * 6 * 25),
    ]
    assert rows[-1] == LayerCost("classifier.4", "Linear", (10,), 850, 2 * 84 * 10)


@pytest.mark.parametrize(("model", "options"), SOME)
def test_the_sums_are_those_of_the_whole(model: str, options: dict[str, object]) -> None:
    size = 224 if "vit" in model else 32
    torch.manual_seed(0)
    network = build_model(model, classes=4, channels=3, image_size=size, **options).eval()
    rows = layer_costs(network, torch.zeros(1, 3, size, size))
    assert sum(row.parameters for row in rows) == count_parameters(network)
    assert sum(row.flops for row in rows) == count_flops(network, 3, size, torch.device("cpu"))
    assert all(row.flops >= 0 for row in rows)


def test_what_does_not_learn_is_not_counted_and_what_a_block_does_itself_is() -> None:
    class Block(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.scale, self.layer = nn.Parameter(torch.ones(4, 4)), nn.Linear(4, 4)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            out: torch.Tensor = self.layer(x) @ self.scale
            return out

    network = nn.Sequential(nn.Flatten(), Block())
    network[1].layer.bias.requires_grad_(False)
    rows = layer_costs(network, torch.zeros(1, 1, 2, 2))
    assert rows == [LayerCost("1", "Block", (4,), 16, 32), LayerCost("1.layer", "Linear", (4,), 16, 32)]
