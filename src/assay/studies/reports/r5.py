"""Report R5's tables: ResNet-18 with cosine annealing and restarts, on test and training images, and against Adam."""

from __future__ import annotations

from assay.recipe.named.r5 import COSINE
from assay.studies.proxy import Proxy
from assay.studies.study import Row, Study

NOTES = (
    "The report gives no learning rate, weight decay, period of the restarts or number of epochs: 0.1, 5e-4, 10 epochs "
    "that double after each restart, and 70 in all are assumed.",
)
BASE = COSINE.but({"test.train": True})
PROTOCOL = "not stated; whole percents"
QUICK = Proxy(epochs=7, images=25_000, width=0.25, images_of=50_000)
ADAM = {"optim.name": "adam", "optim.lr": 1e-3, "optim.momentum": None, "optim.dampening": None}
NO_RESTARTS = {"schedule.name": "cosine", "schedule.period": None, "schedule.multiply": None}

STUDIES = (
    Study(
        "resnet-cosine",
        "How much better does the network know its training images than new ones?",
        BASE,
        (
            Row("test images", {}, 93.0, note="10,000 images"),
            Row("training images", {}, 99.0, note="50,000 images; a model of 40 MB", split="train"),
        ),
        source="report R5",
        protocol=PROTOCOL,
        quick=QUICK,
        notes=NOTES,
    ),
    Study(
        "restarts",
        "Are restarts better than a single fall of the rate, and SGD better than Adam, with and without them?",
        BASE,
        (
            Row("SGD, restarts", {}, 93.0),
            Row("SGD, no restarts", NO_RESTARTS),
            Row("Adam, restarts", ADAM),
            Row("Adam, no restarts", {**ADAM, **NO_RESTARTS}),
        ),
        control="SGD, restarts",
        source="report R5, SGD and restarts",
        protocol=PROTOCOL,
        quick=QUICK,
        notes=(
            "The report gives a figure for SGD with restarts alone, and no rate for Adam: 0.001 is assumed, and the "
            "same L2 penalty.",
        ),
    ),
)
