"""Each option of a ResNet changes what it says, and all of them go together or are refused."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.testing import assert_close

from assay.models import build_model

RESNETS = ["resnet18", "resnet34", "resnet50", "resnet101", "resnet152"]
SMALL_STEM = {"stem_kernel": 3, "stem_stride": 1, "stem_pool": False}


def sketch(name: str = "resnet18", **options: Any) -> nn.Module:
    """A model without memory, to look at its shapes."""
    with torch.device("meta"):
        return build_model(name, classes=10, **options)


def small(name: str = "resnet18", **options: Any) -> nn.Module:
    torch.manual_seed(0)
    return build_model(name, classes=10, width=1 / 8, **options)


def output_size(model: nn.Module, layer: str, size: int) -> tuple[int, ...]:
    sizes: list[tuple[int, ...]] = []
    hook = model.get_submodule(layer).register_forward_hook(lambda _m, _i, out: sizes.append(out.shape[1:]))
    model(torch.empty(2, 3, size, size, device="meta"))
    hook.remove()
    return tuple(sizes[0])


def blocks(model: nn.Module) -> list[nn.Module]:
    return [block for stage in "1234" for block in model.get_submodule(f"layer{stage}")]


def norms_of(block: nn.Module) -> list[nn.BatchNorm2d]:
    return [layer for name, layer in block.named_children() if name.startswith("bn")]


def kinds(module: nn.Module) -> list[str]:
    return [type(layer).__name__ for layer in module]


@pytest.mark.parametrize(
    ("options", "after_stem", "after_layer4"),
    [
        ({}, (64, 16, 16), (512, 2, 2)),
        ({"stem_stride": 1}, (64, 32, 32), (512, 4, 4)),
        ({"stem_pool": False}, (64, 32, 32), (512, 4, 4)),
        (SMALL_STEM, (64, 64, 64), (512, 8, 8)),
        ({"stem_kernel": 11}, (64, 16, 16), (512, 2, 2)),
        ({"stem_kernel": 5}, (64, 16, 16), (512, 2, 2)),
        ({"tweak": "c"}, (64, 16, 16), (512, 2, 2)),
        ({"tweak": "d", "stem_stride": 1, "stem_pool": False}, (64, 64, 64), (512, 8, 8)),
        ({"width": 0.5}, (32, 16, 16), (256, 2, 2)),
        ({"width": 2}, (128, 16, 16), (1024, 2, 2)),
    ],
)
def test_sizes_on_the_way(options: dict[str, Any], after_stem: tuple[int, ...], after_layer4: tuple[int, ...]) -> None:
    model = sketch(**options)
    assert output_size(model, "maxpool", 64) == after_stem
    assert output_size(model, "layer4", 64) == after_layer4


@pytest.mark.parametrize("kernel", [3, 5, 7, 9, 11])
def test_stem_kernel(kernel: int) -> None:
    assert sketch(stem_kernel=kernel).conv1.weight.shape == (64, 3, kernel, kernel)


def test_width_scales_the_features_of_a_bottleneck() -> None:
    assert sketch("resnet50", width=0.5).fc.in_features == 1024


@pytest.mark.parametrize(("tweak", "strides"), [("a", (2, 1, 1)), ("b", (1, 2, 1)), ("d", (1, 2, 1))])
def test_tweak_places_the_stride_of_a_bottleneck(tweak: str, strides: tuple[int, ...]) -> None:
    model = sketch("resnet50", tweak=tweak)
    for stage in (model.layer2, model.layer3, model.layer4):
        first, *others = stage
        assert tuple(c.stride[0] for c in (first.conv1, first.conv2, first.conv3)) == strides
        assert all(c.stride == (1, 1) for b in others for c in b.modules() if isinstance(c, nn.Conv2d))


@pytest.mark.parametrize("stride", [1, 2])
@pytest.mark.parametrize("tweak", ["c", "d"])
def test_deep_stem_is_three_convolutions(tweak: str, stride: int) -> None:
    model = small(tweak=tweak, stem_stride=stride, activation="tanh").eval()
    first, norm1, _, second, norm2, _, third = model.conv1
    assert [c.weight.shape for c in (first, second, third)] == [(4, 3, 3, 3), (4, 4, 3, 3), (8, 4, 3, 3)]
    x = images = torch.randn(2, 3, 16, 16)
    x = torch.tanh(norm1(F.conv2d(x, first.weight, stride=stride, padding=1)))
    x = torch.tanh(norm2(F.conv2d(x, second.weight, padding=1)))
    assert_close(model.conv1(images), F.conv2d(x, third.weight, padding=1))


@pytest.mark.parametrize("name", ["resnet18", "resnet50"])
@pytest.mark.parametrize("tweak", ["b", "c", "d"])
def test_shortcut_of_a_tweak(name: str, tweak: str) -> None:
    model = small(name, tweak=tweak).eval()
    block = model.layer2[0]
    x = torch.randn(2, block.conv1.in_channels, 8, 8)
    weight = next(m.weight for m in block.downsample if isinstance(m, nn.Conv2d))
    if tweak == "d":
        quarters = [x[:, :, i::2, j::2] for i in (0, 1) for j in (0, 1)]
        expected = F.conv2d(sum(quarters) / 4, weight)
    else:
        expected = F.conv2d(x[:, :, ::2, ::2], weight)
    assert_close(block.downsample(x), block.downsample[-1](expected))


def test_pooled_shortcut_does_not_pool_where_there_is_no_stride() -> None:
    assert kinds(sketch("resnet50", tweak="d").layer1[0].downsample) == ["Conv2d", "BatchNorm2d"]


def test_pooled_shortcut_averages_at_the_edge_only_what_is_there() -> None:
    pool = small(tweak="d").layer2[0].downsample[0]
    image = torch.arange(9.0).view(1, 1, 3, 3)
    assert_close(pool(image), torch.tensor([[[[2.0, 3.5], [6.5, 8.0]]]]))


@pytest.mark.parametrize("options", [{}, {"tweak": "d"}, {"shortcut": "pad"}, {"tweak": "c"}])
@pytest.mark.parametrize("size", [1, 2, 7, 33])
def test_any_image_size(options: dict[str, Any], size: int) -> None:
    assert small("resnet50", **options)(torch.randn(2, 3, size, size)).shape == (2, 10)


def test_pad_takes_every_second_position_and_adds_zeros() -> None:
    shortcut = small(shortcut="pad").layer2[0].downsample
    x = torch.randn(2, 8, 5, 5)
    out = shortcut(x)
    assert out.shape == (2, 16, 3, 3)
    assert out[:, :8].equal(x[:, :, ::2, ::2])
    assert out[:, 8:].count_nonzero() == 0


@pytest.mark.parametrize(
    ("shortcut", "changed", "unchanged"),
    [
        ("projection", "Sequential", "Identity"),
        ("conv", "Sequential", "Sequential"),
        ("pad", "PaddedShortcut", "Identity"),
    ],
)
@pytest.mark.parametrize("name", ["resnet34", "resnet50"])
def test_shortcut_of_every_block(name: str, shortcut: str, changed: str, unchanged: str) -> None:
    model = sketch(name, shortcut=shortcut)
    widens = {model.layer2[0], model.layer3[0], model.layer4[0]}
    widens |= {model.layer1[0]} if name == "resnet50" else set()
    for block in blocks(model):
        assert type(block.downsample).__name__ == (changed if block in widens else unchanged)


def test_shortcut_convolution_is_1x1_with_norm_everywhere() -> None:
    for block in blocks(sketch(shortcut="conv")):
        convolution, norm = block.downsample
        assert convolution.kernel_size == (1, 1)
        assert norm.num_features == block.bn2.num_features


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("resnet18", {}),
        ("resnet18", {"tweak": "d", "shortcut": "conv"}),
        ("resnet50", {"shortcut": "pad"}),
        ("resnet50", {"init": "xavier", "tweak": "a"}),
    ],
)
def test_zero_gamma_makes_each_block_its_shortcut(name: str, options: dict[str, Any]) -> None:
    for model, same in ((small(name, zero_gamma=True, **options), True), (small(name, **options), False)):
        for block in blocks(model.eval()):
            x = torch.rand(2, block.conv1.in_channels, 4, 4)
            shortcut: Tensor = block.downsample(x)
            assert block(x).equal(shortcut.relu()) is same


def test_zero_gamma_zeroes_no_other_norm() -> None:
    for block in blocks(small("resnet50", zero_gamma=True)):
        *others, last = norms_of(block)
        assert last.weight.count_nonzero() == 0
        assert all((norm.weight == 1).all() for norm in others)


def test_activation_is_used_everywhere() -> None:
    model = sketch("resnet50", activation="silu", tweak="c", hidden=5)
    found = [type(m).__name__ for m in model.modules() if "activation" in type(m).__module__]
    assert set(found) == {"SiLU"}
    assert len(found) == 2 + 1 + 16 + 1  # deep stem, its last, one per block, head


@pytest.mark.parametrize(("name", "layers"), list(zip(RESNETS, [18, 34, 50, 101, 152], strict=True)))
def test_depth_is_the_number_in_the_name(name: str, layers: int) -> None:
    model = sketch(name, shortcut="pad")  # the shortcuts' convolutions are not counted
    assert sum(isinstance(m, nn.Conv2d | nn.Linear) for m in model.modules()) == layers
