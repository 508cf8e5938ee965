"""Receptive fields against the formula for chains, and against the binomial shape of a stack of ones."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from numpy.polynomial import polynomial
from torch import nn

from assay.analysis.inspection.receptive_field import ReceptiveField, receptive_fields, theoretical_boxes
from assay.models import build_model

Chain = list[tuple[int, int]]


def formula(chain: Chain) -> int:
    """1 + the sum of (kernel - 1) times the product of the strides before."""
    size, jump = 1, 1
    for kernel, stride in chain:
        size, jump = size + (kernel - 1) * jump, jump * stride
    return size


@pytest.mark.parametrize("chain", [[(3, 1)] * 3, [(5, 2), (3, 1)], [(7, 2), (3, 2), (3, 1), (1, 1), (3, 2)]])
def test_the_theoretical_size_of_a_chain_is_the_formula_s(chain: Chain) -> None:
    torch.manual_seed(0)
    layers: list[nn.Module] = []
    for number, (kernel, stride) in enumerate(chain):
        conv = nn.Conv2d(2 if number else 1, 2, kernel, stride, padding=kernel // 2)
        nn.init.constant_(conv.bias, -100.0)  # no unit is active: the field does not depend on that
        layers += [conv, nn.BatchNorm2d(2), nn.ReLU(inplace=True)]
    network, name = nn.Sequential(*layers).eval(), str(len(layers) - 1)
    field = receptive_fields(network, torch.randn(2, 1, 65, 65), [name])[0]
    top, left, bottom, right = field.box
    assert (bottom - top, right - left) == (formula(chain),) * 2
    assert not field.clipped
    assert field.effective == 0  # nothing reaches a dead unit


def test_pooling_counts_like_a_convolution_and_the_edge_cuts() -> None:
    network = build_model("resnet18", classes=2, channels=1, image_size=128, width=0.125).eval()
    boxes = theoretical_boxes(network, torch.zeros(1, 1, 128, 128), ["conv1", "layer1", "layer2", "layer4"])
    sizes = [(bottom - top, right - left) for top, left, bottom, right in boxes.values()]
    # The known fields of ResNet-18: 7, 43, 99, 435.
    assert sizes == [(7, 7), (43, 43), (99, 99), (128, 128)]
    cut = ReceptiveField("layer4", np.ones((128, 128)), boxes["layer4"])
    assert cut.clipped


@pytest.mark.parametrize("level", [100.0, -100.0])
def test_activations_hide_nothing_from_the_theoretical_field(level: float) -> None:
    network = nn.Sequential(*(part for _ in range(3) for part in (nn.Conv2d(1, 1, 3), nn.ReLU()))).eval()
    box = theoretical_boxes(network, torch.full((1, 1, 15, 15), level), ["5"])["5"]
    assert box == (4, 4, 11, 11)


def test_a_stack_of_ones_gives_the_binomial_shape() -> None:
    network = nn.Sequential(*(nn.Conv2d(1, 1, 3, padding=1, bias=False) for _ in range(4))).double()
    for conv in network:
        nn.init.ones_(conv.weight)
    field = receptive_fields(network, torch.randn(3, 1, 21, 21, dtype=torch.float64), ["3"])[0]
    line = polynomial.polypow([1, 1, 1], 4)  # a trinomial's coefficients, 9 of them
    expected = np.zeros((21, 21))
    expected[6:15, 6:15] = np.outer(line, line) / line.max() ** 2
    np.testing.assert_allclose(field.strength, expected, atol=1e-12)
    assert field.box == (6, 6, 15, 15)
    assert field.effective == pytest.approx(np.sqrt((expected > 0.0455).sum()))


def test_gradients_are_averaged_over_images_channels_and_parts() -> None:
    torch.manual_seed(0)
    network = nn.Sequential(
        nn.Conv2d(2, 3, 3, padding=1), nn.ReLU(inplace=True), nn.Conv2d(3, 4, 3, padding=1)
    ).double()
    images = torch.randn(11, 2, 9, 9, dtype=torch.float64)  # more than are taken at a time
    total = torch.zeros(9, 9, dtype=torch.float64)
    for image in images:
        image = image[None].clone().requires_grad_()
        (slope,) = torch.autograd.grad(network(image)[0, :, 4, 4].sum(), image)
        total += slope[0].abs().sum(0)
    field = receptive_fields(network, images, ["2"])[0]
    np.testing.assert_allclose(field.strength, (total / total.max()).numpy(), atol=1e-12)


def test_the_network_is_left_as_it_was() -> None:
    network = build_model("simple-cnn", classes=2, channels=1, image_size=16).eval()
    before = {name: weight.clone() for name, weight in network.state_dict().items()}
    receptive_fields(network, torch.randn(1, 1, 16, 16), ["features.1", "features.4"])
    assert all(torch.equal(weight, before[name]) for name, weight in network.state_dict().items())
    assert all(weight.requires_grad and weight.grad is None for weight in network.parameters())
    assert next(network.parameters()).dtype == torch.float32


def test_a_layer_without_maps_is_refused() -> None:
    network = build_model("simple-cnn", classes=2, channels=1, image_size=16).eval()
    with pytest.raises(ValueError, match=r"layer 'classifier\.0' does not give maps"):
        receptive_fields(network, torch.zeros(1, 1, 16, 16), ["classifier.0"])
