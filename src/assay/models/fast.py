"""A small network that learns small images fast."""

from __future__ import annotations

from itertools import pairwise

import torch.nn.functional as F
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
    halved = (PooledConv2d(inputs, outputs), nn.MaxPool2d(2), nn.BatchNorm2d(outputs, momentum=_MOMENTUM), act())
    second = nn.Conv2d(outputs, outputs, 3, padding=1, bias=False)
    return nn.Sequential(*halved, second, nn.BatchNorm2d(outputs, momentum=_MOMENTUM), act())


class PooledConv2d(nn.Conv2d):
    """A 3x3 convolution with padding, without the last row or column of an odd number: 2x2 pooling would drop them.

    Of images of 32 pixels the fast network's convolutions have 31, 15 and 7 positions a side, so that 6, 13 and 27 %
    of what they compute would be dropped.
    """

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__(inputs, outputs, 3, padding=1, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        """Images (N, inputs, H, W) become (N, outputs, H or H - 1, W or W - 1), of even sides."""
        height, width = x.shape[2:]
        if height % 2 == 0 and width % 2 == 0:
            return super().forward(x)
        padded = F.pad(x, (1, 1 - width % 2, 1, 1 - height % 2))
        return F.conv2d(padded, self.weight)
