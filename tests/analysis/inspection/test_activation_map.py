"""Grad-CAM against the formula worked by hand, and against a network that looks at one corner."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from assay.analysis.inspection.activation_map import class_activation_maps
from assay.models import build_model


@pytest.mark.parametrize("inplace", [True, False])
@pytest.mark.parametrize("layer", ["0", "1"])
def test_it_is_the_paper_s_formula(layer: str, inplace: bool) -> None:
    torch.manual_seed(0)
    conv, linear = nn.Conv2d(2, 4, 3, padding=1).double(), nn.Linear(4 * 9, 3).double()
    network = nn.Sequential(conv, nn.ReLU(inplace=inplace), nn.Flatten(), linear).eval()
    images = torch.randn(6, 2, 3, 3, dtype=torch.float64)
    asked = torch.tensor([2, 0, 1, 2, 0, 1])

    before = conv(images).detach()
    active = (before > 0).double()
    gradient = linear.weight.detach()[asked].view(6, 4, 3, 3)  # of each class's score, by the activations
    maps, slope = (before, gradient * active) if layer == "0" else (before * active, gradient)
    weights = slope.mean((2, 3), keepdim=True)  # equation 1
    expected = (weights * maps).sum(1).clamp(min=0)  # equation 2

    found = class_activation_maps(network, images, asked, layer)
    assert (expected > 0).any()
    assert (expected == 0).any()
    torch.testing.assert_close(found, expected)


def test_it_is_enlarged_to_the_image() -> None:
    torch.manual_seed(0)
    network = nn.Sequential(nn.Conv2d(1, 3, 2, stride=2), nn.ReLU(), nn.Flatten(), nn.Linear(27, 2)).eval()
    image, asked = torch.randn(1, 1, 6, 6), torch.tensor([1])
    small = class_activation_maps(nn.Sequential(nn.Identity(), *network), image, asked, "2")
    assert small.shape == (1, 6, 6)
    maps = network[:2](image)
    weights = network[3].weight.detach()[1].view(1, 3, 3, 3).mean((2, 3), keepdim=True)
    coarse = (weights * maps).sum(1, keepdim=True).clamp(min=0).detach()
    torch.testing.assert_close(small, F.interpolate(coarse, (6, 6), mode="bilinear", align_corners=False)[:, 0])


class Corner(nn.Module):
    """The score of class 1 is the brightness of the corner above right, and nothing else."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(1, 1, 1, bias=False)
        nn.init.ones_(self.conv.weight)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        corner = self.conv(x)[:, 0, :4, -4:].mean((1, 2))
        return torch.stack([-corner, corner], dim=1)


def test_a_network_that_looks_at_a_corner_lights_that_corner() -> None:
    image = torch.zeros(1, 1, 16, 16)
    image[0, 0, :4, -4:] = 1
    heat = class_activation_maps(Corner().eval(), image, torch.tensor([1]), "conv")[0]
    assert (heat[:4, -4:] > 0).all()
    assert heat.sum() == heat[:4, -4:].sum()
    against = class_activation_maps(Corner().eval(), image, torch.tensor([0]), "conv")
    assert not against.any()  # nothing speaks for the other class


@pytest.mark.parametrize(("model", "options"), [("resnet18", {"width": 0.125}), ("vgg11", {}), ("simple-cnn", {})])
def test_it_repeats_itself_and_leaves_the_network_as_it_was(model: str, options: dict[str, float]) -> None:
    torch.manual_seed(0)
    network = build_model(model, classes=4, channels=3, image_size=32, **options)
    network = network.eval().to(memory_format=torch.channels_last)
    images = torch.randn(3, 3, 32, 32).contiguous(memory_format=torch.channels_last)
    layer = {"resnet18": "layer2", "vgg11": "features.0", "simple-cnn": "features.3"}[model]
    scores, asked = network(images), torch.tensor([0, 3, 1])
    first, second = (class_activation_maps(network, images, asked, layer) for _ in range(2))
    assert torch.equal(first, second)
    assert first.shape == (3, 32, 32)
    assert torch.equal(network(images), scores)
    assert all(weight.grad is None for weight in network.parameters())
    assert not any(module._forward_hooks for module in network.modules())


def test_a_layer_without_maps_is_refused() -> None:
    network = build_model("simple-cnn", classes=2, channels=1, image_size=16).eval()
    with pytest.raises(ValueError, match=r"layer 'classifier\.0' does not give maps"):
        class_activation_maps(network, torch.zeros(1, 1, 16, 16), torch.tensor([0]), "classifier.0")
