"""Report R1's tables: enlargement, flip and translation on CIFAR-100, and its two tasks."""

from __future__ import annotations

from assay.recipe.named.r1 import COARSE, PLAIN
from assay.studies.proxy import Proxy
from assay.studies.study import Row, Study

NOTES = (
    "The report multiplies the learning rate by 0.85 every k steps and does not give k: once an epoch is assumed.",
)
PROTOCOL = "validation accuracy after 40 epochs"
# Few images, because an enlarged one costs about 50 times as much.
QUICK = Proxy(epochs=8, images=10_000, width=0.25, images_of=50_000)

TRANSLATE = {"augment.translate": 4}
FLIP = {"augment.flip": 0.5}
ENLARGE = {"data.size": 224}

STUDIES = (
    Study(
        "feature-map",
        "What do translation, flip and enlargement to 224 pixels each bring, and together?",
        PLAIN,
        (
            Row("none", {}, 66.9375),
            Row("enlarge", ENLARGE, 78.8673),
            Row("flip", FLIP, 67.5752),
            Row("flip, enlarge", {**FLIP, **ENLARGE}, 80.6685),
            Row("translate", TRANSLATE, 66.8562),
            Row("translate, enlarge", {**TRANSLATE, **ENLARGE}, 84.7254),
            Row("translate, flip", {**TRANSLATE, **FLIP}, 68.3861),
            Row("translate, flip, enlarge", {**TRANSLATE, **FLIP, **ENLARGE}, 86.9836),
        ),
        control="none",
        source="report R1, ablation on 20 coarse classes of CIFAR-100",
        protocol=PROTOCOL,
        quick=QUICK,
        notes=NOTES,
    ),
    Study(
        "tasks",
        "How well are 20 coarse and 100 fine classes of the same images told apart?",
        COARSE,
        (
            Row("20 coarse classes", {}, 86.9836),
            Row("100 fine classes", {"data.name": "cifar100"}, 82.0467),
        ),
        source="report R1, final results of the two tasks",
        protocol=f"{PROTOCOL}, all three techniques on",
        quick=QUICK,
        notes=NOTES,
    ),
)
