"""Each option of a VGG changes what it says."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch
from torch import nn
from torch.testing import assert_close

from assay.models import build_model

VGGS = ["vgg11", "vgg13", "vgg16", "vgg19"]


def sketch(name: str = "vgg11", **options: Any) -> nn.Module:
    with torch.device("meta"):
        return build_model(name, classes=10, **options)


def small(**options: Any) -> nn.Module:
    torch.manual_seed(0)
    return build_model("vgg11", classes=10, width=1 / 8, **options)


def rates(model: nn.Module) -> list[float]:
    return [layer.p for layer in model.modules() if isinstance(layer, nn.Dropout)]


@pytest.mark.parametrize(("name", "layers"), list(zip(VGGS, [11, 13, 16, 19], strict=True)))
def test_depth_is_the_number_in_the_name(name: str, layers: int) -> None:
    assert sum(isinstance(m, nn.Conv2d | nn.Linear) for m in sketch(name).modules()) == layers


def test_configuration_a() -> None:
    table = [64, "M", 128, "M", 256, 256, "M", 512, 512, "M", 512, 512, "M"]
    built = [
        "M" if isinstance(layer, nn.MaxPool2d) else layer.out_channels
        for layer in sketch().features
        if isinstance(layer, nn.MaxPool2d | nn.Conv2d)
    ]
    assert built == table


def test_dropout_defaults_to_the_heads_own() -> None:
    assert rates(sketch()) == [0.0, 0.0]
    assert rates(sketch(head="imagenet")) == [0.5, 0.5]
    assert rates(sketch(dropout=0.3)) == [0.3, 0.3]
    assert rates(sketch(head="imagenet", dropout=0.0)) == [0.0, 0.0]


@pytest.mark.parametrize(("head", "units"), [("cifar", [512, 512, 512]), ("imagenet", [25088, 4096, 4096])])
def test_head_is_three_linear_layers(head: str, units: list[int]) -> None:
    linear, act, dropout = "Linear", "ELU", "Dropout"
    classifier = sketch(head=head, activation="elu").classifier
    order = [type(layer).__name__ for layer in classifier]
    assert order == [linear, act, dropout, linear, act, dropout, linear]
    assert [layer.in_features for layer in classifier if isinstance(layer, nn.Linear)] == units


def test_head_norm_follows_each_hidden_layer() -> None:
    block = ["Linear", "BatchNorm1d", "ReLU", "Dropout"]
    assert [type(layer).__name__ for layer in sketch(head_norm=True).classifier] == [*block, *block, "Linear"]
    assert not any(isinstance(layer, nn.BatchNorm2d) for layer in sketch(head_norm=True).modules())


@pytest.mark.parametrize("size", [32, 33, 63, 64, 96])
def test_cifar_head_averages_what_the_convolutions_leave(size: int) -> None:
    model = small(image_size=size).eval()
    images = torch.randn(2, 3, size, size)
    features = model.features(images)
    assert features.shape[2:] == (size // 32, size // 32)
    expected = model.classifier(features.sum((2, 3)) / (size // 32) ** 2)
    assert_close(model(images), expected)


def test_width_scales_convolutions_and_head() -> None:
    half = sketch(width=0.5)
    widths = [layer.out_channels for layer in half.features if isinstance(layer, nn.Conv2d)]
    assert widths == [32, 64, 128, 128, 256, 256, 256, 256]
    assert (half.classifier[0].in_features, half.classifier[0].out_features) == (256, 256)
    assert sketch(width=0.5, head="imagenet").classifier[3].out_features == 2048


def test_batch_norm_follows_each_convolution() -> None:
    kinds = [type(layer).__name__ for layer in sketch(batch_norm=True).features]
    after = [kinds[i + 1] for i, kind in enumerate(kinds) if kind == "Conv2d"]
    assert after == ["BatchNorm2d"] * 8
    assert "BatchNorm2d" not in [type(layer).__name__ for layer in sketch().features]


def test_init_he() -> None:
    model = small()
    convolution, linear = model.features[-3], model.classifier[3]
    assert convolution.weight.std().item() == pytest.approx(math.sqrt(2 / (64 * 9)), rel=0.03)
    assert linear.weight.std().item() == pytest.approx(math.sqrt(2 / linear.in_features), rel=0.05)
    assert convolution.bias.count_nonzero() == linear.bias.count_nonzero() == 0


def test_init_he_of_the_imagenet_head_is_torchvisions() -> None:
    linear = small(head="imagenet").classifier[3]
    assert linear.weight.std().item() == pytest.approx(0.01, rel=0.05)


@pytest.mark.parametrize("init", ["xavier", "torch"])
def test_other_inits_are_uniform(init: str) -> None:
    layers = [m for m in small(init=init).modules() if isinstance(m, nn.Conv2d | nn.Linear)]
    for layer in layers:
        outputs, inputs, *kernel = layer.weight.shape
        area = math.prod(kernel)
        xavier, default = math.sqrt(6 / ((inputs + outputs) * area)), 1 / math.sqrt(inputs * area)
        bound = xavier if init == "xavier" else default
        assert 0.8 * bound < layer.weight.abs().max() <= bound
    assert any(layer.bias.count_nonzero() for layer in layers) is (init == "torch")
