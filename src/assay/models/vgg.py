"""VGG networks, with the classifier of CIFAR-sized images or of ImageNet."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import pairwise

from torch import Tensor, nn

from assay.base.numbers import whole
from assay.base.registry import choose
from assay.models.blocks import ACTIVATIONS, INITS, GlobalAverage, Init
from assay.models.checks import one_of, rate, scaled


def he_throughout(layer: nn.Module) -> None:
    """He initialisation of the linear layers too, without which this head does not learn when there are no norms."""
    INITS["he"](layer)
    if isinstance(layer, nn.Linear):
        nn.init.kaiming_normal_(layer.weight, nonlinearity="relu")
        nn.init.zeros_(layer.bias)


def he_with_small_head(layer: nn.Module) -> None:
    """He initialisation of the convolutions and N(0, 0.01) for the linear layers, as in torchvision."""
    INITS["he"](layer)
    if isinstance(layer, nn.Linear):
        nn.init.normal_(layer.weight, 0, 0.01)
        nn.init.zeros_(layer.bias)


@dataclass(frozen=True)
class Head:
    """What follows the convolutions: pooling to ``positions``, and two layers of ``units``; ``he`` is its "he" init."""

    pool: Callable[[], nn.Module]
    positions: int
    units: int
    dropout: float
    he: Init


# The gradient of adaptive pooling is not deterministic on CUDA, but torchvision's network has it.
HEADS: dict[str, Head] = {
    "cifar": Head(GlobalAverage, positions=1, units=512, dropout=0.0, he=he_throughout),
    "imagenet": Head(partial(nn.AdaptiveAvgPool2d, 7), positions=49, units=4096, dropout=0.5, he=he_with_small_head),
}


class VGG(nn.Module):
    """Five stages of 3x3 convolutions, each followed by pooling, and three linear layers.

    Images (N, channels, H, W) of at least 32x32 become logits (N, classes). Parameters are named
    as in torchvision.

    Source: Simonyan & Zisserman 2014, "Very Deep Convolutional Networks for Large-Scale Image
    Recognition", table 1: VGG-11, 13, 16 and 19 are its configurations A, B, D and E.

    Args:
        layers: how many convolutions each of the five stages has.
        classes: number of logits, at least 1.
        channels: of the images, at least 1.
        image_size: at least 32, for the five poolings halve it; the network has the same
            parameters at every size.
        batch_norm: whether a batch norm follows each convolution.
        head_norm: whether one follows each of the two hidden layers of the head.
        activation: a name in `ACTIVATIONS`.
        head: "cifar": global average pooling, two layers of 512; "imagenet": average pooling to
            7x7, two layers of 4096, as in the paper.
        dropout: rate in [0, 1) after each of the two layers; when not given, 0 with the "cifar"
            head and 0.5 with the "imagenet" head.
        width: multiplies every number of channels and units; from 1/8 to 16.
        init: "he": normal, fan out, for convolutions; for linear layers normal, fan in, with the
            "cifar" head, and N(0, 0.01), as torchvision, with the "imagenet" head; biases 0.
            "xavier": uniform for both, biases 0. "torch": torch's defaults.

    Raises:
        ValueError: an option out of its range.
    """

    def __init__(
        self,
        layers: Sequence[int],
        *,
        classes: int,
        channels: int = 3,
        image_size: int = 32,
        batch_norm: bool = False,
        head_norm: bool = False,
        activation: str = "relu",
        head: str = "cifar",
        dropout: float | None = None,
        width: float = 1.0,
        init: str = "he",
    ) -> None:
        super().__init__()
        whole("image_size of a VGG", image_size, low=32)
        whole("classes", classes)
        act, form = choose("activation", activation, ACTIVATIONS), choose("head", head, HEADS)
        initialise = choose("init", init, {**INITS, "he": form.he})
        one_of("batch_norm", batch_norm, (True, False))
        one_of("head_norm", head_norm, (True, False))
        drop, units = rate("dropout", form.dropout if dropout is None else dropout), scaled(form.units, width)
        widths = [whole("channels", channels), *(scaled(outputs, width) for outputs in (64, 128, 256, 512, 512))]
        features: list[nn.Module] = []
        for count, (inputs, outputs) in zip(layers, pairwise(widths), strict=True):
            for index in range(count):
                # The bias stays even before a norm, which makes it useless: torchvision's weights hold one.
                features.append(nn.Conv2d(outputs if index else inputs, outputs, 3, padding=1))
                features += [nn.BatchNorm2d(outputs), act()] if batch_norm else [act()]
            features.append(nn.MaxPool2d(2))
        self.features, self.avgpool = nn.Sequential(*features), form.pool()
        hidden: list[nn.Module] = []
        for inputs in (widths[-1] * form.positions, units):
            hidden.append(nn.Linear(inputs, units))
            hidden += [nn.BatchNorm1d(units), act()] if head_norm else [act()]
            hidden.append(nn.Dropout(drop))
        self.classifier = nn.Sequential(*hidden, nn.Linear(units, classes))
        self.apply(initialise)

    def forward(self, x: Tensor) -> Tensor:
        """Logits (N, classes) of images (N, channels, H, W)."""
        logits: Tensor = self.classifier(self.avgpool(self.features(x)).flatten(1))
        return logits


vgg11 = partial(VGG, (1, 1, 2, 2, 2))
vgg13 = partial(VGG, (2, 2, 2, 2, 2))
vgg16 = partial(VGG, (2, 2, 3, 3, 3))
vgg19 = partial(VGG, (2, 2, 4, 4, 4))
