"""torchvision's networks are the oracle: their weights, loaded strictly, must compute the same."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
import torchvision
from torch import Tensor, nn
from torch.testing import assert_close

from assay.models import build_model
from quick_suite import rest_slow

RESNETS = ["resnet18", "resnet34", "resnet50", "resnet101", "resnet152"]
VGGS = ["vgg11", "vgg13", "vgg16", "vgg19"]


def randomise(model: nn.Module, generator: torch.Generator) -> None:
    """Give every norm other statistics, weights and biases than those it starts with."""
    for layer in model.modules():
        if isinstance(layer, nn.BatchNorm2d):
            layer.running_mean.normal_(std=0.2, generator=generator)
            layer.running_var.uniform_(0.5, 1.5, generator=generator)
            nn.init.uniform_(layer.weight, 0.5, 1.5, generator=generator)
            nn.init.normal_(layer.bias, std=0.2, generator=generator)


def gradients(model: nn.Module, images: Tensor, chosen: Callable[[str], bool]) -> dict[str, Tensor]:
    """Train-mode output and its gradients at the images and the chosen parameters."""
    images = images.clone().requires_grad_()
    torch.manual_seed(5)  # for the dropout
    output = model.train()(images)
    named = {"images": images, **{n: p for n, p in model.named_parameters() if chosen(n)}}
    weights = torch.linspace(-1, 2, output.numel(), dtype=output.dtype).view_as(output)
    slopes = torch.autograd.grad((output * weights).sum(), list(named.values()))
    return {"output": output.detach(), **dict(zip(named, slopes, strict=True))}


def shapes(model: nn.Module) -> list[tuple[str, torch.Size]]:
    return [(name, value.shape) for name, value in model.state_dict().items()]


@pytest.mark.parametrize("name", rest_slow(RESNETS[:3]))
def test_resnet_computes_what_torchvision_does(name: str) -> None:
    generator = torch.Generator().manual_seed(1)
    theirs = getattr(torchvision.models, name)(weights=None, num_classes=7)
    randomise(theirs, generator)
    with torch.device("meta"):
        ours = build_model(name, classes=7)
    ours.load_state_dict({k: v.clone() for k, v in theirs.state_dict().items()}, strict=True, assign=True)
    images = torch.randn(3, 3, 33, 41, generator=generator)
    with torch.no_grad():
        assert_close(ours.eval()(images), theirs.eval()(images))
    # In double precision, for batch norm on few values magnifies rounding.
    ours, theirs, images = ours.double(), theirs.double(), images.double()
    expected = gradients(theirs, images, lambda _: True)
    assert_close(gradients(ours, images, lambda _: True), expected)
    assert_close(ours.state_dict(), theirs.state_dict())  # the running statistics moved alike


@pytest.mark.parametrize("name", RESNETS + VGGS)
def test_state_dict_is_torchvisions_in_names_order_and_shapes(name: str) -> None:
    options = {} if name in RESNETS else {"head": "imagenet"}
    with torch.device("meta"):
        theirs = getattr(torchvision.models, name)(weights=None)
        ours = build_model(name, classes=1000, image_size=224, **options)
    assert shapes(ours) == shapes(theirs)


@pytest.fixture(scope="module")
def classifier() -> dict[str, Tensor]:
    """Weights of the 124 million parameters that all VGGs' heads have in common."""
    generator = torch.Generator().manual_seed(2)
    sizes = {"0": (4096, 25088), "3": (4096, 4096), "6": (7, 4096)}
    weights = {f"classifier.{k}.weight": torch.empty(s) for k, s in sizes.items()}
    biases = {f"classifier.{k}.bias": torch.randn(s[0], generator=generator) for k, s in sizes.items()}
    for weight in weights.values():
        bound = (6 / weight.shape[1]) ** 0.5
        weight.uniform_(-bound, bound, generator=generator)
    return weights | biases


@pytest.mark.parametrize("batch_norm", [False, True])
@pytest.mark.parametrize(("name", "size"), rest_slow(zip(VGGS, [32, 64, 40, 33], strict=True)))
def test_vgg_computes_what_torchvision_does(
    name: str, size: int, batch_norm: bool, classifier: dict[str, Tensor]
) -> None:
    generator = torch.Generator().manual_seed(3)
    with torch.device("meta"):
        theirs = getattr(torchvision.models, name + "_bn" * batch_norm)(num_classes=7)
        ours = build_model(name, classes=7, image_size=size, batch_norm=batch_norm, head="imagenet")
    theirs.features.to_empty(device="cpu").apply(_start)
    randomise(theirs, generator)
    weights = classifier | {f"features.{k}": v for k, v in theirs.features.state_dict().items()}
    theirs.load_state_dict(weights, strict=True, assign=True)
    ours.load_state_dict({k: v.clone() if "features" in k else v for k, v in weights.items()}, assign=True)
    images = torch.randn(2, 3, size, size, generator=generator)
    with torch.no_grad():
        assert_close(ours.eval()(images), theirs.eval()(images))

    def cheap(parameter: str) -> bool:
        return parameter not in {"classifier.0.weight", "classifier.3.weight"}

    assert_close(gradients(ours, images, cheap), gradients(theirs, images, cheap), rtol=1e-3, atol=1e-4)
    assert_close(ours.features.state_dict(), theirs.features.state_dict())


def _start(layer: nn.Module) -> None:
    if isinstance(layer, nn.Conv2d | nn.BatchNorm2d):
        layer.reset_parameters()
    if isinstance(layer, nn.Conv2d):
        nn.init.kaiming_normal_(layer.weight, generator=torch.Generator().manual_seed(4))
