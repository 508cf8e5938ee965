"""Residual networks for images of any size, from plain options."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial

from torch import Tensor, nn

from assay.base.numbers import whole
from assay.base.registry import choose
from assay.models.blocks import ACTIVATIONS, INITS, Activation, GlobalAverage, hidden_head, linear_head
from assay.models.checks import one_of, rate, scaled
from assay.models.residual import (
    BasicBlock,
    Bottleneck,
    PaddedShortcut,
    Shortcut,
    deep_stem,
    plain_stem,
    pooled_shortcut,
    stride_first,
    strided_shortcut,
    where_needed,
    zeroed_norm,
)

Block = Callable[..., nn.Module]
Head = Callable[[int], nn.Module]

# The block for each tweak of He et al. 2018. There is no "a" for a basic block, which has no 1x1 to put a stride on.
BASIC: dict[str, Block] = {"b": BasicBlock, "c": BasicBlock, "d": BasicBlock}
BOTTLENECK: dict[str, Block] = {
    "a": partial(Bottleneck, strides=stride_first),
    "b": Bottleneck,
    "c": Bottleneck,
    "d": Bottleneck,
}


class ResNet(nn.Module):
    """A residual network of four stages; the defaults are torchvision's network.

    Images (N, channels, H, W) of any size become logits (N, classes). Parameters are named as in
    torchvision.

    Sources: He et al. 2015, "Deep Residual Learning for Image Recognition", table 1 and section
    3.3; the tweaks: He et al. 2018, "Bag of Tricks for Image Classification with Convolutional
    Neural Networks", section 4.

    Args:
        blocks: the block of each tweak that the network allows.
        layers: how many blocks each of the four stages has.
        expansion: how many times wider than inside a block comes out.
        classes: number of logits, at least 1.
        channels: of the images, at least 1.
        image_size: at least 1; the network has the same parameters at every size.
        stem_kernel: size of the first convolution: odd, 3 to 11; 7 when not given.
        stem_stride: of the first convolution: 1 or 2.
        stem_pool: whether a 3x3 max pooling of stride 2 follows the stem.
        width: multiplies every number of channels (64 in the stem); from 1/8 to 16.
        activation: a name in `ACTIVATIONS`.
        hidden: units of a hidden layer in the head; none when not given.
        dropout: rate in [0, 1): on the pooled features, or with ``hidden`` in the hidden layer.
        dropout_place: in the hidden layer, "before_norm" or (when not given) "after_norm".
        shortcut: "projection": identity, and a 1x1 convolution with norm where the shape changes;
            "conv": that convolution in every block; "pad": no parameters, positions skipped and
            zero channels added where the shape changes (He et al. 2015, option A).
        tweak: "a": a bottleneck's stride on its first 1x1 (He et al. 2015); "b": on its 3x3; "c": b
            with a stem of three 3x3 convolutions (32, 32 and 64 channels, the stem's stride on the
            first); "d": c with 2x2 average pooling and a 1x1 of stride 1 in the shortcuts.
        zero_gamma: whether the last norm of each block starts with weight 0.
        init: "he": normal, fan out, for convolutions (linear layers stay torch's); "xavier":
            uniform for convolutions and linear layers, biases 0; "torch": torch's defaults.

    Raises:
        ValueError: an option out of its range, or options that do not go together.
    """

    def __init__(
        self,
        blocks: Mapping[str, Block],
        layers: Sequence[int],
        expansion: int,
        *,
        classes: int,
        channels: int = 3,
        image_size: int = 32,
        stem_kernel: int | None = None,
        stem_stride: int = 2,
        stem_pool: bool = True,
        width: float = 1.0,
        activation: str = "relu",
        hidden: int | None = None,
        dropout: float = 0.0,
        dropout_place: str | None = None,
        shortcut: str = "projection",
        tweak: str = "b",
        zero_gamma: bool = False,
        init: str = "he",
    ) -> None:
        super().__init__()
        whole("image_size", image_size)
        act, initialise = choose("activation", activation, ACTIVATIONS), choose("init", init, INITS)
        block = partial(
            choose("tweak for this depth", tweak, blocks),
            shortcut=_shortcut(shortcut, tweak),
            last_norm=zeroed_norm if one_of("zero_gamma", zero_gamma, (True, False)) else nn.BatchNorm2d,
            act=act,
        )
        stem = _stem(tweak, stem_kernel, one_of("stem_stride", stem_stride, (1, 2)), act)
        has_pool = one_of("stem_pool", stem_pool, (True, False))
        head = _head(whole("classes", classes), hidden, rate("dropout", dropout), dropout_place, act)

        inputs = inside = scaled(64, width)
        self.conv1, self.bn1, self.act = stem(whole("channels", channels), inside), nn.BatchNorm2d(inside), act()
        self.maxpool = nn.MaxPool2d(3, stride=2, padding=1) if has_pool else nn.Identity()
        stages = []
        for count, stride in zip(layers, (1, 2, 2, 2), strict=True):
            outputs = expansion * inside
            rest = (block(outputs, inside, outputs, 1) for _ in range(count - 1))
            stages.append(nn.Sequential(block(inputs, inside, outputs, stride), *rest))
            inputs, inside = outputs, 2 * inside
        self.layer1, self.layer2, self.layer3, self.layer4 = stages
        self.avgpool, self.fc = GlobalAverage(), head(inputs)
        self.apply(initialise)

    def forward(self, x: Tensor) -> Tensor:
        """Logits (N, classes) of images (N, channels, H, W)."""
        x = self.maxpool(self.act(self.bn1(self.conv1(x))))
        x = self.layer4(self.layer3(self.layer2(self.layer1(x))))
        logits: Tensor = self.fc(self.avgpool(x))
        return logits


def _stem(tweak: str, kernel: int | None, stride: int, act: Activation) -> Callable[[int, int], nn.Module]:
    if tweak in "ab":
        size = one_of("stem_kernel", 7 if kernel is None else kernel, range(3, 12, 2))
        return partial(plain_stem, kernel=size, stride=stride)
    if kernel is not None:
        raise ValueError(f"stem_kernel does not go with tweak {tweak!r}, a stem of 3x3s: choose tweak 'b'")
    return partial(deep_stem, stride=stride, act=act)


def _shortcut(name: str, tweak: str) -> Shortcut:
    change = pooled_shortcut if tweak == "d" else strided_shortcut
    table = {"projection": where_needed(change), "conv": change, "pad": where_needed(PaddedShortcut)}
    shortcut = choose("shortcut", name, table)
    if (name, tweak) == ("pad", "d"):
        raise ValueError("shortcut 'pad' has no convolution for tweak 'd' to pool before: choose tweak 'c'")
    return shortcut


def _head(classes: int, hidden: int | None, dropout: float, place: str | None, act: Activation) -> Head:
    if hidden is not None:
        units, where = whole("hidden", hidden), "after_norm" if place is None else place
        return partial(hidden_head, classes=classes, hidden=units, dropout=dropout, place=where, act=act)
    if place is not None:
        raise ValueError(f"dropout_place {place!r} needs a hidden layer: add hidden, or leave it out")
    return partial(linear_head, classes=classes, dropout=dropout)


resnet18 = partial(ResNet, BASIC, (2, 2, 2, 2), 1)
resnet34 = partial(ResNet, BASIC, (3, 4, 6, 3), 1)
resnet50 = partial(ResNet, BOTTLENECK, (3, 4, 6, 3), 4)
resnet101 = partial(ResNet, BOTTLENECK, (3, 4, 23, 3), 4)
resnet152 = partial(ResNet, BOTTLENECK, (3, 8, 36, 3), 4)
