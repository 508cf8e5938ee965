"""The values that a search tries: from the recipe's own ranges, or as they are given."""

from __future__ import annotations

import re
from typing import Any

import pytest
from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution

from assay.recipe.recipe import Recipe
from assay.studies.search.space import Choices, Range, drawn_of, read_space, values_of

BASE = Recipe().but({"optim.lr": 0.05, "optim.weight_decay": 5e-4, "augment.crop": 2})


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("optim.lr", Range(0.005, 0.5, log=True, whole=False)),
        ("optim.weight_decay", Range(5e-5, 5e-3, log=True, whole=False)),
        ("augment.flip", Range(0, 1, log=False, whole=False)),
        ("loss.label_smoothing", Range(0, 0.999, log=False, whole=False)),
        ("optim.momentum", Range(0, 0.999, log=False, whole=False)),  # its own value is None
        ("train.ema", Range(0.001, 0.999, log=False, whole=False)),
        ("train.batch_size", Range(13, 1280, log=True, whole=True)),
        ("augment.crop", Range(1, 20, log=True, whole=True)),
        ("transfer.head_lr", Range(0.1, 10, log=True, whole=False)),
        ("optim.lr=0.001..0.3", Range(0.001, 0.3, log=True, whole=False)),
        ("optim.lr=0.1..0.3", Range(0.1, 0.3, log=False, whole=False)),
        ("optim.lr=1e-3..3e-1:linear", Range(0.001, 0.3, log=False, whole=False)),
        ("optim.lr=0.1..0.3:log", Range(0.1, 0.3, log=True, whole=False)),
        ("augment.cutout=0..12", Range(0, 12, log=False, whole=True)),
        ("train.batch_size=64,128", Choices({"64": 64, "128": 128})),
        ("optim.clip=null,1.5", Choices({"null": None, "1.5": 1.5})),
        ("model.activation=relu,gelu", Choices({"relu": "relu", "gelu": "gelu"})),
        ("transfer.freeze=none,body", Choices({"none": "none", "body": "body"})),
        ("schedule.milestones=[3,6],[8]", Choices({"[3,6]": (3.0, 6.0), "[8]": (8.0,)})),
        ("optim.decay", Choices({"all": "all", "weights": "weights"})),
        ("augment.policy", Choices({"null": None, "trivial": "trivial", "rand": "rand"})),
        ("train.channels_last", Choices({"true": True, "false": False})),
    ],
)
def test_space(text: str, expected: Range | Choices) -> None:
    assert read_space(BASE, [text]) == {text.partition("=")[0]: expected}


def test_a_range_stays_within_the_limits() -> None:
    base = BASE.but({"augment.rotation": 90.0, "train.batch_size": 20_000})
    space = read_space(base, ["augment.rotation", "train.batch_size"])
    assert space["augment.rotation"] == Range(9, 180, log=True, whole=False)
    assert space["train.batch_size"] == Range(2000, 65_536, log=True, whole=True)


@pytest.mark.parametrize(
    ("fields", "complaint"),
    [
        (["optim.lrr"], "unknown field optim.lrr: did you mean optim.lr?"),
        (["optim.lr", "optim.lr=1..2"], "optim.lr: given twice"),
        ([], "no field to search over"),
        (["augment.cutout"], "augment.cutout: its own value (0) gives no range; say which values, as augment.cutout=L"),
        (["model.width"], "model.width: its own value (default) gives no range"),
        (["model.activation"], "as model.activation=A,B"),
        (["schedule.milestones"], "as schedule.milestones=A,B"),
        (["optim.lr=0..1"], "optim.lr: 0 is not a number above 0 and at most 100"),
        (["optim.lr=1..1000"], "optim.lr: 1000 is not a number above 0 and at most 100"),
        (["optim.lr=0.3..0.1"], "optim.lr=0.3..0.1: 0.3 is not below 0.1"),
        (["optim.lr=0.1..x"], "optim.lr=0.1..x: expected two numbers"),
        (["optim.lr=0.1..0.2:lin"], "unknown scale 'lin': did you mean linear?"),
        (["augment.flip=0..1:log"], "a log scale begins above 0"),
        (["train.batch_size=1.5..3"], "train.batch_size: 1.5 is not a whole number"),
        (["train.batch_size=64"], "expected LOW..HIGH, or two or more different values"),
        (["train.batch_size=64,64"], "two or more different values"),
        (["optim.name=sgd,adan"], "optim.name: 'adan' is not sgd, adagrad"),
        (["data.held_out"], "data.held_out: cannot be searched over"),
        (["train.seed=1,2"], "train.seed: cannot be searched over"),
        (["data.workers=1,2"], "changes no number"),
    ],
)
def test_mistakes(fields: list[str], complaint: str) -> None:
    with pytest.raises(ValueError, match=re.escape(complaint)) as caught:
        read_space(BASE, fields)
    assert "\n" not in str(caught.value)


def test_what_is_refused_with_other_fields_alone_is_no_mistake() -> None:
    assert "train.accumulate" in read_space(BASE, ["train.accumulate=3,4"])


@pytest.mark.parametrize(
    ("text", "distribution"),
    [
        ("optim.lr", FloatDistribution(0.005, 0.5, log=True)),
        ("augment.cutout=0..12", IntDistribution(0, 12)),
        ("optim.decay", CategoricalDistribution(("all", "weights"))),
    ],
)
def test_distributions(text: str, distribution: Any) -> None:
    [kind] = read_space(BASE, [text]).values()
    assert kind.distribution() == distribution


def test_values_are_what_the_recipe_takes() -> None:
    space = read_space(BASE, ["optim.lr", "train.batch_size", "optim.clip=null,1.5", "loss.label_smoothing"])
    drawn = {"optim.lr": 0.0123456, "train.batch_size": 77, "optim.clip": "null", "loss.label_smoothing": 0.99899999}
    values = values_of(space, drawn)
    assert values == {
        "optim.lr": 0.01235, "train.batch_size": 77, "optim.clip": None, "loss.label_smoothing": 0.999,
    }  # fmt: skip
    assert BASE.but(values).optim.lr == 0.01235


def test_the_recipes_own_values_are_drawn_first_where_the_space_has_them() -> None:
    space = read_space(BASE, ["optim.lr", "optim.decay", "augment.policy"])
    assert drawn_of(space, BASE) == {"optim.lr": 0.05, "optim.decay": "all", "augment.policy": "null"}
    assert drawn_of(read_space(BASE, ["optim.lr=1..2"]), BASE) is None
