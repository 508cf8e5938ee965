"""Report R1: ResNet-18 with its ImageNet stem on CIFAR-100, 20 coarse and 100 fine classes."""

from __future__ import annotations

from assay.recipe.named.named_recipe import LAST_EPOCH, NamedRecipe
from assay.recipe.recipe import Recipe

COARSE = Recipe().but(
    {
        "data.name": "cifar100-coarse",
        **LAST_EPOCH,
        "data.size": 224,  # feature-map enlargement: the last feature maps are 7x7 and not 1x1
        "augment.translate": 4,
        "augment.flip": 0.5,
        "model.name": "resnet18",
        "optim.name": "adam",
        "optim.lr": 1e-3,
        "schedule.name": "exponential",
        "schedule.factor": 0.85,
        "schedule.update": "epoch",
        "train.epochs": 40,
    }
)
FINE = COARSE.but({"data.name": "cifar100"})
PLAIN = COARSE.but({"data.size": None, "augment.translate": 0, "augment.flip": 0.0})

RECIPES = {
    "r1-coarse": NamedRecipe(COARSE, "R1's first task: 20 coarse classes of CIFAR-100, all three techniques"),
    "r1-fine": NamedRecipe(FINE, "R1's second task: 100 fine classes of CIFAR-100, all three techniques"),
    "r1-plain": NamedRecipe(PLAIN, "R1's control: neither enlargement nor augmentation"),
}
