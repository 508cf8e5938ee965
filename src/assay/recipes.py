"""The named recipes, each a difference from another, with what was measured of it."""

from __future__ import annotations

from dataclasses import dataclass

from assay.recipe import Recipe


@dataclass(frozen=True)
class Measured:
    """What a recipe reached.

    Attributes:
        accuracies: on the test split, in percent, one for each seed from 0 on.
        seconds: mean training time of one run, without the reading of the data.
        hardware: what it was measured on.
    """

    accuracies: tuple[float, ...]
    seconds: float
    hardware: str


@dataclass(frozen=True)
class NamedRecipe:
    """A recipe with its purpose in a line and, once measured, its results."""

    recipe: Recipe
    purpose: str
    measured: Measured | None = None


_TWO_CORES = "2 cores with AVX-512, no GPU"

_DIGITS = Recipe().but(
    {
        "data.size": 32,
        "augment.crop": 1,
        "optim.name": "adam",
        "optim.lr": 2e-3,
        "schedule.name": "cosine",
        "train.epochs": 30,
        "train.batch_size": 32,
    }
)

_SIMPLE_CNN = Recipe().but(
    {
        "data.name": "cifar10",
        "optim.lr": 0.05,
        "optim.momentum": 0.9,
        "schedule.name": "cosine",
        "train.epochs": 15,
    }
)
_SIMPLE_CNN_AUGMENT = _SIMPLE_CNN.but({"augment.crop": 2, "augment.flip": 0.5, "train.epochs": 30})
_SIMPLE_CNN_AUGMENT_L2 = _SIMPLE_CNN_AUGMENT.but({"optim.weight_decay": 5e-4})

_RESNET18 = Recipe().but(
    {
        "data.name": "cifar10",
        "augment.crop": 4,
        "augment.flip": 0.5,
        "model.name": "resnet18",
        "model.stem_kernel": 3,
        "model.stem_stride": 1,
        "model.stem_pool": False,
        "optim.lr": 0.1,
        "optim.momentum": 0.9,
        "optim.weight_decay": 5e-4,
        "schedule.name": "cosine",
    }
)

_PHOTOS = _RESNET18.but(
    {
        "data.name": "folder:photos",
        "data.size": 128,
        "augment.crop": 16,
        "model.stem_kernel": 7,
        "model.stem_stride": 2,
        "model.stem_pool": True,
        "optim.lr": 0.05,
        "train.epochs": 30,
        "train.batch_size": 64,
    }
)

RECIPES: dict[str, NamedRecipe] = {
    "digits": NamedRecipe(_DIGITS, "the embedded handwritten digits, in seconds"),
    "simple-cnn": NamedRecipe(_SIMPLE_CNN, "a LeNet on CIFAR-10 (report R3)"),
    "simple-cnn-augment": NamedRecipe(_SIMPLE_CNN_AUGMENT, "the same with crop and flip (R3)"),
    "simple-cnn-augment-l2": NamedRecipe(_SIMPLE_CNN_AUGMENT_L2, "the same with crop, flip and L2 (R3)"),
    "resnet18-cifar": NamedRecipe(_RESNET18, "ResNet-18 with a 3x3 stem and no pooling on CIFAR-10 (R2, R3)"),
    "photos": NamedRecipe(_PHOTOS, "a folder of photos: give --data.name folder:PATH"),
}
