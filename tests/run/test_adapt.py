"""Changing a field of a recipe: what follows from it, what stays, and that no named recipe breaks."""

from __future__ import annotations

from functools import cache
from typing import Any

import pytest
import torch
from torch import nn

from assay.classifier.classifier import build_network as build_anew
from assay.data.dataset import MemoryDataset
from assay.data.load import Data
from assay.data.preprocess import Preprocessing
from assay.recipe.named import RECIPES
from assay.recipe.recipe import Recipe
from assay.run import build
from assay.run.adapt import adapt
from assay.run.build import check_recipe, learning_rate

RAMP = {"train.size": 192, "train.small_size": 160, "train.small_share": 0.5, "train.small_ramp": 0.25}
BASE = Recipe().but({"model.name": "resnet18", "train.epochs": 40})


def followed(before: dict[str, Any], given: dict[str, Any]) -> dict[str, tuple[Any, Any]]:
    """The fields that followed, with the old and the new value; each has a note."""
    recipe = BASE.but(before)
    adapted = adapt(recipe, given)
    found = recipe.differences(adapted.recipe)
    assert recipe.but(adapted.changes) == adapted.recipe
    assert sorted(found.keys() - given.keys()) == sorted(note.split()[0].rstrip(":") for note in adapted.notes)
    assert all(adapted.recipe.get(name) == recipe.sections_with(given).get(name) for name in given)
    return {name: pair for name, pair in found.items() if name not in given}


@pytest.mark.parametrize(
    ("before", "follows"),
    [
        ({"schedule.warmup": 5.0}, {"schedule.warmup": (5.0, 1.25)}),
        ({"schedule.name": "step", "schedule.every": 10.0}, {"schedule.every": (10.0, 2.5)}),
        ({"schedule.name": "step"}, {"schedule.every": (None, 2.5)}),
        ({"schedule.name": "exponential"}, {"schedule.every": (None, 0.25)}),
        (
            {"schedule.name": "multistep", "schedule.milestones": (12.0, 36.0)},
            {"schedule.milestones": ((12.0, 36.0), (3.0, 9.0))},
        ),
        ({"schedule.name": "cosine-restarts", "schedule.period": 8.0}, {"schedule.period": (8.0, 2.0)}),
        ({"schedule.name": "cosine"}, {}),
        ({"schedule.name": "one-cycle"}, {}),
        ({"train.patience": 6}, {}),
        ({"train.ema": 0.99}, {"train.ema": (0.99, 0.96)}),
        ({"train.ema": 0.6}, {"train.ema": (0.6, 0.5)}),
        (
            {
                "model.pretrained": "default",
                "transfer.freeze": "gradual",
                "transfer.unfreeze_after": 8,
                "transfer.unfreeze_every": 3,
            },
            {"transfer.unfreeze_after": (8, 2), "transfer.unfreeze_every": (3, 1)},
        ),
    ],
)
def test_lengths_keep_their_share_of_the_run(before: dict[str, Any], follows: dict[str, Any]) -> None:
    assert followed(before, {"train.epochs": 10}) == follows
    assert followed(before, {"train.epochs": 40}) == {}
    assert followed(before, {"optim.lr": 0.2}) == {}
    given = {name: new for name, (_, new) in follows.items()}
    assert followed(before, {"train.epochs": 20, **given}) == {}  # what is given is literal


def test_layers_that_join_in_a_longer_run_join_later_by_default_too() -> None:
    before = {"model.pretrained": "default", "transfer.freeze": "gradual"}
    assert followed(before, {"train.epochs": 120}) == {
        "transfer.unfreeze_after": (None, 3),
        "transfer.unfreeze_every": (None, 3),
    }


@pytest.mark.parametrize("name", ["resnet18-cifar", "r2-default", "r2-improved", "r1-coarse", "imagenet-warmup"])
@pytest.mark.parametrize("epochs", [1, 3, 400])
def test_the_learning_rate_keeps_its_shape(name: str, epochs: int) -> None:
    """At each fraction of the run it is what it was; a change between epochs alone is seen where both have one."""
    full = RECIPES[name].recipe.but({"schedule.update": "step"})
    other = adapt(full, {"train.epochs": epochs}).recipe
    rates = [learning_rate(recipe) for recipe in (full, other)]
    places = [place / 997 for place in range(997)]
    assert [rates[1](epochs * place) for place in places] == pytest.approx(
        [rates[0](full.train.epochs * place) for place in places], rel=1e-9
    )


def test_notes_say_what_followed_and_why() -> None:
    warm = BASE.but({"schedule.warmup": 5.0, "optim.momentum": 0.9})
    assert adapt(warm, {"train.epochs": 10, "optim.name": "adam"}).notes == (
        "schedule.warmup: 1.25, not 5; the same share of train.epochs 10",
        "optim.momentum 0.9 is left out; optim.name adam has no such option",
    )


@pytest.mark.parametrize(
    ("before", "given", "follows"),
    [
        ({"optim.momentum": 0.9}, {"optim.name": "adamw"}, {"optim.momentum": (0.9, None)}),
        ({"optim.momentum": 0.9}, {"optim.name": "muon"}, {}),
        (
            {"schedule.name": "step", "schedule.every": 5.0},
            {"schedule.name": "cosine"},
            {"schedule.every": (5.0, None)},
        ),
        ({"schedule.name": "step", "schedule.factor": 0.5}, {"schedule.name": "exponential"}, {}),
        ({"model.stem_kernel": 3, "model.width": 0.5}, {"model.name": "vgg11"}, {"model.stem_kernel": (3, None)}),
        (
            {"model.stem_kernel": 3, "model.dropout": 0.5},
            {"model.name": "torchvision:mobilenet_v3_small"},
            {"model.stem_kernel": (3, None)},
        ),
        (
            {"model.pretrained": "default", "transfer.layer_decay": 0.9, "transfer.freeze_norms": True},
            {"model.pretrained": None},
            {"transfer.layer_decay": (0.9, 1.0), "transfer.freeze_norms": (True, False)},
        ),
        (
            {"model.pretrained": "default", "transfer.freeze": "gradual", "transfer.unfreeze_after": 2},
            {"transfer.freeze": "body"},
            {"transfer.unfreeze_after": (2, None)},
        ),
        (
            {"model.hidden": 10, "model.dropout_place": "after_norm"},
            {"model.hidden": None},
            {"model.dropout_place": ("after_norm", None)},
        ),
        ({"optim.momentum": 0.9, "optim.nesterov": True}, {"optim.momentum": 0}, {"optim.nesterov": (True, None)}),
        (
            {"schedule.warmup": 1.0, "schedule.warmup_start": 0.1},
            {"schedule.warmup": 0},
            {"schedule.warmup_start": (0.1, None)},
        ),
        ({"loss.teacher": "t", "loss.temperature": 4.0}, {"loss.teacher": None}, {"loss.temperature": (4.0, None)}),
        (
            {"augment.policy": "rand", "augment.rand_ops": 1},
            {"augment.policy": "trivial"},
            {"augment.rand_ops": (1, None)},
        ),
        ({"probe.every": 5, "probe.step_sizes": (0.1,)}, {"probe.every": None}, {"probe.step_sizes": ((0.1,), None)}),
        (
            {"data.size": 224, **RAMP},
            {"data.size": 448},
            {"train.size": (192, 384), "train.small_size": (160, 320)},
        ),
        ({"data.size": 224, **RAMP}, {"data.size": 192}, {"train.size": (192, 160), "train.small_size": (160, 128)}),
        (
            {"data.size": 224, **RAMP},
            {"data.size": 64},
            {
                "train.size": (192, 32),
                "train.small_size": (160, None),
                "train.small_share": (0.5, None),
                "train.small_ramp": (0.25, None),
            },
        ),
        ({"data.size": 32, "train.small_size": 24}, {"data.size": 64}, {"train.small_size": (24, 48)}),
        ({"train.small_size": 24}, {"data.size": 64}, {}),  # of images of unknown size
        ({"train.small_size": 24}, {"data.size": 24}, {"train.small_size": (24, 23)}),
        ({"data.size": 224, "train.size": 192}, {"data.size": 448, "train.size": 200}, {}),
        ({}, {"data.held_out": 0}, {"train.select": ("held-out", "last")}),
        (
            {"train.patience": 3},
            {"data.held_out": 0},
            {"train.select": ("held-out", "last"), "train.patience": (3, None)},
        ),
        ({"train.patience": 3}, {"train.select": "last"}, {"train.patience": (3, None)}),
        ({"data.held_out": 0.0, "train.select": "last"}, {"train.select": "held-out"}, {"data.held_out": (0.0, 0.1)}),
    ],
)
def test_what_hangs_on_a_changed_field_follows(
    before: dict[str, Any], given: dict[str, Any], follows: dict[str, Any]
) -> None:
    assert followed(before, given) == follows


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"train.epochs": 0}, "train.epochs: 0 is not a whole number at least 1"),
        ({"train.epochs": "many"}, "train.epochs: 'many' is not a whole number"),
        ({"optim.name": "adm"}, "did you mean adam"),
        ({"optim.rl": 1}, "unknown field optim.rl: did you mean optim.lr"),
        ({"data.held_out": 0, "train.select": "held-out"}, "train.select held-out needs data.held_out above 0"),
        ({"train.select": "last", "train.patience": 3}, "train.patience needs train.select held-out or test"),
    ],
)
def test_what_is_given_is_refused_where_it_does_not_fit(given: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        adapt(BASE, given)


CHANGES: dict[str, tuple[Any, ...]] = {
    "train.epochs": (1, 2, 1000),
    "train.batch_size": (8, 1024),
    "train.accumulate": (2,),
    "train.ema": (None, 0.99),
    "train.lookahead": (None, 5),
    "train.select": ("held-out", "last", "test"),
    "train.patience": (None,),
    "train.precision": ("bf16",),
    "data.size": (24, 32, 64, 300),
    "data.held_out": (0, 0.3),
    "data.train_images": (1500,),
    "model.name": ("resnet34", "vgg16", "simple-cnn", "torchvision:mobilenet_v3_small"),
    "model.pretrained": (None,),
    "model.activation": (None,),
    "model.hidden": (None,),
    "optim.name": ("sgd", "adamw", "muon"),
    "optim.lr": (1.0,),
    "optim.weight_decay": (0,),
    "optim.clip": (1.0,),
    "schedule.name": ("constant", "cosine", "step", "one-cycle"),
    "schedule.warmup": (0,),
    "loss.teacher": (None,),
    "loss.label_smoothing": (0, 0.1),
    "augment.crop": (0, 4),
    "augment.flip": (0, 0.5),
    "test.views": ("flip",),
}
RIGHTLY_REFUSED = {
    "model.name resnet34: unknown tweak for this depth 'a': choose from b, c, d",  # R4's baseline has no shallow form
    "data.size 24: image_size of a VGG must be a whole number of at least 32, got 24",
    *(
        f"data.size {size}: torchvision:inception_v3 needs images of at least 75 pixels, not {size}; set data.size 299"
        for size in (24, 32, 64)
    ),
}


@pytest.fixture
def _small_networks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each network is built once to see that it can be; a small one stands in for it, to which the rest is fitted."""

    def build_network(options: dict[str, Any], classes: tuple[str, ...], how: Preprocessing) -> nn.Module:
        key = (*options.items(), how.size)
        if key not in BUILT:
            with torch.device("meta"):  # without memory for weights, whose drawing takes the most time
                build_anew(options, classes, how)
            BUILT.add(key)
        body = (nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.AdaptiveAvgPool2d(1), nn.Flatten())
        return nn.Sequential(*body, nn.Linear(4, len(classes)))

    monkeypatch.setattr(build, "build_network", build_network)


BUILT: set[tuple[Any, ...]] = set()


@pytest.mark.slow
@pytest.mark.usefixtures("_small_networks")
@pytest.mark.parametrize("name", RECIPES)
def test_no_change_of_one_field_breaks_a_named_recipe(name: str) -> None:
    """All components are built as for a run, but weights and teachers, which would have to be read."""
    refused = []
    for field, values in CHANGES.items():
        for value in values:
            recipe = adapt(RECIPES[name].recipe, {field: value}).recipe
            recipe = adapt(recipe, {"model.pretrained": None, "loss.teacher": None}).recipe
            try:
                check_recipe(recipe, pretended_data(recipe))
            except ValueError as error:
                refused.append(f"{field} {value}: {error}")
    assert set(refused) <= RIGHTLY_REFUSED


@cache
def numbered(count: int) -> list[str]:
    return [str(number) for number in range(count)]


def pretended_data(recipe: Recipe) -> Data:
    """As many black images of 10 classes as the largest batch has, of which only one is in memory."""
    side = recipe.data.size or 32

    def part(count: int) -> MemoryDataset:
        pixels = torch.zeros(1, dtype=torch.uint8).expand(count, 3, side, side)
        return MemoryDataset(pixels, torch.arange(count) % 10, numbered(count))

    splits = {"train": part(16_384), "test": part(100), **({"held-out": part(100)} if recipe.data.held_out else {})}
    return Data(splits, tuple("abcdefghij"), Preprocessing(3, side, side, (0.5,) * 3, (0.5,) * 3))
