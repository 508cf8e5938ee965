"""Report R4's tricks (He et al. 2018, "Bag of Tricks"): efficient training, and refinements, on ImageNet.

The quick setting is CIFAR-10, where ResNet-50 has a stem of stride 1, and crop and flip take the
place of ImageNet's augmentation. The batches are a quarter as large, and so is the batch that
linear scaling refers to; else 15,000 images would make too few steps.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from assay.recipe.named.r4 import BASELINE, DISTILLATION, EFFICIENT, EFFICIENT_BASE, REFINEMENTS, TEACHER
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
COSINE = {**TWEAK_D, **_up_to("cosine", REFINEMENTS)}
SMOOTHED = {**TWEAK_D, **_up_to("label-smoothing", REFINEMENTS)}
MIXED = {**TWEAK_D, **_up_to("mixup", REFINEMENTS)}
DISTILLED = {"loss.temperature": DISTILLATION["loss.temperature"]}
AFTER_TEACHER = {"loss.teacher": TEACHER}
TEACHER_NOTE = "the paper trained this row's teacher with mixup; here it has the teacher of the row without mixup"

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
            Row("D + cosine", COSINE, 77.91),
            Row("D + cosine, label smoothing", SMOOTHED, 78.31),
            Row("D + cosine, smoothing, distillation", {**SMOOTHED, **DISTILLED}, 78.67, after=AFTER_TEACHER),
            Row("D + cosine, smoothing, mixup", MIXED, 79.15),
            Row(
                "D + cosine, smoothing, mixup, distillation",
                {**MIXED, **DISTILLED},
                79.29,
                note=TEACHER_NOTE,
                after=AFTER_TEACHER,
            ),
        ),
        control="ResNet-50",
        source="report R4; He et al. 2018, tables 5 and 6, ResNet-50",
        protocol=PROTOCOL,
        quick=replace(QUICK, changes={**ON_CIFAR10, "train.precision": "fp32"}),  # all rows share it: no question here
    ),
)
