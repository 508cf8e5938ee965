"""A small convolutional network in the form of LeNet-5."""

from __future__ import annotations

from torch import Tensor, nn

from assay.base.numbers import whole
from assay.base.registry import choose
from assay.models.blocks import ACTIVATIONS


class SimpleCNN(nn.Module):
    """Two 5x5 convolutions with pooling, then three linear layers.

    Images (N, channels, image_size, image_size) become logits (N, classes). The form of LeNet-5 (LeCun et al.
    1998, "Gradient-Based Learning Applied to Document Recognition", section II-B) with max pooling
    and full connections.

    Args:
        classes: number of logits, at least 1.
        channels: of the images, at least 1.
        image_size: height and width of the images, at least 16.
        activation: a name in `ACTIVATIONS`.

    Raises:
        ValueError: an option out of its range.
    """

    def __init__(self, *, classes: int, channels: int = 3, image_size: int = 32, activation: str = "relu") -> None:
        super().__init__()
        whole("classes", classes)
        act = choose("activation", activation, ACTIVATIONS)
        first = (nn.Conv2d(whole("channels", channels), 6, 5), act(), nn.MaxPool2d(2))
        second = (nn.Conv2d(6, 16, 5), act(), nn.MaxPool2d(2))
        self.features = nn.Sequential(*first, *second)
        # Each convolution takes 4 off, each pooling halves: 16 is the smallest size of which a position is left.
        side = ((whole("image_size of simple-cnn", image_size, low=16) - 4) // 2 - 4) // 2
        hidden = (nn.Linear(16 * side * side, 120), act(), nn.Linear(120, 84), act())
        self.classifier = nn.Sequential(*hidden, nn.Linear(84, classes))

    def forward(self, x: Tensor) -> Tensor:
        """Logits (N, classes) of images (N, channels, image_size, image_size)."""
        logits: Tensor = self.classifier(self.features(x).flatten(1))
        return logits
