"""Where a network's head is, and in which groups its layers stand, by hand."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from assay.models import build_model
from assay.models.structure import final_layers, heads_of, layer_groups


def on_meta(name: str, size: int = 64, **options: object) -> nn.Module:
    with torch.device("meta"):
        return build_model(name, classes=5, image_size=size, **options)


HEADS = [
    ("simple-cnn", {}, "classifier", "classifier.4"),
    ("resnet18", {}, "fc", "fc"),
    ("resnet18", {"dropout": 0.5}, "fc", "fc.1"),
    ("resnet18", {"hidden": 9}, "fc", "fc.4"),
    ("vgg11", {}, "classifier", "classifier.6"),
    ("torchvision:mobilenet_v3_small", {}, "classifier", "classifier.3"),
    ("torchvision:squeezenet1_1", {}, "classifier", "classifier.1"),
    ("torchvision:densenet121", {}, "classifier", "classifier"),
    ("torchvision:googlenet", {}, "fc", "fc"),
    ("torchvision:vit_b_32", {}, "heads", "heads.head"),
    ("timm:convnext_atto", {}, "head", "head.fc"),
    ("timm:tf_efficientnet_lite0", {}, "classifier", "classifier"),
    ("timm:regnetx_002", {}, "head", "head.fc"),
]


@pytest.mark.parametrize(("name", "options", "head", "final"), HEADS)
def test_the_head_and_its_final_layer(name: str, options: dict[str, object], head: str, final: str) -> None:
    network = on_meta(name, **options)
    assert heads_of(network) == (head,)
    assert final_layers(network) == (final,)
    layer = network.get_submodule(final)
    assert layer.weight.shape[0] == 5
    assert heads_of(nn.Sequential(network)) == (f"0.{head}",)


def test_a_network_may_have_two_heads() -> None:
    network = on_meta("timm:deit_tiny_distilled_patch16_224")
    assert final_layers(network) == ("head", "head_dist")
    assert heads_of(network) == ("head", "head_dist")
    assert layer_groups(network)[-1] == ["head.weight", "head.bias", "head_dist.weight", "head_dist.bias"]


def prefixes(groups: list[list[str]]) -> list[set[str]]:
    """What the names in each group begin with, before the parameter's own name."""
    return [{name.rpartition(".")[0] for name in group} for group in groups]


def test_groups_of_a_resnet_are_its_stem_its_blocks_and_its_head() -> None:
    groups = layer_groups(on_meta("resnet18"))
    assert prefixes(groups)[0] == {"conv1", "bn1"}
    blocks = [f"layer{stage}.{block}" for stage in (1, 2, 3, 4) for block in (0, 1)]
    for block, group in zip(blocks, groups[1:-1], strict=True):
        assert all(name.startswith(f"{block}.") for name in group)
    assert "layer2.0.downsample.1.bias" in groups[3]
    assert groups[-1] == ["fc.weight", "fc.bias"]


def test_groups_of_a_vgg_are_its_convolutions_with_their_norms() -> None:
    groups = layer_groups(on_meta("vgg11", batch_norm=True))
    starts = (0, 4, 8, 11, 15, 18, 22, 25)
    assert prefixes(groups)[:-1] == [{f"features.{start}", f"features.{start + 1}"} for start in starts]
    assert prefixes(groups)[-1] == {"classifier.0", "classifier.3", "classifier.6"}


@pytest.mark.parametrize(
    ("name", "count", "place", "start"),
    [
        ("simple-cnn", 3, 1, "features.3."),
        ("torchvision:mobilenet_v3_small", 14, 1, "features.1.block."),  # stem, 11 blocks, last convolution, head
        ("torchvision:densenet121", 63, 1, "features.denseblock1.denselayer1."),  # stem, 58 layers, 3 transitions
        ("torchvision:googlenet", 13, 3, "inception3a."),
        ("torchvision:vit_b_32", 14, 1, "encoder.layers.encoder_layer_0."),
        ("timm:tf_efficientnet_lite0", 19, 2, "blocks.1.0."),  # stem, 16 blocks, last convolution, head
        ("timm:regnetx_002", 15, 1, "s1.b1."),  # stem, 1 + 1 + 4 + 7 blocks, head
    ],
)
def test_groups_of_other_networks(name: str, count: int, place: int, start: str) -> None:
    network = on_meta(name)
    groups = layer_groups(network)
    assert len(groups) == count
    assert all(parameter.startswith(start) for parameter in groups[place])
    assert sorted(sum(groups, [])) == sorted(parameter for parameter, _ in network.named_parameters())  # noqa: RUF017


def test_what_the_network_itself_does_not_learn_is_in_no_group() -> None:
    network = nn.Sequential(nn.Conv2d(1, 2, 3), nn.BatchNorm2d(2), nn.Conv2d(2, 2, 3), nn.Linear(2, 2))
    network[0].weight.requires_grad_(False)
    network[1].weight.requires_grad_(False)
    assert layer_groups(network) == [["0.bias", "1.bias"], ["2.weight", "2.bias"], ["3.weight", "3.bias"]]
    network[0].requires_grad_(False)
    assert layer_groups(network) == [["1.bias"], ["2.weight", "2.bias"], ["3.weight", "3.bias"]]


class WithTable(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.table = nn.Parameter(torch.zeros(3))
        self.conv, self.fc = nn.Conv2d(1, 2, 3), nn.Linear(2, 2)


def test_parameters_outside_any_module_belong_to_the_first_group() -> None:
    assert layer_groups(WithTable()) == [["table", "conv.weight", "conv.bias"], ["fc.weight", "fc.bias"]]
