"""What every model does, and what is refused."""

from __future__ import annotations

import copy
import math
import re
from typing import Any

import pytest
import torch
from torch.nn import functional as F
from torch.testing import assert_close

from assay.models import ACTIVATIONS, MODELS, build_model


def narrow(name: str) -> dict[str, Any]:
    return {} if name == "simple-cnn" else {"width": 1 / 8}


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("name", MODELS)
def test_every_model_runs_both_ways(name: str, channels: int) -> None:
    torch.manual_seed(0)
    model = build_model(name, classes=5, channels=channels, **narrow(name))
    output = model(torch.randn(2, channels, 32, 32))
    assert output.shape == (2, 5)
    F.cross_entropy(output, torch.tensor([1, 4])).backward()
    assert all(p.grad is not None and p.grad.isfinite().all() for p in model.parameters())
    assert any(p.grad.abs().sum() > 0 for p in model.parameters())


@pytest.mark.parametrize("name", MODELS)
def test_the_seed_decides_the_weights(name: str) -> None:
    def weights(seed: int) -> torch.Tensor:
        torch.manual_seed(seed)
        model = build_model(name, classes=2, **narrow(name))
        return torch.cat([p.detach().flatten() for p in model.parameters()])

    assert weights(0).equal(weights(0))
    assert not weights(0).equal(weights(1))


@pytest.mark.parametrize("name", MODELS)
def test_none_is_the_default(name: str) -> None:
    with torch.device("meta"):
        plain, given = (
            build_model(name, classes=2, image_size=32, **options) for options in ({}, {"activation": None})
        )
    assert repr(plain) == repr(given)


def test_none_keeps_the_defaults_of_all_resnet_and_vgg_options() -> None:
    stem, blocks = ["stem_kernel", "stem_stride", "stem_pool"], ["shortcut", "tweak", "zero_gamma"]
    head, others = ["hidden", "dropout", "dropout_place"], ["width", "activation", "init"]
    resnet = dict.fromkeys([*stem, *blocks, *head, *others])
    vgg = dict.fromkeys(["batch_norm", "head_norm", "activation", "head", "dropout", "width", "init"])
    with torch.device("meta"):
        for name, options in (("resnet50", resnet), ("vgg11", vgg)):
            assert repr(build_model(name, classes=2, **options)) == repr(build_model(name, classes=2))


FORMULAS = {
    "relu": lambda x: x.clamp(min=0),
    "elu": lambda x: torch.where(x > 0, x, x.exp() - 1),
    "leaky_relu": lambda x: torch.where(x > 0, x, 0.01 * x),
    "rrelu": lambda x: torch.where(x > 0, x, (1 / 8 + 1 / 3) / 2 * x),  # the mean slope, when evaluating
    "sigmoid": lambda x: 1 / (1 + (-x).exp()),
    "tanh": lambda x: (x.exp() - (-x).exp()) / (x.exp() + (-x).exp()),
    "gelu": lambda x: x * (1 + torch.erf(x / math.sqrt(2))) / 2,
    "silu": lambda x: x / (1 + (-x).exp()),
}


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_activation_is_its_formula(name: str) -> None:
    x = torch.linspace(-3, 3, 41, dtype=torch.float64)
    assert_close(ACTIVATIONS[name]().eval()(x.clone()), FORMULAS[name](x))


@pytest.mark.parametrize("activation", ACTIVATIONS)
@pytest.mark.parametrize("name", ["simple-cnn", "resnet50", "vgg11"])
def test_working_in_place_changes_no_number(name: str, activation: str) -> None:
    torch.manual_seed(0)
    ours = build_model(name, classes=3, activation=activation, **narrow(name)).double()
    kind = type(ACTIVATIONS[activation]())
    assert any(isinstance(layer, kind) for layer in ours.modules())
    safe = copy.deepcopy(ours)
    for layer in safe.modules():
        if getattr(layer, "inplace", False):
            layer.inplace = False
    images, results = torch.randn(2, 3, 32, 32, dtype=torch.float64), []
    for model in (ours, safe):
        torch.manual_seed(1)  # for the slopes of rrelu
        output = model(images)
        output[:, 1].sum().backward()
        results.append([output.detach(), *(p.grad for p in model.parameters())])
    assert_close(results[0], results[1], rtol=0, atol=0)


@pytest.mark.parametrize("size", [16, 17, 28, 31, 32, 64])
def test_simple_cnn_fits_its_head_to_the_image(size: int) -> None:
    model = build_model("simple-cnn", classes=4, channels=1, image_size=size)
    assert model(torch.randn(2, 1, size, size)).shape == (2, 4)


def test_simple_cnn_is_lenet() -> None:
    torch.manual_seed(0)
    model = build_model("simple-cnn", classes=4, activation="tanh")
    (a, b), (c, d), *linears = [(p, q) for p, q in zip(*[iter(model.parameters())] * 2, strict=True)]
    x = images = torch.randn(2, 3, 32, 32)
    x = F.max_pool2d(torch.tanh(F.conv2d(x, a, b)), 2)
    x = F.max_pool2d(torch.tanh(F.conv2d(x, c, d)), 2).flatten(1)
    (e, f), (g, h), (i, j) = linears
    expected = F.linear(torch.tanh(F.linear(torch.tanh(F.linear(x, e, f)), g, h)), i, j)
    assert_close(model(images), expected)


REFUSED: list[tuple[str, dict[str, Any], str]] = [
    ("restnet18", {}, "unknown model 'restnet18': did you mean resnet18?"),
    ("resnet18", {"widht": 0.5}, "model resnet18 has no option 'widht': did you mean width?"),
    ("resnet18", {"blocks": "b"}, "has no option 'blocks'"),
    ("resnet18", {"head": "cifar"}, "has no option 'head'"),
    ("vgg16", {"layers": 3}, "has no option 'layers'"),
    ("vgg16", {"hidden": 10}, "has no option 'hidden'"),
    ("simple-cnn", {"width": 0.5}, "model simple-cnn has no option 'width': choose from activation"),
    ("simple-cnn", {"image_size": 15}, "image_size of simple-cnn must be a whole number of at least 16"),
    ("vgg11", {"image_size": 31}, "image_size of a VGG must be a whole number of at least 32, got 31"),
    ("resnet18", {"image_size": 0}, "image_size must be a whole number of at least 1, got 0"),
    ("resnet18", {"activation": "rellu"}, "unknown activation 'rellu': did you mean"),
    ("resnet18", {"shortcut": "convolution"}, "unknown shortcut 'convolution': did you mean"),
    ("resnet18", {"init": "kaiming"}, "unknown init 'kaiming': choose from he, xavier, dirac, torch"),
    ("resnet18", {"tweak": "e"}, "unknown tweak for this depth 'e': choose from b, c, d"),
    ("resnet18", {"tweak": "a"}, "unknown tweak for this depth 'a': choose from b, c, d"),
    ("resnet50", {"tweak": "ab"}, "unknown tweak for this depth 'ab': did you mean"),
    ("resnet50", {"tweak": "c", "stem_kernel": 3}, "stem_kernel does not go with tweak 'c'.*tweak 'b'"),
    ("resnet50", {"tweak": "d", "stem_kernel": 7}, "stem_kernel does not go with tweak 'd'.*tweak 'b'"),
    ("resnet50", {"tweak": "d", "shortcut": "pad"}, "no convolution for tweak 'd'.*choose tweak 'c'"),
    ("resnet18", {"dropout_place": "before_norm"}, "dropout_place 'before_norm' needs a hidden layer"),
    (
        "resnet18",
        {"hidden": 9, "dropout_place": "before_nrom"},
        "unknown dropout_place 'before_nrom': did you mean before_norm?",
    ),
    ("resnet18", {"hidden": 9, "dropout_place": ""}, "unknown dropout_place ''"),
    ("vgg11", {"head": "imagenett"}, "unknown head 'imagenett': did you mean imagenet?"),
    ("vgg11", {"init": "hee"}, "unknown init 'hee': did you mean he?"),
    *[
        ("resnet18", {"stem_kernel": bad}, "stem_kernel must be one of 3, 5, 7, 9, 11, got")
        for bad in (0, 2, 13, -3, 3.0, True)
    ],
    *[("resnet18", {"stem_stride": bad}, "stem_stride must be one of 1, 2, got") for bad in (0, 3, True)],
    *[("resnet18", {"stem_pool": bad}, "stem_pool must be one of True, False") for bad in (1, "yes")],
    *[("resnet18", {"zero_gamma": bad}, "zero_gamma must be one of True, False") for bad in (0, "no")],
    *[("vgg11", {"batch_norm": bad}, "batch_norm must be one of True, False") for bad in (1, "true")],
    *[("resnet18", {"hidden": bad}, "hidden must be a whole number") for bad in (0, -1, 2.5, True)],
    *[
        (name, {"dropout": bad}, "dropout must be a number from 0 up to but not including 1")
        for name in ("resnet18", "vgg11")
        for bad in (-0.1, 1, 1.0, math.nan, math.inf, "0.5", True)
    ],
    *[
        (name, {"width": bad}, "width must be a number from 0.125 to 16")
        for name in ("resnet18", "vgg11")
        for bad in (0, -1.0, 0.03, 33, math.nan, math.inf, "1", True)
    ],
    *[(name, {"classes": 0}, "classes must be a whole number of at least 1") for name in MODELS],
    *[(name, {"channels": 0}, "channels must be a whole number of at least 1") for name in MODELS],
]


@pytest.mark.parametrize(("name", "options", "words"), REFUSED)
def test_mistakes_are_refused_in_one_line(name: str, options: dict[str, Any], words: str) -> None:
    with torch.device("meta"), pytest.raises(ValueError, match=words.replace("?", re.escape("?"))) as refusal:
        build_model(name, **{"classes": 10, **options})
    assert "\n" not in str(refusal.value)
