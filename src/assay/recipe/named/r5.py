"""Report R5: ResNet-18 with a convolution on every shortcut on CIFAR-10, cosine annealing with restarts."""

from __future__ import annotations

from assay.recipe.named.named_recipe import NamedRecipe
from assay.recipe.recipe import Recipe

COSINE = Recipe().but(
    {
        "data.name": "cifar10",
        "augment.crop": 4,
        "augment.flip": 0.5,
        "augment.rotation": 15.0,
        "model.name": "resnet18",
        "model.stem_kernel": 3,
        "model.stem_stride": 1,
        "model.stem_pool": False,
        "model.shortcut": "conv",
        "optim.lr": 0.1,
        "optim.momentum": 0.9,
        "optim.dampening": 0.9,  # d_k = b d_(k-1) + (1 - b) g
        "optim.weight_decay": 5e-4,
        "schedule.name": "cosine-restarts",
        "schedule.period": 10.0,
        "schedule.multiply": 2,
        "train.epochs": 70,
    }
)

RECIPES = {"r5-resnet18": NamedRecipe(COSINE, "R5's ResNet-18: cosine annealing with restarts, rotation, crop, flip")}
