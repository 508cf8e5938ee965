"""Report R3's table on CIFAR-10, a simple CNN to a fine-tuned VGG-16, and the two questions that it leaves open."""

from __future__ import annotations

from typing import Any

from assay.recipe.named.r3 import AUGMENTED, INVARIANCE, RESNET, TUNED, VGG_FINETUNE, VGG_PRETRAINING
from assay.recipe.recipe import Recipe
from assay.studies.proxy import Proxy
from assay.studies.study import Row, Study

SELECTION = {"data.held_out": 0.0, "train.select": "last"}  # the report's: all training images, the last epoch
PLAIN = INVARIANCE["none"].but(SELECTION)  # the simple networks share their training, apart from the named change
PENALISED = AUGMENTED.but({"optim.weight_decay": 5e-4})
OWN_TRAINING = "its training differs from the simple network's too"
RESIZED = "the report resized, flipped, cropped and normalised"
SLOWER = "the report's learning rate was 0.0007; here it is 0.02"
NOTES = (
    "The report gives 0.0007 as a learning rate of the simple network. Here its three rows share their training: SGD "
    "with momentum, from 0.02 down a cosine over 24 epochs of batches of 128.",
)
VGG_NOTE = (
    "the report's network had pretrained weights, a head of 4,096 and 4,096 units with dropout, and SGD from 0.1 down "
    "to 0.001; here it has weights from CIFAR-100, a head of 512, and few epochs of Muon with a linear schedule and "
    f"label smoothing. {OWN_TRAINING.capitalize()}"
)
TUNED_NOTE = f"L2 5e-4, crop and flip, learning rate 0.1 to 0.001; {OWN_TRAINING}"
VGG_AFTER = {"model.pretrained": VGG_PRETRAINING}
PROTOCOL = "test accuracy after the last epoch"
QUICK = Proxy(epochs=9, images=20_000, width=0.25, images_of=50_000)


def _changes(recipe: Recipe) -> dict[str, Any]:
    """Return the changes that turn the table's base into the recipe, under the report's selection of the epoch."""
    selected = recipe.but({**SELECTION, "model.pretrained": None})
    return {name: theirs for name, (_, theirs) in PLAIN.differences(selected).items()}


STUDIES = (
    Study(
        "models",
        "How far does a simple network get, and how far a residual and a fine-tuned one?",
        PLAIN,
        (
            Row("simple CNN", {}, 64.15),
            Row("simple CNN, augmentation", _changes(AUGMENTED), 66.19, note=RESIZED),
            Row("simple CNN, augmentation, L2", _changes(PENALISED), 67.62, note=SLOWER),
            Row("ResNet-18", _changes(RESNET), 83.92, note=OWN_TRAINING),
            Row("ResNet-18, tuned", _changes(TUNED), 91.26, note=TUNED_NOTE),
            Row("VGG-16, fine-tuned", _changes(VGG_FINETUNE), 90.12, note=VGG_NOTE, after=VGG_AFTER),
        ),
        control="simple CNN",
        source="report R3",
        protocol=PROTOCOL,
        quick=QUICK,
        notes=NOTES,
    ),
    Study(
        "invariance",
        "Does a network learn the invariance that augmentation is meant to teach, or need it at test time too?",
        PLAIN,
        (
            Row("crop and flip at neither", {}, 64.15),
            Row("at training", _changes(INVARIANCE["train"]), 66.19),
            Row("at test", _changes(INVARIANCE["test"])),
            Row("at training and test", _changes(INVARIANCE["both"])),
        ),
        control="crop and flip at neither",
        source="report R3, what it proposes",
        protocol=PROTOCOL,
        quick=QUICK,
        notes=(
            "The report proposes the four combinations and did not run those at test. Its augmentation is not given in "
            "figures: here a crop after a padding of 2 pixels, and a flip.",
        ),
    ),
    Study(
        "vgg-weights",
        "What do pretrained weights bring VGG-16?",
        VGG_FINETUNE.but({**SELECTION, "model.pretrained": None}),
        (
            Row("from scratch"),
            Row("from scratch, with the epochs of the pretraining too", {"train.epochs": 10}),
            Row("pretrained on CIFAR-100", {}, 90.12, after=VGG_AFTER),
        ),
        control="from scratch",
        source="report R3, fine-tuning",
        protocol=PROTOCOL,
        quick=Proxy(epochs=3, images=20_000, width=0.25, images_of=50_000),
        notes=(
            "The report fine-tunes pretrained weights, which it does not describe further, and has no VGG-16 from "
            "scratch. Here the weights are of 4 epochs on CIFAR-100, and all rows share the training of 6.",
        ),
    ),
)
