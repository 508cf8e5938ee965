"""The head of a ResNet, and what its weights start from."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch
from torch import nn
from torch.testing import assert_close

from assay.models import build_model


def sketch(**options: Any) -> nn.Module:
    """A model without memory, to look at its shapes."""
    with torch.device("meta"):
        return build_model("resnet18", classes=10, **options)


def small(**options: Any) -> nn.Module:
    torch.manual_seed(0)
    return build_model("resnet18", classes=10, width=1 / 8, **options)


def kinds(module: nn.Module) -> list[str]:
    return [type(layer).__name__ for layer in module]


def test_plain_head() -> None:
    model = sketch()
    assert isinstance(model.fc, nn.Linear)
    assert kinds(sketch(dropout=0.3).fc) == ["Dropout", "Linear"]
    assert sketch(dropout=0.3).fc[0].p == 0.3


@pytest.mark.parametrize(
    ("place", "order"),
    [
        ("before_norm", ["Linear", "Dropout", "BatchNorm1d", "Tanh", "Linear"]),
        ("after_norm", ["Linear", "BatchNorm1d", "Tanh", "Dropout", "Linear"]),
        (None, ["Linear", "BatchNorm1d", "Tanh", "Dropout", "Linear"]),
    ],
)
def test_hidden_head(place: str | None, order: list[str]) -> None:
    head = sketch(hidden=20, dropout=0.25, dropout_place=place, activation="tanh").fc
    assert kinds(head) == order
    assert (head[0].in_features, head[0].out_features, head[-1].in_features) == (512, 20, 20)
    assert [layer.p for layer in head if isinstance(layer, nn.Dropout)] == [0.25]


def test_head_reads_the_mean_of_the_last_stage() -> None:
    model = small().eval()
    x = torch.randn(2, 64, 3, 5)
    assert_close(model.avgpool(x), nn.AdaptiveAvgPool2d(1)(x).flatten(1))


def test_init_he_is_normal_with_fan_out() -> None:
    torch.manual_seed(0)
    weight = build_model("resnet18", classes=10, width=0.5).layer3[0].conv1.weight
    assert weight.std().item() == pytest.approx(math.sqrt(2 / (128 * 9)), rel=0.02)
    assert weight.abs().max() > 3 * weight.std()  # a uniform one ends at 1.7


@pytest.mark.parametrize("head", [{}, {"hidden": 40}])
def test_init_xavier_is_uniform_for_convolutions_and_linear_layers(head: dict[str, int]) -> None:
    for layer in small(init="xavier", **head).modules():
        if isinstance(layer, nn.Conv2d | nn.Linear):
            outputs, inputs, *kernel = layer.weight.shape
            bound = math.sqrt(6 / ((inputs + outputs) * math.prod(kernel)))
            assert 0.8 * bound < layer.weight.abs().max() <= bound
            assert layer.bias is None or layer.bias.count_nonzero() == 0


@torch.no_grad()
def test_init_dirac_passes_each_channel_on() -> None:
    drawn = dict(small(init="torch").named_modules())
    for name, layer in small(init="dirac").named_modules():
        if isinstance(layer, nn.Conv2d):
            outputs, inputs = layer.weight.shape[:2]
            images = torch.randn(2, inputs, 8, 8)
            same = min(inputs, outputs)
            assert_close(layer(images)[:, :same], images[:, :same, :: layer.stride[0], :: layer.stride[0]])
            assert torch.equal(layer.weight[same:], drawn[name].weight[same:])


def test_init_torch_draws_what_torch_does() -> None:
    for layer in small(init="torch", hidden=40).modules():
        if isinstance(layer, nn.Conv2d | nn.Linear):
            bound = 1 / math.sqrt(layer.weight[0].numel())
            assert 0.8 * bound < layer.weight.abs().max() <= bound
