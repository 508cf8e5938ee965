"""Report R3's table: a simple CNN, ResNet-18 and a fine-tuned VGG-16 on CIFAR-10."""

from __future__ import annotations

from typing import Any

from assay.recipe import Recipe
from assay.recipes.r3 import AUGMENTED, RESNET, SIMPLE, TUNED, VGG_FINETUNE, VGG_PRETRAINING
from assay.studies.proxy import Proxy
from assay.studies.study import Row, Study


def _changes(recipe: Recipe) -> dict[str, Any]:
    """What makes the recipe of the table's base, under the report's protocol: all training images, the last epoch."""
    same_protocol = recipe.but({"data.held_out": 0.0, "train.select": "last", "model.pretrained": None})
    return {name: theirs for name, (_, theirs) in SIMPLE.differences(same_protocol).items()}


MODELS = Study(
    "models",
    "How far does a simple network get, and how far a residual and a fine-tuned one?",
    SIMPLE,
    (
        Row("simple CNN", {}, 64.15),
        Row(
            "simple CNN, augmentation",
            _changes(AUGMENTED),
            66.19,
            note="the report resized, flipped, cropped and normalised",
        ),
        Row(
            "simple CNN, augmentation, L2",
            _changes(AUGMENTED.but({"optim.weight_decay": 5e-4})),
            67.62,
            note="the report's learning rate was 0.0007",
        ),
        Row("ResNet-18", _changes(RESNET), 83.92),
        Row("ResNet-18, tuned", _changes(TUNED), 91.26, note="L2 5e-4, crop and flip, learning rate 0.1 to 0.001"),
        Row(
            "VGG-16, fine-tuned",
            _changes(VGG_FINETUNE),
            90.12,
            note="the report began with pretrained weights, learning rate 0.1 to 0.001; here from CIFAR-100",
            after={"model.pretrained": VGG_PRETRAINING},
        ),
    ),
    control="simple CNN",
    source="report R3",
    protocol="test accuracy after the last epoch",
    quick=Proxy(epochs=3, images=20_000, width=0.25),
)

STUDIES = {MODELS.name: MODELS}
