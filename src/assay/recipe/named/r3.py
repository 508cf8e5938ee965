"""Report R3: simple CNN, ResNet-18 and a fine-tuned VGG-16 on CIFAR-10."""

from __future__ import annotations

from assay.recipe.named.named_recipe import CROP_FLIP, LAST_EPOCH, SHARED, STEM_3X3, TWO_THREADS, Measured, NamedRecipe
from assay.recipe.recipe import Recipe

SIMPLE = Recipe().but(
    {
        "data.name": "cifar10",
        **LAST_EPOCH,
        "optim.lr": 0.01,
        "optim.momentum": 0.9,
        "schedule.name": "cosine",
        "train.epochs": 8,
        "train.batch_size": 64,
    }
)
AUGMENTED = SIMPLE.but(
    {
        "data.held_out": 0.1,
        "train.select": "held-out",
        "augment.crop": 2,
        "augment.flip": 0.5,
        "optim.lr": 0.02,
        "train.epochs": 24,
        "train.batch_size": 128,
    }
)

RESNET = Recipe().but(
    {
        "data.name": "cifar10",
        **LAST_EPOCH,
        "model.name": "resnet18",
        **STEM_3X3,
        "optim.lr": 0.1,
        "optim.momentum": 0.9,
        "train.epochs": 30,
    }
)
TUNED = RESNET.but(
    {
        **CROP_FLIP,
        "optim.weight_decay": 5e-4,
        "schedule.name": "multistep",  # 0.1, then 0.01, then 0.001
        "schedule.milestones": [15.0, 25.0],
    }
)

VGG_PRETRAINING = Recipe().but(
    {
        "data.name": "cifar100",
        **LAST_EPOCH,
        **CROP_FLIP,
        "model.name": "vgg16",
        "model.batch_norm": True,
        "optim.name": "muon",
        "optim.lr": 0.004,
        "optim.weight_decay": 0.1,
        "schedule.name": "linear",
        "schedule.warmup": 0.8,
        "loss.label_smoothing": 0.1,
        "train.epochs": 4,
        "train.batch_size": 256,
    }
)
VGG_FINETUNE = VGG_PRETRAINING.but(
    {"data.name": "cifar10", "model.pretrained": "runs/vgg16-cifar100", "train.epochs": 6}
)

# R3's question: has the network learned the invariance that augmentation is meant to teach?
INVARIANCE = {
    "none": AUGMENTED.but({"augment.crop": 0, "augment.flip": 0.0}),
    "train": AUGMENTED,
    "test": AUGMENTED.but({"augment.where": "test"}),
    "both": AUGMENTED.but({"augment.where": "both"}),
}

UNPAIRED = "294e905"  # a commit before seeds gave rows the same initial weights, which changed all figures

RECIPES = {
    "simple-cnn": NamedRecipe(
        SIMPLE, "a LeNet on CIFAR-10 (report R3)", Measured((65.56, 65.35, 66.21), 64, TWO_THREADS, UNPAIRED)
    ),
    "simple-cnn-augment": NamedRecipe(
        AUGMENTED, "the same with crop and flip (R3)", Measured((70.95, 70.45, 72.21), 300, SHARED, UNPAIRED)
    ),
    "simple-cnn-augment-l2": NamedRecipe(
        AUGMENTED.but({"optim.weight_decay": 5e-4}),
        "the same with crop, flip and L2 (R3)",
        Measured((71.56, 71.09, 72.49), 301, SHARED, UNPAIRED),
    ),
    **{
        f"r3-invariance-{where}": NamedRecipe(recipe, f"R3's question of invariance: crop and flip at {words}")
        for (where, recipe), words in zip(
            INVARIANCE.items(), ("neither", "training only", "test only", "training and test"), strict=True
        )
    },
    "r3-resnet18": NamedRecipe(RESNET, "R3's ResNet-18 as it stands"),
    "r3-resnet18-tuned": NamedRecipe(TUNED, "R3's ResNet-18, tuned: SGD from 0.1 down to 0.001, L2, crop and flip"),
    "vgg16-cifar100": NamedRecipe(
        VGG_PRETRAINING,
        "VGG-16 with batch norm on CIFAR-100, to be fine-tuned",
        Measured((57.90,), 3758, SHARED, "3a0104c"),
    ),
    "vgg16-finetune": NamedRecipe(
        VGG_FINETUNE,
        "R3's VGG-16 on CIFAR-10, fine-tuned from runs/vgg16-cifar100",
        Measured((90.95,), 5617, SHARED, "719244a"),
    ),
}
