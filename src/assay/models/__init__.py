"""The convolutional networks that a recipe can name."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from torch import nn

from assay.base.registry import construct
from assay.base.text import quoted
from assay.models.blocks import ACTIVATIONS
from assay.models.fast import FastCNN
from assay.models.library import build_library_model, elsewhere, input_size
from assay.models.resnet import resnet18, resnet34, resnet50, resnet101, resnet152
from assay.models.simple_cnn import SimpleCNN
from assay.models.vgg import vgg11, vgg13, vgg16, vgg19

__all__ = ["ACTIVATIONS", "MODELS", "build_model", "count_parameters", "input_size"]

MODELS: dict[str, Callable[..., nn.Module]] = {
    "simple-cnn": SimpleCNN,
    "fast": FastCNN,
    "resnet18": resnet18,
    "resnet34": resnet34,
    "resnet50": resnet50,
    "resnet101": resnet101,
    "resnet152": resnet152,
    "vgg11": vgg11,
    "vgg13": vgg13,
    "vgg16": vgg16,
    "vgg19": vgg19,
}


def build_model(name: str, *, classes: int, channels: int = 3, image_size: int = 32, **options: Any) -> nn.Module:
    """Build the model ``name``, initialised from torch's global random generator.

    It maps images (N, channels, image_size, image_size) to logits (N, classes).

    Args:
        name: a key of `MODELS`, or ``torchvision:NAME`` or ``timm:NAME``.
        classes: number of logits.
        channels: of the images.
        image_size: height and width of the images.
        options: of that model (`SimpleCNN`, `ResNet`, `VGG`, `library.build_library_model`); None means
            the model's own default.

    Raises:
        ValueError: there is no such model, or it does not have an option, or an option is out of range.
    """
    if name not in MODELS and ":" not in name and (known := elsewhere(name)):
        raise ValueError(f"unknown model {quoted(name)}: did you mean {known}?")
    table = {name: partial(build_library_model, name)} if ":" in name else MODELS
    return construct("model", name, table, classes=classes, channels=channels, image_size=image_size, **options)


def count_parameters(model: nn.Module) -> int:
    """Count the numbers that the model learns (not its buffers, such as running statistics)."""
    return sum(weight.numel() for weight in model.parameters() if weight.requires_grad)
