"""Report R1's tables on CIFAR-100: its techniques, its two tasks, and the choices that it describes without figures."""

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
NO_FIGURES = "The report describes the comparison without figures"

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
    Study(
        "cifar100-optimizer",
        "Which optimizer is best on 20 coarse classes?",
        PLAIN,
        (
            Row("Adam, lr 0.001", {}, 66.9375),
            Row("SGD, lr 0.1", {"optim.name": "sgd", "optim.lr": 0.1}),
            Row("SGD, momentum 0.9, lr 0.01", {"optim.name": "sgd", "optim.momentum": 0.9, "optim.lr": 0.01}),
            Row("Adagrad, lr 0.01", {"optim.name": "adagrad", "optim.lr": 0.01}),
            Row("Adadelta, lr 1", {"optim.name": "adadelta", "optim.lr": 1.0}),
        ),
        control="Adam, lr 0.001",
        source="report R1, optimizers",
        protocol=PROTOCOL,
        quick=QUICK,
        notes=(
            f"{NO_FIGURES}, but for Adam's, and gives no rate but Adam's: the others are assumed, for Adagrad and "
            "Adadelta torch's own. Which of its techniques were on is not said: here none is.",
        ),
    ),
    Study(
        "cifar100-decay",
        "At which rate does the training begin, and how fast should the rate fall?",
        PLAIN,
        (
            Row("lr 0.001, 0.85 every epoch", {}, 66.9375),
            Row("lr 0.01, 0.85 every epoch", {"optim.lr": 0.01}),
            Row("lr 0.0001, 0.85 every epoch", {"optim.lr": 1e-4}),
            Row("lr 0.001, constant", {"schedule.name": "constant", "schedule.factor": None}),
            Row("lr 0.001, 0.95 every epoch", {"schedule.factor": 0.95}),
            Row("lr 0.001, 0.7 every epoch", {"schedule.factor": 0.7}),
            Row("lr 0.001, 0.85 every 2 epochs", {"schedule.every": 2.0}),
            Row("lr 0.001, 0.85 every 5 epochs", {"schedule.every": 5.0}),
        ),
        control="lr 0.001, 0.85 every epoch",
        source="report R1, exponential decay",
        protocol=PROTOCOL,
        quick=QUICK,
        notes=(
            "The report gives the rate 0.001 and the factor 0.85, compares them with no others, and leaves the number "
            "of steps from one multiplication to the next open: these rows stand around its values.",
        ),
    ),
)
