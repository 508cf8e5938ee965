"""Freezing, unfreezing and rates of groups, worked out by hand."""

from __future__ import annotations

import copy

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from assay.models import build_model
from assay.models.structure import layer_groups
from assay.training.transfer import (
    FREEZES,
    build_learning,
    freeze_for,
    freeze_out,
    rate_factors,
    train_what_learns,
    until,
)

STEM, FIRST, LAST = "conv1.weight", "layer1.0.conv1.weight", "layer4.1.conv2.weight"


def resnet18() -> nn.Module:
    torch.manual_seed(0)
    return build_model("resnet18", classes=3, width=1 / 8)


def test_rates_of_a_resnet_by_hand() -> None:
    factors = rate_factors(layer_groups(resnet18()), layer_decay=0.5, head_lr=10)
    assert factors["fc.weight"] == factors["fc.bias"] == 10
    assert factors[LAST] == factors["layer4.1.bn2.bias"] == 1 / 2  # the block in front of the head
    assert factors["layer4.0.downsample.0.weight"] == 1 / 4
    assert factors[FIRST] == 1 / 2**8  # the first of eight blocks
    assert factors[STEM] == factors["bn1.weight"] == 1 / 2**9
    assert factors.keys() == dict(resnet18().named_parameters()).keys()


def test_without_a_decay_all_rates_are_the_same() -> None:
    assert set(rate_factors(layer_groups(resnet18())).values()) == {1.0}


@pytest.mark.parametrize(
    ("freeze", "options", "learning"),
    [
        ("none", {}, [4, 4, 4, 4, 4, 4]),
        ("body", {}, [1, 1, 1, 1, 1, 1]),
        ("gradual", {}, [1, 2, 3, 4, 4, 4]),
        ("gradual", {"unfreeze_after": 2}, [1, 1, 2, 3, 4, 4]),
        ("gradual", {"unfreeze_every": 2}, [1, 2, 2, 3, 3, 4]),
        ("gradual", {"unfreeze_after": 3, "unfreeze_every": 2}, [1, 1, 1, 2, 2, 3]),
    ],
)
def test_how_many_of_four_groups_learn(freeze: str, options: dict[str, int], learning: list[int]) -> None:
    policy = build_learning(freeze, **{"unfreeze_after": None, "unfreeze_every": None, **options})
    assert [policy(epoch, 4) for epoch in range(6)] == learning


@pytest.mark.parametrize(
    ("groups", "epochs", "first", "ends"),
    [
        (4, 8, 0.25, [2, 4, 6, 8]),
        (5, 10, 0.5, [5, 6, 8, 9, 10]),  # 5, 6.25, 7.5, 8.75, 10
        (3, 2, 0.1, [1, 1, 2]),  # at least one epoch
        (3, 1, 0.9, [1, 1, 1]),
        (1, 7, 0.5, [7]),  # a head alone
    ],
)
def test_when_layers_stop(groups: int, epochs: int, first: float, ends: list[int]) -> None:
    assert freeze_out(groups, epochs, first) == ends
    learning = until(ends)
    for epoch in range(epochs):
        assert learning(epoch, groups) == sum(epoch < end for end in ends)
    assert learning(0, groups) == groups
    assert learning(epochs - 1, groups) >= 1


def test_options_that_nothing_would_obey_are_refused() -> None:
    for freeze in ("none", "body"):
        with pytest.raises(ValueError, match=f"transfer.freeze {freeze} has no option 'unfreeze_after'"):
            build_learning(freeze, unfreeze_after=2)
    with pytest.raises(ValueError, match="did you mean gradual"):
        build_learning("gradually")
    assert set(FREEZES) == {"none", "body", "gradual"}


def frozen_in(network: nn.Module) -> set[str]:
    return {name for name, parameter in network.named_parameters() if not parameter.requires_grad}


@pytest.mark.parametrize("order", [range(12), reversed(range(12))])
def test_unfreezing_goes_from_the_head_to_the_stem_and_depends_on_the_epoch_alone(order: range) -> None:
    network = resnet18()
    groups, learning = layer_groups(network), build_learning("gradual")
    for epoch in order:
        freeze_for(network, groups, epoch, learning, frozen_norms=False)
        kept = groups[: max(0, 9 - epoch)]  # of the stem, 8 blocks and the head, 1 + epoch learn
        assert frozen_in(network) == {name for group in kept for name in group}


def test_frozen_norms_are_those_of_the_body() -> None:
    network = build_model("resnet18", classes=3, width=1 / 8, hidden=4)
    freeze_for(network, layer_groups(network), 0, build_learning("none"), frozen_norms=True)
    norms = {n for n, layer in network.named_modules() if isinstance(layer, nn.BatchNorm2d)}
    assert frozen_in(network) == {f"{name}.{kind}" for name in norms for kind in ("weight", "bias")}
    train_what_learns(network)
    assert not any(network.get_submodule(name).training for name in norms)
    assert network.fc[1].training  # the norm in the new head


def test_what_the_network_itself_does_not_learn_stays_so() -> None:
    network = resnet18()
    network.bn1.weight.requires_grad_(False)
    groups = layer_groups(network)
    freeze_for(network, groups, 0, build_learning("body"), frozen_norms=False)
    freeze_for(network, groups, 0, build_learning("none"), frozen_norms=False)
    assert frozen_in(network) == {"bn1.weight"}
    train_what_learns(network)
    assert network.bn1.training


@pytest.mark.parametrize("optimizer", [torch.optim.SGD, torch.optim.AdamW])
def test_a_frozen_body_does_not_move_at_all(optimizer: type[torch.optim.Optimizer]) -> None:
    network = resnet18()
    groups = layer_groups(network)
    update = optimizer(network.parameters(), lr=0.1, weight_decay=0.1)
    images, labels = torch.randn(4, 3, 32, 32), torch.tensor([0, 1, 2, 0])

    def step() -> None:
        train_what_learns(network)
        update.zero_grad()
        F.cross_entropy(network(images), labels).backward()
        update.step()

    step()  # gradients and, in AdamW, moments of all
    freeze_for(network, groups, 0, build_learning("body"), frozen_norms=False)
    before = copy.deepcopy(network.state_dict())
    step()
    changed = {name for name, tensor in network.state_dict().items() if not torch.equal(tensor, before[name])}
    assert changed == {"fc.weight", "fc.bias"}  # neither weights nor running statistics
    freeze_for(network, groups, 1, build_learning("gradual"), frozen_norms=False)
    before = copy.deepcopy(network.state_dict())
    step()
    changed = {name for name, tensor in network.state_dict().items() if not torch.equal(tensor, before[name])}
    assert changed == {name for name in before if name.startswith(("layer4.1.", "fc."))}


def test_a_norm_without_parameters_follows_what_is_around_it() -> None:
    inner = nn.Sequential(nn.Conv2d(1, 2, 3), nn.BatchNorm2d(2, affine=False), nn.Dropout())
    network = nn.Sequential(inner, nn.BatchNorm2d(2, affine=False), nn.Linear(2, 2))
    inner.requires_grad_(False)
    train_what_learns(network)
    assert not inner[1].training
    assert network[1].training
    assert inner[2].training  # dropout is no norm
