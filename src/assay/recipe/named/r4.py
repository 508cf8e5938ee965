"""Report R4: the bag of tricks for image classification (He et al. 2018), on ImageNet or any folder of photos.

The baseline is the paper's section 2; efficient training its section 3 (table 3); the tweaks its
section 4; the refinements its section 5, each on top of the ones before. Give the images with
``--data.name folder:PATH``.
"""

from __future__ import annotations

from typing import Any

from assay.recipe.named.named_recipe import LAST_EPOCH, NamedRecipe
from assay.recipe.recipe import Recipe

BASELINE = Recipe().but(
    {
        "data.name": "folder:imagenet",
        **LAST_EPOCH,  # ImageNet brings its validation images, and the last epoch is kept
        "data.test": 0.0,
        "data.size": 224,
        "data.crop_pct": 0.875,  # at validation: the shorter side to 256, then the central 224
        "augment.resized_crop": 0.08,
        "augment.flip": 0.5,
        "augment.brightness": 0.4,
        "augment.saturation": 0.4,
        "augment.hue": 0.2,  # the paper's code turns the hue by up to 0.4 pi, a fifth of the circle
        "augment.pca_noise": 0.1,
        "model.name": "resnet50",
        "model.init": "xavier",
        "model.tweak": "a",
        "optim.lr": 0.1,
        "optim.momentum": 0.9,
        "optim.nesterov": True,
        "optim.weight_decay": 1e-4,
        "schedule.name": "multistep",
        "schedule.milestones": [30.0, 60.0, 90.0],
        "train.epochs": 120,
        "train.batch_size": 256,
    }
)

EFFICIENT: dict[str, dict[str, Any]] = {
    "large-batch": {"train.batch_size": 1024},
    "linear-scaling": {"optim.lr_batch": 256},  # 0.1 x b / 256
    "warmup": {"schedule.warmup": 5.0, "schedule.milestones": [25.0, 55.0, 85.0]},  # counted from its end
    "zero-gamma": {"model.zero_gamma": True},
    "no-bias-decay": {"optim.decay": "weights"},
    "fp16": {"train.precision": "fp16"},
}
REFINEMENTS: dict[str, dict[str, Any]] = {
    "cosine": {"schedule.name": "cosine", "schedule.milestones": None},
    "label-smoothing": {"loss.label_smoothing": 0.1},
    "mixup": {"augment.mixup": 0.2, "train.epochs": 200},
}
TWEAKS = ("b", "c", "d")
DISTILLATION = {"loss.teacher": "runs/imagenet-teacher", "loss.temperature": 20.0}


def _added_one_by_one(base: Recipe, tricks: dict[str, dict[str, Any]]) -> dict[str, Recipe]:
    """Each trick on top of all before it."""
    recipes = {}
    for name, changes in tricks.items():
        recipes[name] = base = base.but(changes)
    return recipes


_FAST = _added_one_by_one(BASELINE, EFFICIENT)
EFFICIENT_BASE = _FAST["fp16"]
_REFINED = _added_one_by_one(EFFICIENT_BASE.but({"model.tweak": "d"}), REFINEMENTS)
TEACHER = EFFICIENT_BASE.but(
    {"model.name": "resnet152", "model.tweak": "d", **REFINEMENTS["cosine"], **REFINEMENTS["label-smoothing"]}
)
# Other networks, of timm and torchvision: they have neither residual blocks nor an initialisation to choose.
_OTHER = {"model.init": None, "model.tweak": None, "model.zero_gamma": None}
MOBILENET = EFFICIENT_BASE.but({**_OTHER, "model.name": "timm:mobilenetv1_100"})
INCEPTION = EFFICIENT_BASE.but({**_OTHER, "model.name": "torchvision:inception_v3", "data.size": 299})
LARGE_BATCH = {**EFFICIENT["linear-scaling"], **EFFICIENT["warmup"], "train.batch_size": 16_384}
LARS = {"optim.name": "lars", "optim.nesterov": None}
# FFCV's rn50_88_epochs.yaml: 160 pixels up to epoch 65 of 88, 192 from epoch 76 on. It trains otherwise than R4, and
# tests at 256: here all but the training's size is R4's.
PROGRESSIVE = {"train.size": 192, "train.small_size": 160, "train.small_share": 65 / 88, "train.small_ramp": 11 / 88}
FULL_BAG = _REFINED["mixup"].but(DISTILLATION)

RECIPES = {
    "imagenet-baseline": NamedRecipe(BASELINE, "R4's baseline: ResNet-50, 120 epochs, step decay"),
    **{
        f"imagenet-{name}": NamedRecipe(recipe, f"R4, efficient training: {name} and the tricks before it")
        for name, recipe in _FAST.items()
    },
    **{
        f"imagenet-resnet-{tweak}": NamedRecipe(
            EFFICIENT_BASE.but({"model.tweak": tweak}), f"R4, model tweak: ResNet-50-{tweak.upper()}"
        )
        for tweak in TWEAKS
    },
    **{
        f"imagenet-{name}": NamedRecipe(recipe, f"R4, refinements: {name} and the ones before it")
        for name, recipe in _REFINED.items()
    },
    "imagenet-progressive": NamedRecipe(
        _REFINED["label-smoothing"].but(PROGRESSIVE),
        "R4's label smoothing, trained at 160 and 192 pixels (FFCV 2023), tested at 224; never run in full",
    ),
    "imagenet-mobilenet": NamedRecipe(MOBILENET, "R4's MobileNet, with efficient training"),
    "imagenet-inception": NamedRecipe(INCEPTION, "R4's Inception-V3, with efficient training"),
    "imagenet-lars": NamedRecipe(BASELINE.but({**LARGE_BATCH, **LARS}), "R4's LARS: batches of 16,384"),
    "imagenet-teacher": NamedRecipe(TEACHER, "R4's teacher: ResNet-152-D with cosine decay and label smoothing"),
    "imagenet-full-bag": NamedRecipe(FULL_BAG, "R4, all of it: distilled from runs/imagenet-teacher"),
}
