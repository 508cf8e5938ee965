"""Operations are counted as by hand, and as papers give them."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from assay.models import build_model
from assay.models.cost import count_flops

CPU = torch.device("cpu")


def test_a_convolution_and_a_linear_layer_by_hand() -> None:
    network = nn.Sequential(nn.Conv2d(3, 8, 5, bias=False), nn.Flatten(), nn.Linear(8 * 4 * 4, 10, bias=False))
    assert count_flops(network, 3, 8, CPU) == 2 * (4 * 4 * 8 * 3 * 25 + 8 * 4 * 4 * 10)


def test_resnet18_is_as_published() -> None:
    network = build_model("resnet18", classes=1000, image_size=224).eval()
    assert count_flops(network, 3, 224, CPU) / 2 == pytest.approx(1.81e9, rel=0.01)  # torchvision: 1.81 GMACs
