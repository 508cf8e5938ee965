"""Report R5's table: ResNet-18 with cosine annealing and restarts, asked about test and training images."""

from __future__ import annotations

from assay.recipe.named.r5 import COSINE
from assay.studies.proxy import Proxy
from assay.studies.study import Row, Study

NOTES = (
    "The report gives no learning rate, weight decay, period of the restarts or number of epochs: 0.1, 5e-4, 10 epochs "
    "that double after each restart, and 70 in all are assumed.",
)

STUDIES = (
    Study(
        "resnet-cosine",
        "How much better does the network know its training images than new ones?",
        COSINE.but({"test.train": True}),
        (
            Row("test images", {}, 93.0, note="10,000 images"),
            Row("training images", {}, 99.0, note="50,000 images; a model of 40 MB", split="train"),
        ),
        source="report R5",
        protocol="not stated; whole percents",
        quick=Proxy(epochs=7, images=25_000, width=0.25, images_of=50_000),
        notes=NOTES,
    ),
)
