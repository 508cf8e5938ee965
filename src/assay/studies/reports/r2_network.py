"""Report R2's tables on the network: stem, activation, head and depth, on CIFAR-10."""

from __future__ import annotations

from dataclasses import replace

from assay.recipe.named.r2 import DEFAULT
from assay.studies.reports.r2_setting import PROTOCOL, QUICK, table
from assay.studies.study import Row

HALF = {"model.width": 0.5}
HALF_10 = {**HALF, "model.hidden": 10}
BEFORE = {**HALF_10, "model.dropout_place": "before_norm"}
AFTER = {**HALF_10, "model.dropout_place": "after_norm"}

STUDIES = (
    table(
        "stem",
        "How do the first convolution's kernel and stride change the accuracy on small images?",
        Row("3x3, stride 1", {}, 78.62),
        Row("3x3, stride 2", {"model.stem_stride": 2}, 74.07),
        Row("5x5, stride 2", {"model.stem_kernel": 5, "model.stem_stride": 2}, 72.53),
        Row("7x7, stride 2", {"model.stem_kernel": 7, "model.stem_stride": 2}, 62.84),
        control="3x3, stride 1",
        source="section 2.2.1",
        protocol=f"{PROTOCOL}; about 1,100 s a run on a GTX 1080 Ti",
    ),
    table(
        "activation",
        "Which activation function is best, and what does a softmax too many cost?",
        Row("relu, softmax on the logits", {"loss.name": "double-softmax"}, 70.82),
        Row("relu", {}, 80.60),
        Row("elu", {"model.activation": "elu"}, 82.26),
        Row("leaky relu", {"model.activation": "leaky_relu"}, 77.81),
        Row("rrelu", {"model.activation": "rrelu"}, 80.02),
        Row("sigmoid", {"model.activation": "sigmoid"}, 75.47),
        Row("tanh", {"model.activation": "tanh"}, 74.66),
        control="relu",
        source="section 2.2.5",
    ),
    table(
        "head",
        "What do the width, a hidden layer before the last, and dropout in it bring?",
        Row("width 2", {"model.width": 2.0}, 71.67, note="1,024 features"),
        Row("width 1", {}, 79.64, note="512 features"),
        Row("width 0.5", HALF, 80.29, note="256 features"),
        Row("width 0.25", {"model.width": 0.25}, 77.33, note="128 features"),
        Row("width 0.5, hidden 10", HALF_10, 80.95),
        Row("width 0.5, hidden 20", {**HALF, "model.hidden": 20}, 80.44),
        Row("width 0.5, hidden 30", {**HALF, "model.hidden": 30}, 80.75),
        Row("width 0.5, hidden 50", {**HALF, "model.hidden": 50}, 80.58),
        Row("width 0.5, hidden 100", {**HALF, "model.hidden": 100}, 79.85),
        Row("width 0.5, hidden 10, dropout 0.1 before the norm", {**BEFORE, "model.dropout": 0.1}, 81.31),
        Row("width 0.5, hidden 10, dropout 0.1 after the norm", {**AFTER, "model.dropout": 0.1}, 79.64),
        Row("width 0.5, hidden 10, dropout 0.2 before the norm", {**BEFORE, "model.dropout": 0.2}, 81.04),
        Row("width 0.5, hidden 10, dropout 0.3 before the norm", {**BEFORE, "model.dropout": 0.3}, 80.99),
        Row("width 0.5, hidden 10, dropout 0.4 before the norm", {**BEFORE, "model.dropout": 0.4}, 80.94),
        Row("width 0.5, hidden 10, dropout 0.5 before the norm", {**BEFORE, "model.dropout": 0.5}, 79.72),
        control="width 1",
        source="section 2.2.6",
        protocol=f"{PROTOCOL}; three groups, each from the best of the one before",
        quick=replace(QUICK, width=0.5, images=12_500),  # a quarter of width 1/4 would be below 1/8, the least there is
    ),
    table(
        "depth",
        "Are deeper networks better, at half the width?",
        Row("ResNet-18", {"model.name": "resnet18"}, 80.56, 371),
        Row("ResNet-34", {}, 80.93, 509),
        Row("ResNet-50", {"model.name": "resnet50"}, 74.94, 749),
        Row("ResNet-101", {"model.name": "resnet101"}, 73.08, 1300),
        Row("ResNet-152", {"model.name": "resnet152"}, 68.69, 2000),
        base=DEFAULT.but({**BEFORE, "model.dropout": 0.1}),
        control="ResNet-34",
        source="section 2.2.7",
    ),
)
