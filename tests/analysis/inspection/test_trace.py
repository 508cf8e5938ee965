"""Where a picture goes: layers by name, stages, the first block."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from assay.analysis.inspection.trace import find_layers, first_block, stages, trace
from assay.models import build_model


def network(name: str, size: int, **options: object) -> nn.Module:
    torch.manual_seed(0)
    return build_model(name, classes=3, channels=3, image_size=size, **options).eval()


@pytest.mark.parametrize(
    ("name", "size", "options", "block", "expected"),
    [
        ("simple-cnn", 32, {}, "features.1", ["features.1", "features.4"]),
        ("resnet18", 64, {"width": 0.125}, "act", ["act", "layer1", "layer2", "layer3", "layer4"]),
        # Without the stem's pooling the first stage has the stem's resolution; 1x1 maps are no stage.
        (
            "resnet18",
            8,
            {"width": 0.125, "stem_stride": 1, "stem_kernel": 3, "stem_pool": False},
            "act",
            ["layer1", "layer2", "layer3"],
        ),
        ("resnet18", 32, {"width": 0.125, "tweak": "c"}, "conv1.2", ["act", "layer1", "layer2", "layer3"]),
    ],
)
def test_stages_end_before_each_reduction(
    name: str, size: int, options: dict[str, object], block: str, expected: list[str]
) -> None:
    calls = trace(network(name, size, **options), torch.zeros(1, 3, size, size))
    assert first_block(calls) == block
    assert stages(calls) == expected


def test_the_last_stage_of_a_vgg_comes_before_the_pooling() -> None:
    vgg = network("vgg11", 32)
    calls = trace(vgg, torch.zeros(1, 3, 32, 32))
    modules = find_layers(vgg, stages(calls))
    assert [call.positions for call in calls if call.name == stages(calls)[-1]] == [(2, 2)]
    assert all(isinstance(module, nn.ReLU) for module in modules.values())


def test_a_shape_is_that_of_the_output() -> None:
    calls = trace(network("simple-cnn", 32), torch.zeros(2, 3, 32, 32))
    shapes = {call.name: call.shape for call in calls}
    assert shapes["features.0"] == (2, 6, 28, 28)
    assert shapes["classifier"] == (2, 3)
    assert next(call for call in calls if call.name == "classifier").positions == ()


def test_hooks_are_taken_off_again() -> None:
    simple = network("simple-cnn", 32)
    trace(simple, torch.zeros(1, 3, 32, 32))
    assert not any(module._forward_hooks for module in simple.modules())


def test_a_wrong_name_gets_the_nearest() -> None:
    with pytest.raises(ValueError, match=r"unknown layer 'feature\.0': did you mean features\.0\?"):
        find_layers(network("simple-cnn", 32), ["feature.0"])
