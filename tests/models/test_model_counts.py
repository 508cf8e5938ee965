"""Parameter counts, worked out by hand: a convolution has inputs * outputs * kernel area weights."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import nn

from assay.models import build_model, count_parameters

SMALL_STEM = {"stem_kernel": 3, "stem_stride": 1, "stem_pool": False}


def count(name: str, classes: int = 10, **options: Any) -> int:
    with torch.device("meta"):
        return count_parameters(build_model(name, classes=classes, **options))


# Each line of a ResNet is one stage: convolutions, their norms, and the projection with its norm.
RESNET18 = sum(
    [
        *[3 * 64 * 9, 2 * 64],
        *[4 * (64 * 64 * 9), 4 * 2 * 64],
        *[64 * 128 * 9, 3 * (128 * 128 * 9), 4 * 2 * 128, 64 * 128 + 2 * 128],
        *[128 * 256 * 9, 3 * (256 * 256 * 9), 4 * 2 * 256, 128 * 256 + 2 * 256],
        *[256 * 512 * 9, 3 * (512 * 512 * 9), 4 * 2 * 512, 256 * 512 + 2 * 512],
        *[512 * 10, 10],
    ]
)
RESNET34 = sum(
    [
        *[3 * 64 * 9, 2 * 64],
        *[6 * (64 * 64 * 9), 6 * 2 * 64],
        *[64 * 128 * 9, 7 * (128 * 128 * 9), 8 * 2 * 128, 64 * 128 + 2 * 128],
        *[128 * 256 * 9, 11 * (256 * 256 * 9), 12 * 2 * 256, 128 * 256 + 2 * 256],
        *[256 * 512 * 9, 5 * (512 * 512 * 9), 6 * 2 * 512, 256 * 512 + 2 * 512],
        *[512 * 10, 10],
    ]
)
# Of a bottleneck, first the 1x1 that reads (the first block reads another width), then the 3x3, then
# the 1x1 that widens.
RESNET50 = sum(
    [
        *[3 * 64 * 9, 2 * 64],
        *[64 * 64 + 2 * (256 * 64), 3 * (64 * 64 * 9), 3 * (64 * 256), 3 * (2 * 64 + 2 * 64 + 2 * 256)],
        *[64 * 256, 2 * 256],
        *[256 * 128 + 3 * (512 * 128), 4 * (128 * 128 * 9), 4 * (128 * 512), 4 * (4 * 128 + 2 * 512)],
        *[256 * 512, 2 * 512],
        *[512 * 256 + 5 * (1024 * 256), 6 * (256 * 256 * 9), 6 * (256 * 1024), 6 * (4 * 256 + 2 * 1024)],
        *[512 * 1024, 2 * 1024],
        *[1024 * 512 + 2 * (2048 * 512), 3 * (512 * 512 * 9), 3 * (512 * 2048), 3 * (4 * 512 + 2 * 2048)],
        *[1024 * 2048, 2 * 2048],
        *[2048 * 10, 10],
    ]
)
VGG_HEAD = 2 * (512 * 512 + 512) + 512 * 10 + 10
VGG11 = sum(
    [
        *[3 * 64 * 9 + 64, 64 * 128 * 9 + 128],
        *[128 * 256 * 9 + 256, 256 * 256 * 9 + 256],
        *[256 * 512 * 9 + 512, 3 * (512 * 512 * 9 + 512)],
        VGG_HEAD,
    ]
)
VGG16 = sum(
    [
        *[3 * 64 * 9 + 64, 64 * 64 * 9 + 64],
        *[64 * 128 * 9 + 128, 128 * 128 * 9 + 128],
        *[128 * 256 * 9 + 256, 2 * (256 * 256 * 9 + 256)],
        *[256 * 512 * 9 + 512, 5 * (512 * 512 * 9 + 512)],
        VGG_HEAD,
    ]
)
VGG16_NORMS = 2 * (2 * 64 + 2 * 128 + 3 * 256 + 6 * 512)


def test_the_sums_are_the_published_ones() -> None:
    assert RESNET18 == 11_173_962
    assert RESNET34 == 21_282_122
    assert RESNET50 == 23_520_842


@pytest.mark.parametrize(("name", "expected"), [("resnet18", RESNET18), ("resnet34", RESNET34), ("resnet50", RESNET50)])
def test_resnet_for_small_images(name: str, expected: int) -> None:
    assert count(name, **SMALL_STEM) == expected


def test_simple_cnn() -> None:
    first, second = 3 * 6 * 25 + 6, 6 * 16 * 25 + 16
    linears = 16 * 5 * 5 * 120 + 120 + 120 * 84 + 84 + 84 * 10 + 10
    assert first + second + linears == 62_006
    assert count("simple-cnn") == 62_006


def test_simple_cnn_follows_channels_classes_and_size() -> None:
    first, second = 1 * 6 * 25 + 6, 6 * 16 * 25 + 16
    linears = 16 * 4 * 4 * 120 + 120 + 120 * 84 + 84 + 84 * 2 + 2
    assert count("simple-cnn", classes=2, channels=1, image_size=28) == first + second + linears


def test_vgg_for_small_images() -> None:
    assert count("vgg11") == VGG11
    assert count("vgg16") == VGG16
    assert count("vgg16", batch_norm=True) == VGG16 + VGG16_NORMS == 15_253_578


@pytest.mark.parametrize("name", ["vgg13", "vgg19"])
def test_vggs_differ_in_the_convolutions_of_their_stages(name: str) -> None:
    shallow = 64 * 64 * 9 + 64 + 128 * 128 * 9 + 128  # the second ones of VGG-13 that VGG-11 lacks
    deep = 2 * (256 * 256 * 9 + 256) + 4 * (512 * 512 * 9 + 512)  # two more in each of three stages
    assert count(name) == VGG11 + shallow + (deep if name == "vgg19" else 0)


def test_vgg_with_the_papers_head() -> None:
    head = 25088 * 4096 + 4096 + 4096 * 4096 + 4096 + 4096 * 10 + 10
    assert count("vgg16", head="imagenet") == VGG16 - VGG_HEAD + head


def test_seven_by_seven_stem_is_the_default() -> None:
    assert count("resnet18") == RESNET18 + 3 * 64 * (49 - 9)


def test_deep_stem() -> None:
    stem = 3 * 32 * 9 + 2 * 32 + 32 * 32 * 9 + 2 * 32 + 32 * 64 * 9
    assert count("resnet18", tweak="c") == count("resnet18", tweak="d") == RESNET18 - 3 * 64 * 9 + stem


def test_shortcuts() -> None:
    projections = 64 * 128 + 2 * 128 + 128 * 256 + 2 * 256 + 256 * 512 + 2 * 512
    everywhere = 2 * (64 * 64 + 2 * 64) + 128 * 128 + 2 * 128 + 256 * 256 + 2 * 256 + 512 * 512 + 2 * 512
    assert count("resnet18", **SMALL_STEM, shortcut="pad") == RESNET18 - projections
    assert count("resnet18", **SMALL_STEM, shortcut="conv") == RESNET18 + everywhere


def test_hidden_layer() -> None:
    hidden = 512 * 100 + 100 + 2 * 100 + 100 * 10 + 10
    assert count("resnet18", **SMALL_STEM, hidden=100) == RESNET18 - (512 * 10 + 10) + hidden


def test_half_width() -> None:
    half = sum(
        [
            *[3 * 32 * 9, 2 * 32],
            *[4 * (32 * 32 * 9), 4 * 2 * 32],
            *[32 * 64 * 9, 3 * (64 * 64 * 9), 4 * 2 * 64, 32 * 64 + 2 * 64],
            *[64 * 128 * 9, 3 * (128 * 128 * 9), 4 * 2 * 128, 64 * 128 + 2 * 128],
            *[128 * 256 * 9, 3 * (256 * 256 * 9), 4 * 2 * 256, 128 * 256 + 2 * 256],
            *[256 * 10, 10],
        ]
    )
    assert count("resnet18", **SMALL_STEM, width=0.5) == half


def test_count_leaves_out_buffers_and_frozen_parameters() -> None:
    model = nn.Sequential(nn.Linear(3, 2), nn.BatchNorm1d(2))
    assert count_parameters(model) == 3 * 2 + 2 + 2 + 2
    model[0].requires_grad_(False)
    assert count_parameters(model) == 4
