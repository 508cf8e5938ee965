"""The fast network: its parameters and shapes by hand."""

from __future__ import annotations

import pytest
import torch
from torch import nn
from torch.testing import assert_close

from assay.models import build_model, count_parameters
from assay.models.fast import PooledConv2d
from assay.models.whitening import whitening_layer


def test_parameters_by_hand() -> None:
    """The network of Jordan's airbench94: 1.97 million, and a bias of the first convolution."""
    stem = 24 * 3 * 2 * 2 + 24
    convolutions = 9 * (24 * 64 + 64 * 64 + 64 * 256 + 256 * 256 + 256 * 256 + 256 * 256)
    norms = 2 * (2 * 64 + 4 * 256)
    assert count_parameters(build_model("fast", classes=10)) == stem + convolutions + norms + 256 * 10


@pytest.mark.parametrize("size", [9, 24, 32, 64])
def test_every_size_has_the_same_parameters_and_gives_scores(size: int) -> None:
    model = build_model("fast", classes=7, channels=1, image_size=size, width=0.25).eval()
    assert model(torch.randn(2, 1, size, size)).shape == (2, 7)
    assert count_parameters(model) == count_parameters(build_model("fast", classes=7, channels=1, width=0.25))


def test_sides_are_those_of_the_paper() -> None:
    model, sides = build_model("fast", classes=10), list[int]()
    for layer in model.modules():
        if isinstance(layer, nn.Conv2d | nn.MaxPool2d):
            layer.register_forward_hook(lambda _layer, _inputs, output: sides.append(output.shape[-1]))
    model(torch.randn(2, 3, 32, 32))
    assert sides == [31, 30, 15, 15, 14, 7, 7, 6, 3, 3]  # the paper's 31, 15 and 7, less what pooling drops


@pytest.mark.parametrize("sides", [(7, 7), (6, 7), (7, 6), (6, 6), (15, 31)])
def test_what_pooling_drops_changes_nothing(sides: tuple[int, int]) -> None:
    layer = PooledConv2d(3, 5).double()
    whole = nn.functional.conv2d(x := torch.randn(2, 3, *sides).double(), layer.weight, padding=1)
    assert_close(nn.functional.max_pool2d(layer(x), 2), nn.functional.max_pool2d(whole, 2))
    assert layer(x).shape[2:] == tuple(side - side % 2 for side in sides)


@torch.no_grad()
def test_an_untrained_one_passes_the_first_channels_on() -> None:
    """The groups begin as poolings of the channels that are there, but for norms and activations."""
    model = build_model("fast", classes=10, activation="relu").eval()
    x = model.stem(torch.randn(2, 3, 32, 32))
    pooled = nn.functional.max_pool2d(x, 2) / (1 + 1e-5) ** 0.5
    assert_close(model.features[0][:4](x)[:, :24], pooled)


def test_it_can_whiten_images_of_any_number_of_channels() -> None:
    for channels in (1, 3):
        layer = whitening_layer(build_model("fast", classes=10, channels=channels))
        assert layer.out_channels == 2 * layer.weight[0].numel()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"image_size": 8}, "image_size of fast must be a whole number of at least 9, got 8"),
        ({"width": 0.1}, "width must be a number from 0.125 to 16, got 0.1"),
        ({"init": "dirak"}, "unknown init 'dirak': did you mean dirac?"),
        ({"dropout": 0.1}, "model fast has no option 'dropout'"),
    ],
)
def test_options_out_of_range_are_refused(options: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        build_model("fast", classes=10, **options)
