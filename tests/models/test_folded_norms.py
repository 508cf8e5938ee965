"""A network whose norms are folded gives the scores of the network itself, in float64 nearly to the bit."""

from collections.abc import Callable
from typing import Any

import pytest
import torch
import torchvision
from torch import Tensor, nn
from torch.nn.utils import parametrizations

from assay.models import build_model
from assay.models.folded_norms import folded_norms

NETWORKS: dict[str, tuple[Callable[[], nn.Module], int, int]] = {  # its norms, and how many stay norms
    "resnet18": (lambda: build_model("resnet18", classes=5, width=0.125), 20, 0),
    "vgg": (lambda: build_model("vgg11", classes=5, width=0.125, batch_norm=True), 8, 0),
    "fast": (lambda: build_model("fast", classes=5), 6, 3),  # a pool lies between
    "densenet": (lambda: torchvision.models.densenet121(num_classes=5), 121, 62),  # maps are joined before the norm
}


def randomised(network: nn.Module) -> nn.Module:
    """In evaluation, as if trained: no norm is the identity."""
    generator = torch.Generator().manual_seed(0)
    for layer in network.modules():
        if isinstance(layer, nn.BatchNorm2d):
            for tensor in (layer.running_mean, layer.running_var, layer.weight, layer.bias):
                if tensor is not None:
                    tensor.data.uniform_(0.5, 1.5, generator=generator)
    return network.double().eval()


def images() -> Tensor:
    return torch.randn(4, 3, 32, 32, generator=torch.Generator().manual_seed(1), dtype=torch.double)


def still_norms(network: nn.Module) -> int:
    """Norms that do their own work."""
    return sum(isinstance(layer, nn.BatchNorm2d) and "forward" not in vars(layer) for layer in network.modules())


@torch.inference_mode()
def check(network: nn.Module, stay: int) -> None:
    before = {name: value.clone() for name, value in network.state_dict().items()}
    expected = network(images())
    folded = folded_norms(network, images()[:1])
    torch.testing.assert_close(folded(images()), expected, rtol=1e-9, atol=1e-12)
    assert still_norms(folded) == stay
    assert torch.equal(network(images()), expected)  # which another thread may use
    assert all(torch.equal(before[name], value) for name, value in network.state_dict().items())


@pytest.mark.parametrize("name", NETWORKS)
def test_the_scores_are_those_of_the_network(name: str) -> None:
    build, norms, stay = NETWORKS[name]
    network = randomised(build())
    assert still_norms(network) == norms
    check(network, stay)


def test_timms_norms_keep_their_activation() -> None:
    timm = pytest.importorskip("timm")
    network = randomised(timm.create_model("tf_efficientnet_lite0", num_classes=5))
    assert still_norms(network) == 49
    check(network, 0)


class Joined(nn.Module):
    """A network in which a convolution and a norm meet as a test wants it."""

    def __init__(self, join: Callable[[Any, Tensor], Tensor], **layers: nn.Module) -> None:
        super().__init__()
        self.conv, self.norm, self.head = nn.Conv2d(3, 8, 3), nn.BatchNorm2d(8), nn.Linear(8, 5)
        for name, layer in layers.items():
            setattr(self, name, layer)
        self.join = join

    def forward(self, images: Tensor) -> Tensor:
        scores: Tensor = self.head(self.join(self, images).mean((2, 3)))
        return scores


def behind(net: Any, images: Tensor) -> Any:
    return net.norm(net.conv(images))


def shared(net: Any, images: Tensor) -> Any:
    values = net.conv(images)
    return net.norm(values) + values


def through_view(net: Any, images: Tensor) -> Any:
    values = net.conv(images)
    return net.norm(values) * values[:, :1]


class Centred(nn.Conv2d):
    """Its weights are not those that it multiplies by."""

    def forward(self, images: Tensor) -> Tensor:
        return nn.functional.conv2d(images, self.weight - self.weight.mean(), self.bias)


ODD: dict[str, Callable[[], nn.Module]] = {
    "used elsewhere too": lambda: Joined(shared),
    "used through a view": lambda: Joined(through_view),
    "convolution used twice": lambda: Joined(
        lambda net, images: net.norm(net.conv(images)) + net.conv(images.flip(-1))
    ),
    "norm used twice": lambda: Joined(lambda net, images: net.norm(net.conv(images)) + net.norm(net.conv(images) * 2)),
    "activation between": lambda: Joined(lambda net, images: net.norm(net.conv(images).relu())),
    "activation in place between": lambda: Joined(lambda net, images: net.norm(net.conv(images).relu_())),
    "convolution of another kind": lambda: Joined(behind, conv=Centred(3, 8, 3)),
    "weights that are computed": lambda: Joined(behind, conv=parametrizations.weight_norm(nn.Conv2d(3, 8, 3))),
    "statistics of the batch": lambda: Joined(behind, norm=nn.BatchNorm2d(8, track_running_stats=False)),
}


@pytest.mark.parametrize("name", ODD)
def test_a_norm_stays_where_folding_would_change_the_scores(name: str) -> None:
    check(randomised(ODD[name]()), 1)


def test_a_network_that_is_watched_stays() -> None:
    network, seen = randomised(NETWORKS["resnet18"][0]()), list[Tensor]()
    next(layer for layer in network.modules() if isinstance(layer, nn.Conv2d)).register_forward_hook(
        lambda _layer, _inputs, output: seen.append(output)
    )
    assert folded_norms(network, images()) is network
    assert not seen


def test_a_network_without_norms_stays() -> None:
    network = nn.Sequential(nn.Conv2d(3, 8, 3), nn.ReLU()).eval()
    assert folded_norms(network, images()) is network
