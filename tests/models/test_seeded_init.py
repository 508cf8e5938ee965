"""Two networks of one seed begin alike wherever their layers have the same shapes."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from assay.models import build_model
from assay.models.seeded_init import seeded_init


def start(name: str, seed: int = 3, **options: object) -> dict[str, Tensor]:
    with seeded_init(seed):
        return build_model(name, **{"classes": 10, **options}).state_dict()


def different(first: dict[str, Tensor], second: dict[str, Tensor]) -> list[str]:
    return [name for name in first if first[name].shape != second[name].shape or not first[name].equal(second[name])]


@pytest.mark.parametrize(
    ("name", "options", "others"),
    [
        ("resnet18", {"stem_kernel": 3}, ["conv1.weight"]),
        ("resnet18", {"activation": "elu"}, []),
        ("resnet18", {"classes": 7}, ["fc.weight", "fc.bias"]),
        ("timm:convnext_atto", {"classes": 7}, ["head.fc.weight", "head.fc.bias"]),
    ],
)
def test_only_layers_of_another_shape_differ(name: str, options: dict[str, object], others: list[str]) -> None:
    assert different(start(name, image_size=64), start(name, image_size=64, **options)) == others


def test_another_seed_gives_other_weights() -> None:
    assert "layer1.0.conv1.weight" in different(start("resnet18"), start("resnet18", seed=4))


def test_layers_of_one_shape_are_drawn_apart_and_as_wide_as_their_formula() -> None:
    weights = start("resnet18")
    first, second = weights["layer4.1.conv1.weight"], weights["layer4.1.conv2.weight"]
    assert not first.equal(second)
    assert abs(torch.corrcoef(torch.stack([first.flatten(), second.flatten()]))[0, 1]) < 0.01
    assert first.std().item() == pytest.approx((2 / (512 * 9)) ** 0.5, rel=0.01)  # He et al. 2015, equation 10


def test_the_generator_is_left_as_it_was() -> None:
    torch.manual_seed(5)
    expected = torch.rand(3)
    torch.manual_seed(5)
    with seeded_init(0):
        nn.Linear(4, 4)
    assert torch.rand(3).equal(expected)
