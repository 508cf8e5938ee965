"""The reports' tables, value by value: every base, and what every row changes in it, typed from the reports."""

from __future__ import annotations

from typing import Any

import further_rows
import pytest

from assay.recipe.recipe import Recipe
from assay.studies.named import STUDIES

Fields = dict[str, Any]

R1_TRAINING: Fields = {
    "data.name": "cifar100-coarse",
    "data.held_out": 0.0,
    "model.name": "resnet18",
    "model.stem_kernel": None,  # the ImageNet stem
    "model.stem_stride": None,
    "model.stem_pool": None,
    "optim.name": "adam",
    "optim.lr": 0.001,
    "optim.weight_decay": 0.0,
    "schedule.name": "exponential",
    "schedule.factor": 0.85,
    "schedule.every": None,  # 1 epoch
    "schedule.update": "epoch",
    "train.epochs": 40,
    "train.select": "last",
}
R2: Fields = {
    "data.name": "cifar10",
    "data.held_out": 0.1,
    "model.name": "resnet34",
    "model.stem_kernel": 3,
    "model.stem_stride": 1,
    "model.stem_pool": None,  # 3x3, stride 2
    "model.activation": None,  # ReLU
    "optim.name": "sgd",
    "optim.lr": 0.1,
    "optim.momentum": 0.9,
    "optim.weight_decay": 1e-5,
    "schedule.name": "step",
    "schedule.every": 10.0,
    "schedule.factor": 0.1,
    "schedule.update": "step",
    "loss.name": "cross-entropy",
    "train.batch_size": 128,
    "train.epochs": 50,
    "train.select": "held-out",
}
IMAGENET: Fields = {
    "data.name": "folder:imagenet",
    "data.size": 224,
    "data.crop_pct": 0.875,
    "data.held_out": 0.0,
    "data.test": 0.0,
    "augment.resized_crop": 0.08,
    "augment.flip": 0.5,
    "augment.brightness": 0.4,
    "augment.saturation": 0.4,
    "augment.hue": 0.2,
    "augment.pca_noise": 0.1,
    "model.name": "resnet50",
    "model.init": "xavier",
    "model.tweak": "a",
    "optim.name": "sgd",
    "optim.lr": 0.1,
    "optim.momentum": 0.9,
    "optim.nesterov": True,
    "optim.weight_decay": 1e-4,
    "schedule.name": "multistep",
    "schedule.factor": None,  # 0.1
    "schedule.milestones": (30.0, 60.0, 90.0),
    "train.epochs": 120,
    "train.batch_size": 256,
    "train.select": "last",
}
BATCH_1024: Fields = {"train.batch_size": 1024}
SCALED: Fields = {**BATCH_1024, "optim.lr_batch": 256}
WARMED: Fields = {**SCALED, "schedule.warmup": 5.0, "schedule.milestones": (25.0, 55.0, 85.0)}
ZERO_GAMMA: Fields = {**WARMED, "model.zero_gamma": True}
NO_BIAS_DECAY: Fields = {**ZERO_GAMMA, "optim.decay": "weights"}
FP16: Fields = {**NO_BIAS_DECAY, "train.precision": "fp16"}

BASES: dict[str, Fields] = {
    "feature-map": R1_TRAINING,
    "tasks": {**R1_TRAINING, "data.size": 224, "augment.translate": 4, "augment.flip": 0.5},
    "stem": R2,
    "augmentation": R2,
    "weight-decay": R2,
    "batch-size": R2,
    "activation": R2,
    "head": R2,
    "depth": {
        **R2,
        "model.width": 0.5,
        "model.hidden": 10,
        "model.dropout": 0.1,
        "model.dropout_place": "before_norm",
    },
    "schedule": R2,
    "optimizer": R2,
    "combination": R2,
    "no-maxpool": {
        **R2,
        "augment.crop": 4,
        "augment.flip": 0.5,
        "model.name": "resnet18",
        "model.stem_pool": False,
        "optim.weight_decay": 5e-4,
        "schedule.name": "multistep",
        "schedule.every": None,
        "schedule.milestones": (135.0, 185.0),
        "train.epochs": 240,
    },
    "models": {
        "data.name": "cifar10",
        "data.held_out": 0.0,
        "augment.crop": 0,
        "augment.flip": 0.0,
        "model.name": "simple-cnn",
        "optim.name": "sgd",
        "optim.lr": 0.02,
        "optim.momentum": 0.9,
        "optim.weight_decay": 0.0,
        "schedule.name": "cosine",
        "train.batch_size": 128,
        "train.epochs": 24,
        "train.select": "last",
    },
    "efficient-training": IMAGENET,
    "refinements": {**IMAGENET, **FP16},
    "resnet-cosine": {
        "data.name": "cifar10",
        "augment.crop": 4,
        "augment.flip": 0.5,
        "augment.rotation": 15.0,
        "model.name": "resnet18",
        "model.stem_kernel": 3,
        "model.stem_stride": 1,
        "model.stem_pool": False,
        "model.shortcut": "conv",
        "optim.name": "sgd",
        "optim.lr": 0.1,
        "optim.momentum": 0.9,
        "optim.dampening": 0.9,
        "optim.weight_decay": 5e-4,
        "schedule.name": "cosine-restarts",
        "schedule.period": 10.0,
        "schedule.multiply": 2,
        "train.batch_size": 128,
        "train.epochs": 70,
        "test.train": True,
    },
}

CONSTANT: Fields = {"schedule.name": "constant", "schedule.every": None, "schedule.factor": None}
STRUCTURE: Fields = {
    "model.activation": "elu",
    "model.hidden": 10,
    "model.width": 0.5,
    "model.dropout": 0.1,
    "model.dropout_place": "before_norm",
}
STRATEGY: Fields = {
    "augment.grayscale": 0.2,
    "augment.erase": 0.5,
    "optim.name": "adam",
    "optim.momentum": None,
    "optim.weight_decay": 1e-3,
    "train.batch_size": 32,
}
RESNET: Fields = {
    "model.name": "resnet18",
    "model.stem_kernel": 3,
    "model.stem_stride": 1,
    "model.stem_pool": False,
    "optim.lr": 0.1,
    "train.epochs": 30,
}
COSINE: Fields = {"model.tweak": "d", "schedule.name": "cosine", "schedule.milestones": None}
SMOOTHED: Fields = {**COSINE, "loss.label_smoothing": 0.1}
MIXED: Fields = {**SMOOTHED, "augment.mixup": 0.2, "train.epochs": 200}


def dropped(share: float, place: str) -> Fields:
    """A hidden layer of 10 with dropout."""
    return {"model.width": 0.5, "model.hidden": 10, "model.dropout": share, "model.dropout_place": place}


ROWS: dict[str, dict[str, Fields]] = {
    "feature-map": {
        "none": {},
        "enlarge": {"data.size": 224},
        "flip": {"augment.flip": 0.5},
        "flip, enlarge": {"augment.flip": 0.5, "data.size": 224},
        "translate": {"augment.translate": 4},
        "translate, enlarge": {"augment.translate": 4, "data.size": 224},
        "translate, flip": {"augment.translate": 4, "augment.flip": 0.5},
        "translate, flip, enlarge": {"augment.translate": 4, "augment.flip": 0.5, "data.size": 224},
    },
    "tasks": {"20 coarse classes": {}, "100 fine classes": {"data.name": "cifar100"}},
    "stem": {
        "3x3, stride 1": {},
        "3x3, stride 2": {"model.stem_stride": 2},
        "5x5, stride 2": {"model.stem_kernel": 5, "model.stem_stride": 2},
        "7x7, stride 2": {"model.stem_kernel": 7, "model.stem_stride": 2},
    },
    "augmentation": {
        "none": {},
        "color jitter 0.2": {
            "augment.brightness": 0.2,
            "augment.contrast": 0.2,
            "augment.saturation": 0.2,
            "augment.hue": 0.2,
        },
        "crop, padded by 4": {"augment.crop": 4},
        "flip": {"augment.flip": 0.5},
        "flip and crop": {"augment.flip": 0.5, "augment.crop": 4},
        "erasing 0.5": {"augment.erase": 0.5},
        "grayscale 0.2": {"augment.grayscale": 0.2},
        "grayscale and erasing": {"augment.grayscale": 0.2, "augment.erase": 0.5},
    },
    "weight-decay": {
        "L2 1e-5": {},
        "L2 1e-4": {"optim.weight_decay": 0.0001},
        "L2 1e-3": {"optim.weight_decay": 0.001},
        "L2 1e-2": {"optim.weight_decay": 0.01},
    },
    "batch-size": {
        "batch 16": {"train.batch_size": 16},
        "batch 32": {"train.batch_size": 32},
        "batch 64": {"train.batch_size": 64},
        "batch 128": {},
        "batch 256": {"train.batch_size": 256},
        "batch 512": {"train.batch_size": 512},
    },
    "activation": {
        "relu, softmax on the logits": {"loss.name": "double-softmax"},
        "relu": {},
        "elu": {"model.activation": "elu"},
        "leaky relu": {"model.activation": "leaky_relu"},
        "rrelu": {"model.activation": "rrelu"},
        "sigmoid": {"model.activation": "sigmoid"},
        "tanh": {"model.activation": "tanh"},
    },
    "head": {
        "width 2": {"model.width": 2.0},
        "width 1": {},
        "width 0.5": {"model.width": 0.5},
        "width 0.25": {"model.width": 0.25},
        "width 0.5, hidden 10": {"model.width": 0.5, "model.hidden": 10},
        "width 0.5, hidden 20": {"model.width": 0.5, "model.hidden": 20},
        "width 0.5, hidden 30": {"model.width": 0.5, "model.hidden": 30},
        "width 0.5, hidden 50": {"model.width": 0.5, "model.hidden": 50},
        "width 0.5, hidden 100": {"model.width": 0.5, "model.hidden": 100},
        "width 0.5, hidden 10, dropout 0.1 before the norm": dropped(0.1, "before_norm"),
        "width 0.5, hidden 10, dropout 0.1 after the norm": dropped(0.1, "after_norm"),
        "width 0.5, hidden 10, dropout 0.2 before the norm": dropped(0.2, "before_norm"),
        "width 0.5, hidden 10, dropout 0.3 before the norm": dropped(0.3, "before_norm"),
        "width 0.5, hidden 10, dropout 0.4 before the norm": dropped(0.4, "before_norm"),
        "width 0.5, hidden 10, dropout 0.5 before the norm": dropped(0.5, "before_norm"),
    },
    "depth": {
        "ResNet-18": {"model.name": "resnet18"},
        "ResNet-34": {},
        "ResNet-50": {"model.name": "resnet50"},
        "ResNet-101": {"model.name": "resnet101"},
        "ResNet-152": {"model.name": "resnet152"},
    },
    "schedule": {
        "constant 0.1": CONSTANT,
        "constant 0.01": {**CONSTANT, "optim.lr": 0.01},
        "constant 0.001": {**CONSTANT, "optim.lr": 0.001},
        "constant 0.0001": {**CONSTANT, "optim.lr": 0.0001},
        "step, 0.1 every 10 epochs": {},
        "step, 0.33 every 5 epochs": {"schedule.every": 5.0, "schedule.factor": 0.33},
        "exponential, 0.9 per epoch": {
            "schedule.name": "exponential",
            "schedule.every": 1.0,
            "schedule.factor": 0.9,
            "schedule.update": "epoch",
        },
        "cosine, periodic": {
            "schedule.name": "cosine-periodic",
            "schedule.every": None,
            "schedule.factor": None,
            "schedule.period": 10.0,
            "schedule.final": 0.0,
        },
    },
    "optimizer": {
        "SGD, lr 0.1": {},
        "Adagrad, lr 0.1": {"optim.name": "adagrad", "optim.momentum": None},
        "RMSprop, lr 0.01": {"optim.name": "rmsprop", "optim.momentum": None, "optim.lr": 0.01},
        "Adadelta, lr 0.1": {"optim.name": "adadelta", "optim.momentum": None},
        "Adam, lr 0.1": {"optim.name": "adam", "optim.momentum": None},
    },
    "combination": {
        "default structure, default strategy": {},
        "best structure, best strategy": {**STRUCTURE, **STRATEGY},
        "best structure, default strategy": STRUCTURE,
        "default structure, best strategy": STRATEGY,
    },
    "no-maxpool": {
        "ResNet-18": {},
        "hidden 10, dropout 0.1": {
            "model.hidden": 10,
            "model.dropout": 0.1,
            "model.dropout_place": "before_norm",
        },
        "erasing, grayscale for crop, flip": {
            "augment.crop": 0,
            "augment.flip": 0.0,
            "augment.erase": 0.5,
            "augment.grayscale": 0.2,
        },
        "ResNet-34": {"model.name": "resnet34"},
        "elu": {"model.activation": "elu"},
        "L2 1e-3": {"optim.weight_decay": 0.001},
    },
    "models": {
        "simple CNN": {},
        "simple CNN, augmentation": {"augment.crop": 2, "augment.flip": 0.5},
        "simple CNN, augmentation, L2": {"augment.crop": 2, "augment.flip": 0.5, "optim.weight_decay": 5e-4},
        "ResNet-18": {**RESNET, "schedule.name": "constant"},
        "ResNet-18, tuned": {
            **RESNET,
            "augment.crop": 4,
            "augment.flip": 0.5,
            "optim.weight_decay": 5e-4,
            "schedule.name": "multistep",
            "schedule.milestones": (15.0, 25.0),
        },
        "VGG-16, fine-tuned": {
            "augment.crop": 4,
            "augment.flip": 0.5,
            "model.name": "vgg16",
            "model.batch_norm": True,
            "optim.name": "muon",
            "optim.lr": 0.004,
            "optim.momentum": None,
            "optim.weight_decay": 0.1,
            "schedule.name": "linear",
            "schedule.warmup": 0.8,
            "loss.label_smoothing": 0.1,
            "train.epochs": 6,
            "train.batch_size": 256,
        },
    },
    "efficient-training": {
        "small batch": {},
        "large batch, rate unchanged": BATCH_1024,
        "large batch, linear scaling": SCALED,
        "+ warmup": WARMED,
        "+ zero gamma": ZERO_GAMMA,
        "+ no bias decay": NO_BIAS_DECAY,
        "+ low precision": FP16,
    },
    "refinements": {
        "ResNet-50": {},
        "ResNet-50-B": {"model.tweak": "b"},
        "ResNet-50-C": {"model.tweak": "c"},
        "ResNet-50-D": {"model.tweak": "d"},
        "D + cosine": COSINE,
        "D + cosine, label smoothing": SMOOTHED,
        "D + cosine, smoothing, distillation": {**SMOOTHED, "loss.temperature": 20.0},
        "D + cosine, smoothing, mixup": MIXED,
        "D + cosine, smoothing, mixup, distillation": {**MIXED, "loss.temperature": 20.0},
    },
    "resnet-cosine": {"test images": {}, "training images": {}},
}


RATES = (0.0001, 0.0002, 0.0005, 0.001, 0.002)
NORMS: Fields = {"model.batch_norm": True, "model.head_norm": True}
VGG: Fields = {
    "data.name": "cifar10",
    "data.held_out": 0.1,
    "model.name": "vgg11",
    "model.init": "xavier",
    "model.batch_norm": None,
    "model.dropout": None,
    "optim.name": "adam",
    "optim.lr": 0.001,
    "optim.weight_decay": 0.0,
    "schedule.name": "constant",
    "train.batch_size": 128,
    "train.epochs": 20,
    "train.select": "held-out",
}


def at_each_rate(name: str, fields: Fields) -> dict[str, Fields]:
    """The base's own rate is no change."""
    return {f"{name}, lr {rate:g}": {**fields, **({"optim.lr": rate} if rate != 0.001 else {})} for rate in RATES}


BASES |= {
    "bn-accuracy": VGG,
    "bn-vgg19": VGG,
    "bn-dropout": VGG,
    "bn-smoothness": {**VGG, "probe.every": 20, "probe.step_sizes": None},
}
ROWS |= {
    "bn-accuracy": {"VGG-A": {}, "VGG-A, norms": NORMS},
    "bn-vgg19": {
        **at_each_rate("VGG-19", {"model.name": "vgg19"}),
        **at_each_rate("VGG-19 with norms", {"model.name": "vgg19", **NORMS}),
    },
    "bn-dropout": {
        **at_each_rate("VGG-A with dropout", {"model.dropout": 0.5}),
        **at_each_rate("VGG-A with norms", NORMS),
    },
    "bn-smoothness": {**at_each_rate("VGG-A", {}), **at_each_rate("VGG-A with norms", NORMS)},
}
BASES |= further_rows.bases(R2, VGG, IMAGENET, BASES["resnet-cosine"])
ROWS |= further_rows.ROWS


def test_every_study_is_here() -> None:
    assert {name: [row.name for row in study.rows] for name, study in STUDIES.items()} == {
        name: list(rows) for name, rows in ROWS.items()
    }
    assert BASES.keys() == ROWS.keys()


@pytest.mark.parametrize("name", BASES)
def test_the_study_is_that_of_the_report(name: str) -> None:
    """The base has these values and else the defaults; each row changes these fields of it and no others."""
    study = STUDIES[name]
    fields = BASES[name].keys() | Recipe().differences(study.base).keys()
    made = {"the base": {field: study.base.get(field) for field in fields}}
    for row in study.rows:
        differences = study.base.differences(study.recipe(row))
        made[row.name] = {field: theirs for field, (_, theirs) in differences.items()}
    assert made == {"the base": BASES[name], **ROWS[name]}


def test_the_teacher() -> None:
    """One for all rows: ResNet-152-D, trained with cosine decay and label smoothing."""
    after = [row.after for name in ("refinements", "mobilenet", "inception") for row in STUDIES[name].rows if row.after]
    assert [list(first) for first in after] == 6 * [["loss.teacher"]]
    assert all(first == after[0] for first in after)
    changed = STUDIES["refinements"].base.differences(after[0]["loss.teacher"])
    assert {name: theirs for name, (_, theirs) in changed.items()} == {**SMOOTHED, "model.name": "resnet152"}


@pytest.mark.parametrize("study", ["models", "vgg-weights"])
def test_what_vgg_16_is_pretrained_on(study: str) -> None:
    row = STUDIES[study].rows[-1]
    first = row.after["model.pretrained"]
    assert STUDIES[study].recipe(row).differences(first) == {
        "data.name": ("cifar10", "cifar100"),
        "train.epochs": (6, 4),
    }


NOTES = {
    ("models", "ResNet-18"): "its training differs from the simple network's too",
    ("models", "ResNet-18, tuned"): "its training differs from the simple network's too",
    ("models", "VGG-16, fine-tuned"): "a head of 4,096 and 4,096 units with dropout, and SGD from 0.1 down to 0.001; "
    "here it has weights from CIFAR-100, a head of 512, and few epochs of Muon with a linear schedule and label "
    "smoothing. Its training differs from the simple network's too",
    ("efficient-training", "small batch"): "256 images in the paper, 1,024 in the large batch",
    ("efficient-training", "+ low precision"): "FP16 in the paper",
    (
        "refinements",
        "D + cosine, smoothing, mixup, distillation",
    ): "the paper trained this row's teacher with mixup; here it has the teacher of the row without mixup",
}


def test_what_differs_from_the_report_is_said() -> None:
    notes = {(name, row.name): row.note for name, study in STUDIES.items() for row in study.rows}
    assert {row: notes[row][-len(text) :] for row, text in NOTES.items()} == NOTES


def test_names_and_settings_of_quick_rows_agree() -> None:
    """A batch or a precision that a small machine swaps stands in no name, but in the words of the budget."""
    study = STUDIES["efficient-training"]
    assert study.quick
    assert not any(word in row.name for row in study.rows for word in ("256", "1024", "1,024", "FP16"))
    words = study.quick.in_words(study.base.train.epochs)
    assert "train.batch_size 64 in place of 256, 256 in place of 1024" in words
    assert "train.precision bf16 in place of fp16" in words
