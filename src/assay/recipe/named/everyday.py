"""Recipes for everyday use: the embedded digits, CIFAR-10 fast, and one's own photos."""

from __future__ import annotations

from assay.recipe.named.named_recipe import CROP_FLIP, LAST_EPOCH, ONE_THREAD, SHARED, STEM_3X3, Measured, NamedRecipe
from assay.recipe.recipe import Recipe
from assay.recipe.suit import suit_finetuning

_DIGITS = Recipe().but(
    {
        "data.size": 32,
        "augment.crop": 1,
        "optim.name": "adam",
        "optim.lr": 2e-3,
        "schedule.name": "cosine",
        "train.epochs": 30,
        "train.batch_size": 32,
        "train.select": "last",  # 145 held-out images are too few to select by
        "train.threads": 1,  # steps this small gain nothing from more, and lose much on a busy machine
    }
)

RESNET18_CIFAR = Recipe().but(
    {
        "data.name": "cifar10",
        **LAST_EPOCH,  # R3's own protocol: all training images, the last epoch
        **CROP_FLIP,
        "model.name": "resnet18",
        **STEM_3X3,
        "optim.name": "muon",  # chosen against SGD on held-out images, at a quarter of the width
        "optim.lr": 0.005,
        "optim.weight_decay": 0.25,
        "schedule.name": "linear",
        "schedule.warmup": 1.2,
        "loss.label_smoothing": 0.1,
        "train.epochs": 6,
        "train.batch_size": 256,
    }
)

_FINETUNE = Recipe().but(
    {
        "data.name": "folder:photos",
        "data.size": 224,
        "augment.resized_crop": 0.35,
        "augment.flip": 0.5,
        "model.name": "timm:tf_efficientnet_lite0",
        "model.pretrained": "default",
        "optim.name": "adamw",
        "optim.lr": 1e-3,
        "optim.weight_decay": 0.05,
        "optim.decay": "weights",
        "schedule.name": "cosine",
        "schedule.warmup": 0.8,
        "transfer.head": "fitted",
        "transfer.freeze_norms": True,
        "loss.label_smoothing": 0.1,
        "train.epochs": 8,
        "train.batch_size": 32,
    }
)

_PHOTOS = Recipe().but(
    {
        "data.name": "folder:photos",
        "data.size": 128,
        "augment.resized_crop": 0.35,
        "augment.flip": 0.5,
        "model.name": "resnet18",
        "optim.lr": 0.05,
        "optim.momentum": 0.9,
        "optim.weight_decay": 5e-4,
        "schedule.name": "cosine",
        "schedule.warmup": 1.0,
        "train.epochs": 30,
        "train.batch_size": 64,
    }
)

RECIPES = {
    "digits": NamedRecipe(
        _DIGITS,
        "the embedded handwritten digits, in seconds",
        Measured((98.03, 98.31, 98.59), 4, ONE_THREAD, "0809f24"),
    ),
    "resnet18-cifar": NamedRecipe(
        RESNET18_CIFAR,
        "ResNet-18 with a 3x3 stem and no pooling on CIFAR-10, in 6 epochs",
        Measured((91.73,), 7843, SHARED, "146bc2a"),
    ),
    "photos": NamedRecipe(_PHOTOS, "a folder of photos, from scratch: give --data.name folder:PATH"),
    "photos-finetune": NamedRecipe(
        _FINETUNE, "a folder of photos, from ImageNet weights: the better choice", suit=suit_finetuning
    ),
}
