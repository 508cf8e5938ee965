"""What a residual network is made of: stems, shortcuts and residual blocks.

The parameter names are those of torchvision, so that its weights load.
"""

from __future__ import annotations

from collections.abc import Callable

from torch import Tensor, nn
from torch.nn import functional as F

from assay.models.blocks import Activation, Norm

Shortcut = Callable[[int, int, int], nn.Module]
"""``(inputs, outputs, stride)`` to the module that the block's input goes through."""

Strides = Callable[[int], tuple[int, int]]
"""A block's stride to the strides of a bottleneck's first 1x1 and of its 3x3 convolution."""


def conv(inputs: int, outputs: int, kernel: int, stride: int = 1) -> nn.Conv2d:
    """A convolution without bias (a norm follows it) that keeps the size but for its stride."""
    return nn.Conv2d(inputs, outputs, kernel, stride, padding=kernel // 2, bias=False)


def plain_stem(channels: int, width: int, *, kernel: int, stride: int) -> nn.Module:
    """One convolution, (N, channels, H, W) to (N, width, H/stride, W/stride)."""
    return conv(channels, width, kernel, stride)


def deep_stem(channels: int, width: int, *, stride: int, act: Activation) -> nn.Module:
    """Three 3x3 convolutions, the first two half as wide as the last: He et al. 2018, ResNet-C."""
    half = width // 2
    first = (conv(channels, half, 3, stride), nn.BatchNorm2d(half), act())
    second = (conv(half, half, 3), nn.BatchNorm2d(half), act())
    return nn.Sequential(*first, *second, conv(half, width, 3))


def strided_shortcut(inputs: int, outputs: int, stride: int) -> nn.Module:
    """A 1x1 convolution with the block's stride, and a norm."""
    return nn.Sequential(conv(inputs, outputs, 1, stride), nn.BatchNorm2d(outputs))


def pooled_shortcut(inputs: int, outputs: int, stride: int) -> nn.Module:
    """Average pooling in place of the stride, so that no position is skipped: He et al. 2018, ResNet-D.

    At stride 1 there is nothing to pool.
    """
    if stride == 1:
        return strided_shortcut(inputs, outputs, stride)
    # A 3x3 convolution of stride 2 rounds an odd size up; without ceil_mode pooling rounds it down.
    pool = nn.AvgPool2d(stride, ceil_mode=True)
    return nn.Sequential(pool, conv(inputs, outputs, 1), nn.BatchNorm2d(outputs))


class PaddedShortcut(nn.Module):
    """Take every ``stride``-th position and append channels of zeros: He et al. 2015, option A."""

    def __init__(self, inputs: int, outputs: int, stride: int) -> None:
        super().__init__()
        self.stride, self.extra = stride, outputs - inputs

    def forward(self, x: Tensor) -> Tensor:
        """(N, inputs, H, W) to (N, outputs, H/stride, W/stride)."""
        return F.pad(x[:, :, :: self.stride, :: self.stride], (0, 0, 0, 0, 0, self.extra))


def where_needed(change: Shortcut) -> Shortcut:
    """The shortcut that is ``change`` where the block changes the shape, and the identity elsewhere."""

    def shortcut(inputs: int, outputs: int, stride: int) -> nn.Module:
        same = inputs == outputs and stride == 1
        return nn.Identity() if same else change(inputs, outputs, stride)

    return shortcut


def zeroed_norm(channels: int) -> nn.Module:
    """A batch norm whose weight starts at 0, so that a block which ends in it starts as its shortcut.

    Goyal et al. 2017, "Accurate, Large Minibatch SGD", section 5.1.
    """
    norm = nn.BatchNorm2d(channels)
    nn.init.zeros_(norm.weight)
    return norm


class BasicBlock(nn.Module):
    """Two 3x3 convolutions around a shortcut: He et al. 2015, figure 5 left.

    Args:
        inputs: channels that come in.
        width: channels after the first convolution.
        outputs: channels that go out.
        stride: of the first convolution and of the shortcut.
        shortcut: makes the shortcut; see ``Shortcut``.
        last_norm: makes the norm before the sum from its number of channels.
        act: makes an activation.
    """

    def __init__(
        self,
        inputs: int,
        width: int,
        outputs: int,
        stride: int,
        *,
        shortcut: Shortcut,
        last_norm: Norm,
        act: Activation,
    ) -> None:
        super().__init__()
        self.conv1, self.bn1 = conv(inputs, width, 3, stride), nn.BatchNorm2d(width)
        self.conv2, self.bn2 = conv(width, outputs, 3), last_norm(outputs)
        self.downsample = shortcut(inputs, outputs, stride)
        self.act = act()

    def forward(self, x: Tensor) -> Tensor:
        """(N, inputs, H, W) to (N, outputs, H/stride, W/stride)."""
        out = self.act(self.bn1(self.conv1(x)))
        total: Tensor = self.act(self.bn2(self.conv2(out)) + self.downsample(x))
        return total


def stride_first(stride: int) -> tuple[int, int]:
    """The stride on the first 1x1, as in He et al. 2015 (ResNet-A), which skips three quarters of its input."""
    return stride, 1


def stride_middle(stride: int) -> tuple[int, int]:
    """The stride on the 3x3, as torchvision has it (ResNet-B in He et al. 2018)."""
    return 1, stride


class Bottleneck(nn.Module):
    """A 1x1, a 3x3 and a 1x1 convolution around a shortcut: He et al. 2015, figure 5 right.

    The arguments are those of `BasicBlock`, but ``width`` is that of the 3x3 convolution, and ``strides`` says which
    convolution has the block's stride; see ``Strides``.
    """

    def __init__(
        self,
        inputs: int,
        width: int,
        outputs: int,
        stride: int,
        *,
        strides: Strides = stride_middle,
        shortcut: Shortcut,
        last_norm: Norm,
        act: Activation,
    ) -> None:
        super().__init__()
        first, middle = strides(stride)
        self.conv1, self.bn1 = conv(inputs, width, 1, first), nn.BatchNorm2d(width)
        self.conv2, self.bn2 = conv(width, width, 3, middle), nn.BatchNorm2d(width)
        self.conv3, self.bn3 = conv(width, outputs, 1), last_norm(outputs)
        self.downsample = shortcut(inputs, outputs, stride)
        self.act = act()

    def forward(self, x: Tensor) -> Tensor:
        """(N, inputs, H, W) to (N, outputs, H/stride, W/stride)."""
        out = self.act(self.bn1(self.conv1(x)))
        out = self.act(self.bn2(self.conv2(out)))
        total: Tensor = self.act(self.bn3(self.conv3(out)) + self.downsample(x))
        return total
