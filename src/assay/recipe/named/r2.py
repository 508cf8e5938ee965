"""Report R2: training methods on CIFAR-10, and what batch normalisation does for VGG."""

from __future__ import annotations

from assay.recipe.named.named_recipe import CROP_FLIP, NamedRecipe
from assay.recipe.recipe import Recipe

DEFAULT = Recipe().but(
    {
        "data.name": "cifar10",
        "model.name": "resnet34",
        "model.stem_kernel": 3,
        "model.stem_stride": 1,
        "optim.lr": 0.1,
        "optim.momentum": 0.9,
        "optim.weight_decay": 1e-5,
        "schedule.name": "step",
        "schedule.every": 10.0,
        "schedule.factor": 0.1,
        "train.epochs": 50,
    }
)

STRUCTURE = {
    "model.activation": "elu",
    "model.hidden": 10,
    "model.width": 0.5,
    "model.dropout": 0.1,
    "model.dropout_place": "before_norm",
}
STRATEGY = {
    "augment.grayscale": 0.2,
    "augment.erase": 0.5,
    "optim.name": "adam",
    "optim.momentum": None,
    "optim.weight_decay": 1e-3,
    "train.batch_size": 32,
}

IMPROVED = DEFAULT.but(
    {
        **CROP_FLIP,
        "model.name": "resnet18",
        "model.stem_pool": False,
        "optim.weight_decay": 5e-4,
        "schedule.name": "multistep",
        "schedule.every": None,
        "schedule.milestones": [135.0, 185.0],
        "train.epochs": 240,
    }
)

VGG = Recipe().but(
    {
        "data.name": "cifar10",
        "model.name": "vgg11",
        "model.init": "xavier",
        "optim.name": "adam",
        "optim.lr": 1e-3,
        "train.epochs": 20,
    }
)

NORMS = {"model.batch_norm": True, "model.head_norm": True}  # "a norm after every weight layer" but the last

RECIPES = {
    "r2-default": NamedRecipe(DEFAULT, "R2's base: ResNet-34 with a 3x3 stem and a pool, no augmentation"),
    "r2-structure": NamedRecipe(DEFAULT.but(STRUCTURE), "R2's best structure: ELU, half width, hidden layer, dropout"),
    "r2-strategy": NamedRecipe(DEFAULT.but(STRATEGY), "R2's best strategy: erasing, grayscale, more L2, Adam"),
    "r2-combined": NamedRecipe(DEFAULT.but({**STRUCTURE, **STRATEGY}), "R2's best structure and best strategy"),
    "r2-softmax": NamedRecipe(DEFAULT.but({"loss.name": "double-softmax"}), "R2's base with a softmax too many"),
    "r2-improved": NamedRecipe(IMPROVED, "R2's improved network: ResNet-18 without the stem's pool, 240 epochs"),
    "r2-vgg-a": NamedRecipe(VGG, "R2 part two: VGG-A without norms"),
    "r2-vgg-a-bn": NamedRecipe(VGG.but(NORMS), "R2 part two: VGG-A with batch norm"),
}
