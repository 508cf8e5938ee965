"""Models of torchvision and timm by name: the libraries' own constructors are the oracle."""

from __future__ import annotations

from functools import partial
from typing import Any

import pytest
import timm
import torch
import torchvision
from torch import nn
from torch.testing import assert_close

from assay.models import build_model, input_size, library
from assay.models.library import LIBRARIES
from quick_suite import rest_slow


def same_weights(ours: nn.Module, theirs: nn.Module) -> bool:
    mine, other = ours.state_dict(), theirs.state_dict()
    return list(mine) == list(other) and all(torch.equal(mine[name], other[name]) for name in mine)


SMALL: list[tuple[str, Any, dict[str, Any]]] = [
    ("torchvision:mobilenet_v3_small", torchvision.models.mobilenet_v3_small, {"num_classes": 7}),
    ("torchvision:shufflenet_v2_x0_5", torchvision.models.shufflenet_v2_x0_5, {"num_classes": 7}),
    ("torchvision:squeezenet1_1", torchvision.models.squeezenet1_1, {"num_classes": 7}),
    ("torchvision:regnet_x_400mf", torchvision.models.regnet_x_400mf, {"num_classes": 7}),
    ("torchvision:vit_b_32", torchvision.models.vit_b_32, {"num_classes": 7, "image_size": 64}),
    ("timm:mobilenetv3_small_050", timm.create_model, {"num_classes": 7, "model_name": "mobilenetv3_small_050"}),
    ("timm:test_resnet", timm.create_model, {"num_classes": 7, "model_name": "test_resnet"}),
    ("timm:test_vit", timm.create_model, {"num_classes": 7, "model_name": "test_vit", "img_size": 64}),
]


@pytest.mark.parametrize(
    ("name", "constructor", "options"), rest_slow(SMALL, quick=3), ids=[name for name, *_ in SMALL]
)
def test_a_seed_gives_the_librarys_own_network(name: str, constructor: Any, options: dict[str, Any]) -> None:
    torch.manual_seed(3)
    theirs = constructor(**options)
    torch.manual_seed(3)
    ours = build_model(name, classes=7, image_size=64)
    assert same_weights(ours, theirs)
    assert ours.training
    images = torch.randn(2, 3, 64, 64)
    assert_close(ours.eval()(images), theirs.eval()(images), rtol=0, atol=0)


@pytest.mark.parametrize("name", ["torchvision:inception_v3", "torchvision:googlenet"])
def test_inception_networks_give_plain_scores_while_training(name: str) -> None:
    with torch.device("meta"):
        network = build_model(name, classes=5, image_size=96)
        assert network.train()(torch.empty(2, 3, 96, 96)).shape == (2, 5)
        theirs = torchvision.models.get_model(name.partition(":")[2], num_classes=5, init_weights=False)
    auxiliary = ("AuxLogits", "aux1", "aux2")
    assert list(network.state_dict()) == [key for key in theirs.state_dict() if not key.startswith(auxiliary)]


@pytest.mark.parametrize("name", ["torchvision:mobilenet_v3_small", "torchvision:squeezenet1_1"])
def test_a_gray_image_is_seen_as_three_equal_channels(name: str) -> None:
    torch.manual_seed(0)
    color = build_model(name, classes=4, image_size=48).eval()
    torch.manual_seed(0)
    gray = build_model(name, classes=4, image_size=48, channels=1).eval()
    images = torch.randn(2, 1, 48, 48)
    assert_close(gray(images), color(images.expand(-1, 3, -1, -1)))


def test_timm_builds_for_one_channel_itself() -> None:
    torch.manual_seed(0)
    ours = build_model("timm:test_resnet", classes=4, channels=1)
    torch.manual_seed(0)
    assert same_weights(ours, timm.create_model("test_resnet", num_classes=4, in_chans=1))


@pytest.mark.parametrize("name", ["torchvision:mobilenet_v3_small", "timm:mobilenetv3_small_050"])
def test_dropout_is_the_librarys_own(name: str) -> None:
    with torch.device("meta"):
        network = build_model(name, classes=4, dropout=0.37)
    rates = [layer.p for layer in network.modules() if isinstance(layer, nn.Dropout)]
    assert 0.37 in [*rates, getattr(network, "drop_rate", None)]


@pytest.mark.parametrize("name", ["torchvision:regnet_x_400mf", "torchvision:mobilenet_v3_small", "timm:test_resnet"])
def test_on_meta_nothing_is_drawn_and_nothing_held(name: str) -> None:
    before = torch.get_rng_state()
    with torch.device("meta"):
        network = build_model(name, classes=4)
    assert torch.equal(torch.get_rng_state(), before)
    assert network.training
    assert {tensor.device.type for tensor in network.state_dict().values()} == {"meta"}
    assert build_model(name, classes=4).state_dict().keys() == network.state_dict().keys()


@pytest.mark.parametrize(
    ("name", "size"),
    [
        ("torchvision:inception_v3", 299),
        ("torchvision:efficientnet_b3", 300),
        ("timm:tf_efficientnet_lite0", 224),
        ("timm:test_resnet", 160),
        ("resnet18", None),
    ],
)
def test_input_size(name: str, size: int | None) -> None:
    assert input_size(name) == size


def test_the_smallest_size_is_that_of_a_real_network() -> None:
    words = "torchvision:alexnet needs images of at least 63 pixels, not 62; set data.size 224"
    with pytest.raises(ValueError, match=words):
        build_model("torchvision:alexnet", classes=2, image_size=62)
    network = torchvision.models.alexnet(num_classes=2).eval()
    assert network(torch.zeros(1, 3, 63, 63)).shape == (1, 2)
    with pytest.raises(RuntimeError, match="too small"):
        network(torch.zeros(1, 3, 62, 62))


REFUSED: list[tuple[str, dict[str, Any], str]] = [
    ("mobilenet_v3_small", {}, "unknown model 'mobilenet_v3_small': did you mean torchvision:mobilenet_v3_small?"),
    ("resnet34d", {}, "unknown model 'resnet34d': did you mean timm:resnet34d?"),
    ("tim:resnet34d", {}, "unknown library of models 'tim': did you mean timm?"),
    ("timm:resnet34dd", {}, "unknown model of timm 'resnet34dd': did you mean resnet34d?"),
    ("torchvision:vgg12", {}, "unknown model of torchvision 'vgg12': did you mean vgg1"),
    ("torchvision:fcn_resnet50", {}, "unknown model of torchvision"),  # it labels pixels
    ("torchvision:resnet18", {"width": 0.5}, "model torchvision:resnet18 has no option 'width'"),
    ("timm:test_resnet", {"stem_kernel": 3}, "model timm:test_resnet has no option 'stem_kernel'"),
    ("torchvision:resnet18", {"dropout": 0.5}, "model torchvision:resnet18 has no option 'dropout'"),
    ("torchvision:vgg11", {"dropout": 1.5}, "dropout must be a number from 0"),
    ("torchvision:resnet18", {"channels": 2}, "channels of torchvision:resnet18 must be 1 or 3, got 2"),
    ("torchvision:resnet18", {"classes": 0}, "classes must be a whole number of at least 1"),
    ("torchvision:resnet18", {"image_size": 0}, "image_size must be a whole number of at least 1"),
    ("torchvision:inception_v3", {}, "needs images of at least 75 pixels, not 32; set data.size 299"),
    ("torchvision:vit_b_16", {"image_size": 50}, "does not take images of 50 pixels (.*); set data.size 224"),
    ("timm:mobilenetv5_300m_enc", {"image_size": 64}, "does not take images of 64 pixels .it does not give a score"),
]


@pytest.mark.parametrize(("name", "options", "words"), REFUSED)
def test_mistakes_are_refused_in_one_line(name: str, options: dict[str, Any], words: str) -> None:
    with torch.device("meta"), pytest.raises(ValueError, match=words.replace("?", r"\?")) as refusal:
        build_model(name, **{"classes": 10, **options})
    assert "\n" not in str(refusal.value)


def test_a_size_that_fits_is_tried_once_and_another_is_still_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    tried, fits = [], library._tried
    monkeypatch.setattr(library, "_tried", lambda *arguments: tried.append(arguments[-1]) or fits(*arguments))
    monkeypatch.setattr(library, "_FITTING", set())
    build = partial(build_model, "torchvision:alexnet", classes=2)
    built = []
    for _ in range(2):
        torch.manual_seed(1)
        built.append(build(image_size=63).state_dict())
    assert tried == [63]
    assert all(torch.equal(first, second) for first, second in zip(*(state.values() for state in built), strict=True))
    with pytest.raises(ValueError, match="needs images of at least 63 pixels, not 62"):
        build(image_size=62)


def test_both_libraries_list_their_models() -> None:
    assert {"resnet18", "inception_v3"} <= set(LIBRARIES["torchvision"].names())
    assert {"resnet18", "tf_efficientnet_lite0"} <= set(LIBRARIES["timm"].names())
