"""The reports' tables: their rows, the fields in which they differ, and the published figures."""

from __future__ import annotations

import itertools
import json
import re
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any

import further_rows
import pytest
import torch
from numpy.testing import assert_allclose
from torch import nn

from assay.models import build_model
from assay.recipe.recipe import Recipe
from assay.run.build import architecture, learning_rate
from assay.studies.named import STUDIES, find_study
from assay.studies.plan import BUDGETS, plan_study
from assay.studies.study import Row, Study
from assay.training.losses import build_loss
from assay.training.optim import build_optimizer, parameter_groups
from quick_suite import rest_slow

# Typed from the reports' tables: the accuracies of each in the order of its rows.
PUBLISHED: dict[str, list[float | None]] = {
    "feature-map": [66.9375, 78.8673, 67.5752, 80.6685, 66.8562, 84.7254, 68.3861, 86.9836],
    "tasks": [86.9836, 82.0467],
    "stem": [78.62, 74.07, 72.53, 62.84],
    "augmentation": [78.62, 74.95, 71.41, 76.26, 69.12, 82.27, 79.37, 82.53],
    "weight-decay": [78.62, 80.16, 82.69, 75.86],
    "batch-size": [80.89, 82.06, 76.78, 78.62, 79.05, 75.99],
    "activation": [70.82, 80.60, 82.26, 77.81, 80.02, 75.47, 74.66],
    "head": [
        *(71.67, 79.64, 80.29, 77.33),
        *(80.95, 80.44, 80.75, 80.58, 79.85),
        *(81.31, 79.64, 81.04, 80.99, 80.94, 79.72),
    ],
    "depth": [80.56, 80.93, 74.94, 73.08, 68.69],
    "schedule": [78.68, 77.52, 62.12, 52.12, 80.33, 78.86, 76.68, 78.70],
    "optimizer": [78.36, 76.71, 75.41, 69.48, 79.19],
    "combination": [78.62, 82.64, 82.08, 83.16],
    "no-maxpool": [95.45, 95.12, 89.11, 95.48, 92.26, 94.63],
    "models": [64.15, 66.19, 67.62, 83.92, 91.26, 90.12],
    "resnet-cosine": [93, 99],
    "bn-accuracy": [77.07, 82.84],
    "bn-vgg19": [75.66, 10.00, 10.00, 10.00, 10.00, 73.27, 79.51, 84.12, 82.47, 85.00],
    "bn-dropout": [75.10, 76.93, 77.14, 75.08, 69.83, 73.55, 77.35, 81.82, 82.96, 81.55],
    "bn-smoothness": [None] * 10,
    "efficient-training": [75.87, None, 75.17, 75.93, 76.37, 76.03, 76.21],
    "refinements": [76.21, 76.66, 76.87, 77.16, 77.91, 78.31, 78.67, 79.15, 79.29],
    **further_rows.PUBLISHED,
}
SECONDS = {
    "batch-size": [5000, 2000, 1200, 1100, 1000, 800],
    "depth": [371, 509, 749, 1300, 2000],
    "combination": [1100, 1997, 516, 1931],
    "no-maxpool": [5938, 5945, 5937, 10286, 5979, 5919],
}
CONTROLS = {
    "feature-map": 66.9375,
    "stem": 78.62,
    "augmentation": 78.62,
    "weight-decay": 78.62,
    "batch-size": 78.62,
    "activation": 80.60,
    "head": 79.64,
    "depth": 80.93,
    "schedule": 80.33,
    "optimizer": 78.36,
    "combination": 78.62,
    "no-maxpool": 95.45,
    "models": 64.15,
    "bn-accuracy": 77.07,
    "efficient-training": 75.87,
    "refinements": 76.21,
    **further_rows.CONTROLS,
}

each_study = pytest.mark.parametrize("study", STUDIES.values(), ids=list(STUDIES))
AFTER = {"model.pretrained", "loss.teacher"}


def row_of(study: str, name: str) -> Recipe:
    """A row's recipe at the published setting."""
    return STUDIES[study].recipe(next(row for row in STUDIES[study].rows if row.name == name))


@contextmanager
def named(row: Row) -> Iterator[None]:
    """A failure inside names the row."""
    try:
        yield
    except Exception as error:
        error.add_note(f"in the row {row.name!r}")
        raise


def quick(study: Study, row: Row) -> Recipe:
    assert study.quick
    return study.quick.apply(study.recipe(row), study.base.train.epochs)


def changed(study: Study, row: Row) -> dict[str, Any]:
    """The fields in which a row differs from the base, with its values."""
    return {name: value for name, (_, value) in study.base.differences(study.recipe(row)).items()}


def test_the_published_figures() -> None:
    assert {name: [row.published for row in study.rows] for name, study in STUDIES.items()} == PUBLISHED
    assert {name: [row.seconds for row in STUDIES[name].rows] for name in SECONDS} == SECONDS
    assert not any(row.seconds for name, study in STUDIES.items() if name not in SECONDS for row in study.rows)


def test_the_controls() -> None:
    controls = {
        name: next(row.published for row in study.rows if row.name == study.control)
        for name, study in STUDIES.items()
        if study.control
    }
    assert controls == CONTROLS


@pytest.mark.parametrize(
    ("name", "network", "rival"),
    [
        ("bn-vgg19", "VGG-19 with norms", "VGG-19"),
        ("bn-dropout", "VGG-A with norms", "VGG-A with dropout"),
        ("bn-smoothness", "VGG-A with norms", "VGG-A"),
        ("dropout-smoothness", "VGG-A with norms", "VGG-A with dropout"),
        ("vgg19-smoothness", "VGG-19 with norms", "VGG-19"),
    ],
)
def test_networks_are_compared_at_one_learning_rate(name: str, network: str, rival: str) -> None:
    study = STUDIES[name]
    rates = {row.name: study.recipe(row).optim.lr for row in study.rows}
    pairs = {row.name: row.control for row in study.rows}
    for rate in ("0.0001", "0.0002", "0.0005", "0.001", "0.002"):
        assert pairs[f"{network}, lr {rate}"] == f"{rival}, lr {rate}"
        assert pairs[f"{rival}, lr {rate}"] is None
        assert rates[f"{network}, lr {rate}"] == rates[f"{rival}, lr {rate}"] == float(rate)
    assert study.control is None
    assert study.pairs


def test_every_study_says_what_it_asks_and_where_its_figures_come_from() -> None:
    for name, study in STUDIES.items():
        assert study.name == name
        assert study.purpose.endswith("?")
        assert study.source.startswith("report R")
        assert study.protocol


@each_study
@pytest.mark.parametrize("budget", rest_slow(BUDGETS))
def test_every_row_can_be_built(study: Study, budget: str) -> None:
    """Its network, optimizer, schedule and loss; on shapes alone."""
    plan = plan_study(study, budget=budget, seeds=(0,))
    for row, jobs in zip(study.rows, plan.jobs.values(), strict=True):
        with named(row):
            can_be_built(jobs[0].recipe, row)


@cache  # rows mostly differ in other things
def built(options: str, size: int) -> nn.Module:
    with torch.device("meta"):
        return build_model(**json.loads(options), classes=10, image_size=size)


def can_be_built(recipe: Recipe, row: Row) -> None:
    network = built(json.dumps(architecture(recipe)), recipe.data.size or 32)
    groups = parameter_groups(network, lr=0.1, weight_decay=0.1, decay=recipe.optim.decay)
    build_optimizer(groups=groups, **recipe.optim.options())
    learning_rate(recipe)
    teacher = (lambda images: images) if "loss.teacher" in row.after else None
    build_loss(teacher=teacher, **recipe.loss.model_dump(exclude={"teacher"}))
    assert set(row.after) <= AFTER
    assert recipe.model.pretrained is None
    assert recipe.loss.teacher is None


def test_what_must_come_first_is_quick_too() -> None:
    first = [(study, recipe) for study in STUDIES.values() for row in study.rows for recipe in row.after.values()]
    counts = Counter(study.name for study, _ in first)
    assert counts == {"models": 1, "vgg-weights": 1, "refinements": 2, "mobilenet": 2, "inception": 2}
    for study, recipe in first:
        assert study.quick
        small = study.quick.apply(recipe, study.base.train.epochs)
        assert small.train.epochs < recipe.train.epochs
        assert small.model.width == 0.25
        sizes = {quick(study, row).data.size for row in study.rows}
        assert sizes in ({small.data.size}, {80})  # Inception-V3 sees enlarged images


@each_study
def test_the_learning_rate_keeps_its_shape(study: Study) -> None:
    """At equal fractions of the run; where it changes between epochs only, at the beginnings of the quick one's."""
    for row in study.rows:
        with named(row):
            keeps_its_shape(study.recipe(row), quick(study, row))


def keeps_its_shape(full: Recipe, small: Recipe) -> None:
    rates, epochs = [learning_rate(recipe) for recipe in (full, small)], [full.train.epochs, small.train.epochs]
    by_epoch = full.schedule.update == "epoch" and all(count % epochs[1] == 0 for count in epochs)
    assert full.schedule.update == "step" or by_epoch
    places = epochs[1] if by_epoch else 997
    curves = [
        [rate(count * place / places) for place in range(places)] for rate, count in zip(rates, epochs, strict=True)
    ]
    assert_allclose(curves[1], curves[0], rtol=1e-9)


@each_study
def test_rows_stay_different_at_the_quick_setting(study: Study) -> None:
    """What tells them apart is not lost: no two quick rows are the same, but for the split that is asked about."""
    texts = [(quick(study, row).to_yaml(), row.split, tuple(row.after)) for row in study.rows]
    assert len(set(texts)) == len(texts)


@each_study
def test_the_control_changes_nothing(study: Study) -> None:
    assert all(changed(study, row) == {} for row in study.rows if row.name == study.control)


def test_the_values_in_the_names_are_those_of_the_rows() -> None:
    decay = {row.name: STUDIES["weight-decay"].recipe(row).optim.weight_decay for row in STUDIES["weight-decay"].rows}
    assert decay == {"L2 1e-5": 1e-5, "L2 1e-4": 1e-4, "L2 1e-3": 1e-3, "L2 1e-2": 1e-2}
    batch = {row.name: STUDIES["batch-size"].recipe(row).train.batch_size for row in STUDIES["batch-size"].rows}
    assert batch == {f"batch {size}": size for size in (16, 32, 64, 128, 256, 512)}
    stems = [STUDIES["stem"].recipe(row).model for row in STUDIES["stem"].rows]
    assert [(stem.stem_kernel, stem.stem_stride) for stem in stems] == [(3, 1), (3, 2), (5, 2), (7, 2)]
    for row in STUDIES["head"].rows[9:]:
        head = STUDIES["head"].recipe(row).model
        place = (head.dropout_place or "").replace("_", " the ")
        assert row.name == f"width {head.width:g}, hidden {head.hidden}, dropout {head.dropout:g} {place}"


def test_the_base_of_report_r2() -> None:
    base = STUDIES["stem"].base
    assert (base.model.name, base.model.stem_kernel, base.model.stem_stride, base.model.stem_pool) == (
        *("resnet34", 3, 1),
        None,
    )
    assert (base.optim.name, base.optim.lr, base.optim.momentum, base.optim.weight_decay) == ("sgd", 0.1, 0.9, 1e-5)
    assert (base.schedule.name, base.schedule.every, base.schedule.factor) == ("step", 10, 0.1)
    assert (base.train.batch_size, base.train.epochs) == (128, 50)
    assert base.augment == Recipe().augment


@pytest.mark.parametrize(
    ("row", "rates"),
    [
        ("constant 0.001", [0.001, 0.001, 0.001, 0.001]),
        ("step, 0.1 every 10 epochs", [0.1, 0.1, 0.1, 0.01]),
        ("step, 0.33 every 5 epochs", [0.1, 0.1, 0.033, 0.1 * 0.33**2]),
        ("exponential, 0.9 per epoch", [0.1, 0.1, 0.1 * 0.9**5, 0.1 * 0.9**10]),
        ("cosine, periodic", [0.1, 0.1 * (2 + 3**0.5) / 4, 0.05, 0.0]),
    ],
)
def test_the_rates_of_the_schedules(row: str, rates: list[float]) -> None:
    """At the beginning, and after 5/3 epochs (the exponential: 0.5), 5 and 10."""
    rate = learning_rate(row_of("schedule", row))
    second = 0.5 if row.startswith("exponential") else 5 / 3
    assert [rate(epoch) for epoch in (0, second, 5, 10)] == pytest.approx(rates)


def test_the_table_of_models_is_of_the_last_epoch_and_all_training_images() -> None:
    recipes = [STUDIES["models"].recipe(row) for row in STUDIES["models"].rows]
    assert {(recipe.data.held_out, recipe.train.select) for recipe in recipes} == {(0.0, "last")}
    assert [recipe.model.name for recipe in recipes] == [*3 * ["simple-cnn"], *2 * ["resnet18"], "vgg16"]
    assert recipes[2].differences(recipes[1]) == {"optim.weight_decay": (5e-4, 0.0)}
    assert recipes[4].optim.weight_decay == 5e-4
    first = STUDIES["models"].rows[5].after["model.pretrained"]
    assert set(first.differences(recipes[5])) == {"data.name", "train.epochs"}
    assert first.data.name == "cifar100"


def test_tricks_are_added_one_by_one() -> None:
    """Each row differs from the one before in the trick that it adds."""
    recipes = [STUDIES["efficient-training"].recipe(row) for row in STUDIES["efficient-training"].rows]
    added = [set(before.differences(after)) for before, after in itertools.pairwise(recipes)]
    assert added == [
        *({"train.batch_size"}, {"optim.lr_batch"}, {"schedule.warmup", "schedule.milestones"}),
        *({"model.zero_gamma"}, {"optim.decay"}, {"train.precision"}),
    ]
    assert [recipe.train.batch_size for recipe in recipes] == [256, *6 * [1024]]


def test_refinements_are_added_to_resnet_50_d() -> None:
    study = STUDIES["refinements"]
    cosine = {"model.tweak", "schedule.name", "schedule.milestones"}
    smoothed = cosine | {"loss.label_smoothing"}
    mixed = smoothed | {"augment.mixup", "train.epochs"}
    assert [set(changed(study, row)) for row in study.rows] == [
        *(set(), {"model.tweak"}, {"model.tweak"}, {"model.tweak"}),
        *(cosine, smoothed, smoothed | {"loss.temperature"}, mixed, mixed | {"loss.temperature"}),
    ]
    assert [study.recipe(row).model.tweak for row in study.rows] == ["a", "b", "c", *6 * ["d"]]
    assert [sorted(row.after) for row in study.rows] == [*6 * [[]], ["loss.teacher"], [], ["loss.teacher"]]


def test_the_large_batch_stays_four_times_the_small_one_when_quick() -> None:
    study = STUDIES["efficient-training"]
    small = [quick(study, row) for row in study.rows]
    assert [recipe.train.batch_size for recipe in small] == [64, *6 * [256]]
    assert [learning_rate(recipe)(3) for recipe in small] == pytest.approx([0.01, 0.01, *5 * [0.04]])
    assert [recipe.train.precision for recipe in small] == [*6 * ["fp32"], "bf16"]
    assert {recipe.data.name for recipe in small} == {"cifar10"}


@pytest.mark.parametrize("name", ["efficient-training", "refinements", "mobilenet", "inception", "precision"])
def test_quick_rows_of_imagenet_are_augmented_as_cifar10_usually_is(name: str) -> None:
    """By crop and flip alone: nothing is left of what ImageNet's recipe does with colours."""
    study = STUDIES[name]
    differences = quick(study, study.rows[0]).differences(Recipe())
    augmented = {field: value for field, (value, _) in differences.items() if field.startswith("augment.")}
    assert augmented == {"augment.crop": 4, "augment.flip": 0.5}


def test_training_images_are_measured_where_a_row_asks_for_them() -> None:
    rows = [(study, row) for study in STUDIES.values() for row in study.rows if row.split == "train"]
    assert [row.name for _, row in rows] == ["training images"]
    assert all(study.recipe(row).test.train for study, row in rows)


def test_a_study_is_found_by_name_or_the_nearest_is_named() -> None:
    assert find_study("stem") is STUDIES["stem"]
    with pytest.raises(ValueError, match=r"^unknown study 'stemm': did you mean stem\?$"):
        find_study("stemm")


def test_the_document_states_what_the_reports_leave_open() -> None:
    document = " ".join((Path(__file__).parents[3] / "docs" / "studies.md").read_text().split())
    noted = [name for name, study in STUDIES.items() if study.notes]
    assert {"feature-map", "tasks", "stem", "depth", "bn-vgg19", "models", "resnet-cosine"} < set(noted)
    assert further_rows.ROWS.keys() < set(noted)
    for name in noted:
        for note in STUDIES[name].notes:
            said = document.index(note)
            assert f"`{name}`" in document[said - 30 : said]


def test_the_document_lists_every_study_with_its_number_of_rows() -> None:
    document = (Path(__file__).parents[3] / "docs" / "studies.md").read_text()
    listed = re.findall(r"^\| `([a-z0-9-]+)` \| (\d+) \|", document, re.MULTILINE)
    assert dict(listed) == {name: str(len(study.rows)) for name, study in STUDIES.items()}
    assert len(listed) == len(STUDIES)


def test_what_is_assumed_is_what_the_recipes_have() -> None:
    plain, cosine, simple = (STUDIES[name].base for name in ("feature-map", "resnet-cosine", "models"))
    assert learning_rate(plain)(1.0) == pytest.approx(0.85 * learning_rate(plain)(0.0))
    assert (cosine.optim.lr, cosine.optim.weight_decay, cosine.train.epochs) == (0.1, 5e-4, 70)
    assert (cosine.schedule.period, cosine.schedule.multiply) == (10, 2)
    for row in STUDIES["models"].rows[:3]:
        recipe = STUDIES["models"].recipe(row)
        assert (recipe.optim.name, recipe.optim.lr, recipe.optim.momentum) == ("sgd", 0.02, 0.9)
        assert (recipe.schedule.name, recipe.train.epochs, recipe.train.batch_size) == ("cosine", 24, 128)
    assert simple.schedule.warmup in (None, 0)
