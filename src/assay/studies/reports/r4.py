"""Report R4's tricks (He et al. 2018, "Bag of Tricks"): efficient training, and refinements, on ImageNet.

The quick setting is CIFAR-10, where ResNet-50 has a stem of stride 1, and crop and flip take the
place of ImageNet's augmentation. The batches are a quarter as large, and so is the batch that
linear scaling refers to; else 15,000 images would make too few steps.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from assay.recipe.named.r4 import (
    BASELINE,
    DISTILLATION,
    EFFICIENT,
    EFFICIENT_BASE,
    INCEPTION,
    LARGE_BATCH,
    LARS,
    MOBILENET,
    REFINEMENTS,
    TEACHER,
)
from assay.recipe.recipe import Recipe
from assay.studies.proxy import Proxy
from assay.studies.study import Row, Study

PROTOCOL = "top-1 accuracy on ImageNet's validation images after the last epoch"

ON_CIFAR10 = {
    "data.name": "cifar10",
    "data.size": None,
    "data.crop_pct": None,
    "augment.resized_crop": 0.0,
    "augment.crop": 4,
    "augment.brightness": 0.0,
    "augment.saturation": 0.0,
    "augment.hue": 0.0,
    "augment.pca_noise": 0.0,
    "model.stem_stride": 1,
}
QUARTER_BATCH = {"train.batch_size": {256: 64, 1024: 256}, "optim.lr_batch": {256: 64}}
QUICK = Proxy(epochs=8, images=15_000, width=0.25, images_of=1_281_167, changes=ON_CIFAR10, swaps=QUARTER_BATCH)


def _up_to(last: str, tricks: dict[str, dict[str, Any]]) -> dict[str, Any]:
    """Return the changes of the tricks up to the named one, each on top of those before it."""
    names = list(tricks)
    return {field: value for name in names[: names.index(last) + 1] for field, value in tricks[name].items()}


TWEAK_D = {"model.tweak": "d"}
DISTILLED = {"loss.temperature": DISTILLATION["loss.temperature"]}
TEACHER_NOTE = "the paper trained this row's teacher with mixup; here it has the teacher of the row without mixup"


def _refined(network: str, changes: dict[str, Any], published: tuple[float, ...]) -> tuple[Row, ...]:
    """Return the rows of table 6: a network with the refinements of its training, one on top of the other."""
    cosine, smoothed, mixed = (
        {**changes, **_up_to(last, REFINEMENTS)} for last in ("cosine", "label-smoothing", "mixup")
    )
    after = {"loss.teacher": TEACHER}
    return (
        Row(f"{network} + cosine", cosine, published[0]),
        Row(f"{network} + cosine, label smoothing", smoothed, published[1]),
        Row(f"{network} + cosine, smoothing, distillation", {**smoothed, **DISTILLED}, published[2], after=after),
        Row(f"{network} + cosine, smoothing, mixup", mixed, published[3]),
        Row(
            f"{network} + cosine, smoothing, mixup, distillation",
            {**mixed, **DISTILLED},
            published[4],
            note=TEACHER_NOTE,
            after=after,
        ),
    )


def _other(name: str, network: str, base: Recipe, published: tuple[float, ...], quick: Proxy, note: str) -> Study:
    """Return the study of the refinements on another network than ResNet-50."""
    return Study(
        name,
        f"Do the refinements of ResNet-50's training help {network} too?",
        base,
        (Row(network, {}, published[0], note="with efficient training"), *_refined(network, {}, published[1:])),
        control=network,
        source=f"report R4, other networks; He et al. 2018, table 6, {network}",
        protocol=PROTOCOL,
        quick=quick,
        notes=(note,),
    )


def _at_size(full: int, side: int, images: int, batches: dict[str, dict[int, int]]) -> Proxy:
    """Return the proxy of a network that halves its images too often for 32 pixels: CIFAR-10, enlarged to ``side``."""
    changes = {name: value for name, value in ON_CIFAR10.items() if name not in ("data.size", "model.stem_stride")}
    sizes = {"data.size": {224: side, full: side}}  # the teacher's images are of 224 pixels, whatever its student's
    return replace(QUICK, images=images, changes={**changes, "train.precision": "fp32"}, swaps={**batches, **sizes})


STUDIES = (
    Study(
        "efficient-training",
        "Does a large batch cost accuracy, and which heuristics win it back?",
        BASELINE,
        (
            Row("small batch", {}, 75.87, note="256 images in the paper, 1,024 in the large batch"),
            Row("large batch, rate unchanged", _up_to("large-batch", EFFICIENT), note="not in the paper"),
            Row("large batch, linear scaling", _up_to("linear-scaling", EFFICIENT), 75.17),
            Row("+ warmup", _up_to("warmup", EFFICIENT), 75.93),
            Row("+ zero gamma", _up_to("zero-gamma", EFFICIENT), 76.37),
            Row("+ no bias decay", _up_to("no-bias-decay", EFFICIENT), 76.03),
            Row("+ low precision", _up_to("fp16", EFFICIENT), 76.21, note="FP16 in the paper"),
        ),
        control="small batch",
        source="report R4; He et al. 2018, table 4, ResNet-50",
        protocol=PROTOCOL,
        # CPUs emulate FP16, slowly; BF16 is the low precision that some have.
        quick=replace(QUICK, swaps={**QUARTER_BATCH, "train.precision": {"fp16": "bf16"}}),
    ),
    Study(
        "refinements",
        "What do the tweaks of ResNet-50 bring, and the refinements of its training on top of them?",
        EFFICIENT_BASE,
        (
            Row("ResNet-50", {}, 76.21, note="with efficient training"),
            Row("ResNet-50-B", {"model.tweak": "b"}, 76.66),
            Row("ResNet-50-C", {"model.tweak": "c"}, 76.87),
            Row("ResNet-50-D", TWEAK_D, 77.16),
            *_refined("D", TWEAK_D, (77.91, 78.31, 78.67, 79.15, 79.29)),
        ),
        control="ResNet-50",
        source="report R4; He et al. 2018, tables 5 and 6, ResNet-50",
        protocol=PROTOCOL,
        quick=replace(QUICK, changes={**ON_CIFAR10, "train.precision": "fp32"}),  # all rows share it: no question here
    ),
    _other(
        "mobilenet",
        "MobileNet",
        MOBILENET,
        (71.90, 72.83, 72.93, 71.97, 73.28, 72.51),
        _at_size(224, 64, 15_000, QUARTER_BATCH),
        "The report names MobileNet and does not describe its training; the figures are the paper's. Here it has that "
        "of ResNet-50, but for the initialisation, which is the library's, and the zero gamma of residual blocks.",
    ),
    _other(
        "inception",
        "Inception-V3",
        INCEPTION,
        (77.50, 78.19, 78.40, 78.26, 78.77, 78.34),
        # Its smallest image has 75 pixels, and costs some 20 times as much as one of 32 does in ResNet-50.
        _at_size(299, 80, 5_000, {"train.batch_size": {256: 32, 1024: 128}, "optim.lr_batch": {256: 32}}),
        "The report names Inception-V3 and does not describe its training; the figures are the paper's. Here it sees "
        "images of 299 pixels, has no auxiliary head, and else the training of ResNet-50.",
    ),
    Study(
        "very-large-batch",
        "What does a batch of 16,384 cost, and does LARS win it back?",
        BASELINE,
        (
            Row("small batch, SGD", {}, 75.87, note="256 images in the paper, 16,384 in the very large batch"),
            Row("very large batch, SGD", LARGE_BATCH),
            Row("very large batch, LARS", {**LARGE_BATCH, **LARS}),
        ),
        control="small batch, SGD",
        source="report R4, LARS for batches over 16K; You, Gitman & Ginsburg 2017",
        protocol=PROTOCOL,
        quick=replace(
            QUICK, swaps={"train.batch_size": {256: 16, 16_384: 1024}, "optim.lr_batch": {256: 16}}
        ),  # 64 times as large here too
        notes=(
            "The report names LARS for batches over 16K and gives neither figures nor its rate: here both optimizers "
            "have linear scaling, a warmup of 5 epochs, and LARS a trust of 0.001.",
        ),
    ),
    Study(
        "precision",
        "What do 16-bit numbers cost?",
        BASELINE.but(_up_to("no-bias-decay", EFFICIENT)),
        (
            Row("fp32", {}, 76.03),
            Row("fp16", {"train.precision": "fp16"}, 76.21),
            Row("bf16", {"train.precision": "bf16"}),
        ),
        control="fp32",
        source="report R4, low precision; He et al. 2018, table 4, ResNet-50",
        protocol=PROTOCOL,
        quick=QUICK,
        notes=(
            "The paper has fp16, with a float32 copy of the weights and the loss scaled; bf16 is not in it. Processors "
            "without units for a type emulate it, slowly.",
        ),
    ),
)
