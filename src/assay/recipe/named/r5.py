"""Report R5: ResNet-18 with a convolution on every shortcut on CIFAR-10, cosine annealing with restarts."""

from __future__ import annotations

from assay.recipe.named.named_recipe import CROP_FLIP, STEM_3X3, NamedRecipe
from assay.recipe.recipe import Recipe

COSINE = Recipe().but(
    {
        "data.name": "cifar10",
        **CROP_FLIP,
        "augment.rotation": 15.0,
        "model.name": "resnet18",
        **STEM_3X3,
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
