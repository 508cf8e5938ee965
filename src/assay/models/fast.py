"""A small network that learns small images fast."""

from __future__ import annotations

from itertools import pairwise

from torch import Tensor, nn

from assay.base.numbers import whole
from assay.base.registry import choose
from assay.models.blocks import ACTIVATIONS, INITS, Activation
from assay.models.checks import scaled

_PATCH = 2  # side of the first convolution's kernel, in pixels
_WIDTHS = (64, 256, 256)
_SMALLEST = 9  # pixels: behind the first convolution and three poolings one is left
_MOMENTUM = 0.4  # of the norms' running statistics: a short training changes the weights fast
_SCALE = 1 / 9  # of the scores: an untrained network's would be large, and have to be unlearned first


class FastCNN(nn.Module):
    """A 2x2 convolution, three groups of two 3x3 convolutions, and the largest value of each channel to a linear layer.

    Images (N, channels, H, W) become logits (N, classes). The form of Jordan 2024, "94% on CIFAR-10 in 3.29 Seconds on
    a Single GPU", section 3.1. The first convolution has two filters for each value of a patch, so that it can whiten
    (``transfer.whiten``).

    Args:
        classes: number of logits, at least 1.
        channels: of the images, at least 1.
        image_size: height and width of the images, at least 9; the network has the same parameters at every size.
        width: multiplies every number of channels but the first convolution's; from 1/8 to 16.
        activation: a name in `ACTIVATIONS`.
        init: of the 3x3 convolutions, a name in `INITS`; the other layers begin as torch draws them.

    Raises:
        ValueError: an option out of its range.
    """

    def __init__(
        self,
        *,
        classes: int,
        channels: int = 3,
        image_size: int = 32,
        width: float = 1.0,
        activation: str = "gelu",
        init: str = "dirac",
    ) -> None:
        super().__init__()
        whole("image_size of fast", image_size, low=_SMALLEST)
        act, initialise = choose("activation", activation, ACTIVATIONS), choose("init", init, INITS)
        stem = 2 * whole("channels", channels) * _PATCH**2
        self.stem = nn.Sequential(nn.Conv2d(channels, stem, _PATCH), act())
        widths = [stem, *(scaled(outputs, width) for outputs in _WIDTHS)]
        self.features = nn.Sequential(*(_group(inputs, outputs, act) for inputs, outputs in pairwise(widths)))
        self.classifier = nn.Linear(widths[-1], whole("classes", classes), bias=False)
        self.features.apply(initialise)

    def forward(self, x: Tensor) -> Tensor:
        """Logits (N, classes) of images (N, channels, H, W)."""
        logits: Tensor = self.classifier(self.features(self.stem(x)).amax((2, 3)))
        return _SCALE * logits


def _group(inputs: int, outputs: int, act: Activation) -> nn.Sequential:
    """Convolution and pooling, then another convolution, each with norm and activation; it halves the side."""
    halved = (_conv(inputs, outputs), nn.MaxPool2d(2), nn.BatchNorm2d(outputs, momentum=_MOMENTUM), act())
    return nn.Sequential(*halved, _conv(outputs, outputs), nn.BatchNorm2d(outputs, momentum=_MOMENTUM), act())


def _conv(inputs: int, outputs: int) -> nn.Conv2d:
    return nn.Conv2d(inputs, outputs, 3, padding=1, bias=False)
