"""Studies of what the reports describe without a table: every base, and what every row changes in it."""

from __future__ import annotations

from typing import Any

Fields = dict[str, Any]

_PLAIN_R1: Fields = {
    "data.name": "cifar100-coarse",
    "data.held_out": 0.0,
    "data.size": None,
    "augment.translate": 0,
    "augment.flip": 0.0,
    "model.name": "resnet18",
    "optim.name": "adam",
    "optim.lr": 0.001,
    "schedule.name": "exponential",
    "schedule.factor": 0.85,
    "schedule.update": "epoch",
    "train.epochs": 40,
    "train.select": "last",
}
_SIMPLE: Fields = {
    "data.name": "cifar10",
    "data.held_out": 0.0,
    "optim.lr": 0.02,
    "optim.momentum": 0.9,
    "schedule.name": "cosine",
    "train.batch_size": 128,
    "train.epochs": 24,
    "train.select": "last",
}
_VGG_16: Fields = {
    "data.name": "cifar10",
    "data.held_out": 0.0,
    "augment.crop": 4,
    "augment.flip": 0.5,
    "model.name": "vgg16",
    "model.batch_norm": True,
    "model.pretrained": None,
    "optim.name": "muon",
    "optim.lr": 0.004,
    "optim.weight_decay": 0.1,
    "schedule.name": "linear",
    "schedule.warmup": 0.8,
    "loss.label_smoothing": 0.1,
    "train.epochs": 6,
    "train.batch_size": 256,
    "train.select": "last",
}
_ADAM: Fields = {"optim.name": "adam", "optim.lr": 0.001, "optim.momentum": None, "optim.dampening": None}
_ONE_FALL: Fields = {"schedule.name": "cosine", "schedule.period": None, "schedule.multiply": None}
_PROBED: Fields = {"probe.every": 20, "probe.step_sizes": None}
_NORMS: Fields = {"model.batch_norm": True, "model.head_norm": True}
_CROP_FLIP: Fields = {"augment.crop": 2, "augment.flip": 0.5}
_EFFICIENT: Fields = {
    "train.batch_size": 1024,
    "optim.lr_batch": 256,
    "schedule.warmup": 5.0,
    "schedule.milestones": (25.0, 55.0, 85.0),
    "optim.decay": "weights",
    "model.init": None,
    "model.tweak": None,
    "model.zero_gamma": None,
    "train.precision": "fp16",
}
_COSINE: Fields = {"schedule.name": "cosine", "schedule.milestones": None}
_SMOOTHED: Fields = {**_COSINE, "loss.label_smoothing": 0.1}
_MIXED: Fields = {**_SMOOTHED, "augment.mixup": 0.2, "train.epochs": 200}
_LARGE: Fields = {
    "train.batch_size": 16384,
    "optim.lr_batch": 256,
    "schedule.warmup": 5.0,
    "schedule.milestones": (25.0, 55.0, 85.0),
}


def _at_rates(name: str, fields: Fields) -> dict[str, Fields]:
    rates = (0.0001, 0.0002, 0.0005, 0.001, 0.002)  # 0.001 is the base's
    return {f"{name}, lr {rate:g}": {**fields, **({"optim.lr": rate} if rate != 0.001 else {})} for rate in rates}


def _refined(network: str) -> dict[str, Fields]:
    return {
        network: {},
        f"{network} + cosine": _COSINE,
        f"{network} + cosine, label smoothing": _SMOOTHED,
        f"{network} + cosine, smoothing, distillation": {**_SMOOTHED, "loss.temperature": 20.0},
        f"{network} + cosine, smoothing, mixup": _MIXED,
        f"{network} + cosine, smoothing, mixup, distillation": {**_MIXED, "loss.temperature": 20.0},
    }


ROWS: dict[str, dict[str, Fields]] = {
    "cifar100-optimizer": {
        "Adam, lr 0.001": {},
        "SGD, lr 0.1": {"optim.name": "sgd", "optim.lr": 0.1},
        "SGD, momentum 0.9, lr 0.01": {"optim.name": "sgd", "optim.lr": 0.01, "optim.momentum": 0.9},
        "Adagrad, lr 0.01": {"optim.name": "adagrad", "optim.lr": 0.01},
        "Adadelta, lr 1": {"optim.name": "adadelta", "optim.lr": 1.0},
    },
    "cifar100-decay": {
        "lr 0.001, 0.85 every epoch": {},
        "lr 0.01, 0.85 every epoch": {"optim.lr": 0.01},
        "lr 0.0001, 0.85 every epoch": {"optim.lr": 0.0001},
        "lr 0.001, constant": {"schedule.name": "constant", "schedule.factor": None},
        "lr 0.001, 0.95 every epoch": {"schedule.factor": 0.95},
        "lr 0.001, 0.7 every epoch": {"schedule.factor": 0.7},
        "lr 0.001, 0.85 every 2 epochs": {"schedule.every": 2.0},
        "lr 0.001, 0.85 every 5 epochs": {"schedule.every": 5.0},
    },
    "no-weight-decay": {"L2 1e-5": {}, "L2 0": {"optim.weight_decay": 0.0}},
    "sgd-smoothness": {"VGG-A, SGD, lr 0.1": {}, "VGG-A with norms, SGD, lr 0.1": _NORMS},
    "dropout-smoothness": {
        **_at_rates("VGG-A with dropout", {"model.dropout": 0.5}),
        **_at_rates("VGG-A with norms", _NORMS),
    },
    "vgg19-smoothness": {
        **_at_rates("VGG-19", {"model.name": "vgg19"}),
        **_at_rates("VGG-19 with norms", {"model.name": "vgg19", **_NORMS}),
    },
    "invariance": {
        "crop and flip at neither": {},
        "at training": _CROP_FLIP,
        "at test": {**_CROP_FLIP, "augment.where": "test"},
        "at training and test": {**_CROP_FLIP, "augment.where": "both"},
    },
    "vgg-weights": {
        "from scratch": {},
        "from scratch, with the epochs of the pretraining too": {"train.epochs": 10},
        "pretrained on CIFAR-100": {},
    },
    "mobilenet": _refined("MobileNet"),
    "inception": _refined("Inception-V3"),
    "very-large-batch": {
        "small batch, SGD": {},
        "very large batch, SGD": _LARGE,
        "very large batch, LARS": {**_LARGE, "optim.name": "lars", "optim.nesterov": None},
    },
    "precision": {"fp32": {}, "fp16": {"train.precision": "fp16"}, "bf16": {"train.precision": "bf16"}},
    "restarts": {
        "SGD, restarts": {},
        "SGD, no restarts": _ONE_FALL,
        "Adam, restarts": _ADAM,
        "Adam, no restarts": {**_ADAM, **_ONE_FALL},
    },
}
PUBLISHED: dict[str, list[float | None]] = {
    "cifar100-optimizer": [66.9375, None, None, None, None],
    "cifar100-decay": [66.9375, *7 * [None]],
    "no-weight-decay": [78.62, None],
    "sgd-smoothness": 2 * [None],
    "dropout-smoothness": 10 * [None],
    "vgg19-smoothness": 10 * [None],
    "invariance": [64.15, 66.19, None, None],
    "vgg-weights": [None, None, 90.12],
    "mobilenet": [71.90, 72.83, 72.93, 71.97, 73.28, 72.51],
    "inception": [77.50, 78.19, 78.40, 78.26, 78.77, 78.34],
    "very-large-batch": [75.87, None, None],
    "precision": [76.03, 76.21, None],
    "restarts": [93.0, None, None, None],
}
CONTROLS: dict[str, float | None] = {
    "cifar100-optimizer": 66.9375,
    "cifar100-decay": 66.9375,
    "no-weight-decay": 78.62,
    "sgd-smoothness": None,
    "invariance": 64.15,
    "vgg-weights": None,
    "mobilenet": 71.90,
    "inception": 77.50,
    "very-large-batch": 75.87,
    "precision": 76.03,
    "restarts": 93.0,
}


def bases(r2: Fields, vgg: Fields, imagenet: Fields, cosine: Fields) -> dict[str, Fields]:
    """The base of each study, as a difference from those of the reports' tables."""
    efficient = {**imagenet, **_EFFICIENT}
    fp32 = {"train.precision": "fp32", "model.init": "xavier", "model.tweak": "a", "model.zero_gamma": True}
    return {
        "cifar100-optimizer": _PLAIN_R1,
        "cifar100-decay": _PLAIN_R1,
        "no-weight-decay": r2,
        "sgd-smoothness": {**vgg, **_PROBED, "optim.name": "sgd", "optim.lr": 0.1},
        "dropout-smoothness": {**vgg, **_PROBED},
        "vgg19-smoothness": {**vgg, **_PROBED},
        "invariance": _SIMPLE,
        "vgg-weights": _VGG_16,
        "mobilenet": {**efficient, "model.name": "timm:mobilenetv1_100"},
        "inception": {**efficient, "model.name": "torchvision:inception_v3", "data.size": 299},
        "very-large-batch": imagenet,
        "precision": {**efficient, **fp32},
        "restarts": cosine,
    }
