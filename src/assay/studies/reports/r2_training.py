"""Report R2's tables on training: augmentation, weight decay, batch size, schedule and optimizer, on CIFAR-10."""

from __future__ import annotations

from typing import Any

from assay.studies.reports.r2_setting import table
from assay.studies.study import Row

JITTER = {"augment.brightness": 0.2, "augment.contrast": 0.2, "augment.saturation": 0.2, "augment.hue": 0.2}
CROP = {"augment.crop": 4}
FLIP = {"augment.flip": 0.5}
ERASE = {"augment.erase": 0.5}
GRAYSCALE = {"augment.grayscale": 0.2}


def _schedule(name: str, **options: Any) -> dict[str, Any]:
    """Another schedule than the base's step decay, without its options."""
    return {f"schedule.{key}": value for key, value in {"name": name, "every": None, "factor": None, **options}.items()}


CONSTANT = _schedule("constant")
PERIODIC = _schedule("cosine-periodic", period=10.0, final=0.0)
RMSPROP = {"optim.name": "rmsprop", "optim.momentum": None, "optim.lr": 0.01}

STUDIES = (
    table(
        "augmentation",
        "Which random changes to the training images help?",
        Row("none", {}, 78.62),
        Row("color jitter 0.2", JITTER, 74.95, note="brightness, contrast, saturation and hue"),
        Row("crop, padded by 4", CROP, 71.41, note="older framework"),
        Row("flip", FLIP, 76.26, note="older framework"),
        Row("flip and crop", {**FLIP, **CROP}, 69.12, note="older framework"),
        Row("erasing 0.5", ERASE, 82.27),
        Row("grayscale 0.2", GRAYSCALE, 79.37),
        Row("grayscale and erasing", {**GRAYSCALE, **ERASE}, 82.53),
        control="none",
        source="section 2.2.2",
    ),
    table(
        "weight-decay",
        "How strong should the L2 penalty be?",
        Row("L2 1e-5", {}, 78.62),
        Row("L2 1e-4", {"optim.weight_decay": 1e-4}, 80.16),
        Row("L2 1e-3", {"optim.weight_decay": 1e-3}, 82.69),
        Row("L2 1e-2", {"optim.weight_decay": 1e-2}, 75.86),
        control="L2 1e-5",
        source="section 2.2.3",
    ),
    table(
        "batch-size",
        "How large should a batch be, at one learning rate?",
        Row("batch 16", {"train.batch_size": 16}, 80.89, 5000),
        Row("batch 32", {"train.batch_size": 32}, 82.06, 2000),
        Row("batch 64", {"train.batch_size": 64}, 76.78, 1200),
        Row("batch 128", {}, 78.62, 1100),
        Row("batch 256", {"train.batch_size": 256}, 79.05, 1000),
        Row("batch 512", {"train.batch_size": 512}, 75.99, 800),
        control="batch 128",
        source="section 2.2.4",
    ),
    table(
        "schedule",
        "How should the learning rate fall?",
        Row("constant 0.1", CONSTANT, 78.68),
        Row("constant 0.01", {**CONSTANT, "optim.lr": 0.01}, 77.52),
        Row("constant 0.001", {**CONSTANT, "optim.lr": 0.001}, 62.12),
        Row("constant 0.0001", {**CONSTANT, "optim.lr": 0.0001}, 52.12),
        Row("step, 0.1 every 10 epochs", {}, 80.33),
        Row("step, 0.33 every 5 epochs", {"schedule.every": 5.0, "schedule.factor": 0.33}, 78.86),
        Row("exponential, 0.9 per epoch", _schedule("exponential", every=1.0, factor=0.9, update="epoch"), 76.68),
        Row("cosine, periodic", PERIODIC, 78.70, note="falls for 10 epochs, rises for 10"),
        control="step, 0.1 every 10 epochs",
        source="section 2.2.8",
    ),
    table(
        "optimizer",
        "Which optimizer is best, at about one learning rate?",
        Row("SGD, lr 0.1", {}, 78.36, note="momentum 0.9"),
        Row("Adagrad, lr 0.1", {"optim.name": "adagrad", "optim.momentum": None}, 76.71),
        Row("RMSprop, lr 0.01", RMSPROP, 75.41, note="failed at 0.1"),
        Row("Adadelta, lr 0.1", {"optim.name": "adadelta", "optim.momentum": None}, 69.48),
        Row("Adam, lr 0.1", {"optim.name": "adam", "optim.momentum": None}, 79.19),
        control="SGD, lr 0.1",
        source="section 2.2.9",
    ),
)
