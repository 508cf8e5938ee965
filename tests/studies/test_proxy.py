"""A smaller setting: what shrinks with it, and what stays."""

from __future__ import annotations

from typing import Any

import pytest

from assay.recipe.recipe import Recipe
from assay.run.build import learning_rate
from assay.studies.proxy import Proxy


def recipe(**changes: Any) -> Recipe:
    """40 epochs of a ResNet, with ``section__field`` changed."""
    fields = {name.replace("__", "."): value for name, value in changes.items()}
    return Recipe().but({"model.name": "resnet18", "train.epochs": 40, **fields})


@pytest.mark.parametrize(
    ("schedule", "shrunk"),
    [
        ({"schedule__name": "step", "schedule__every": 10.0}, {"schedule.every": (10.0, 2.5)}),
        ({"schedule__name": "step"}, {"schedule.every": (None, 2.5)}),
        ({"schedule__name": "exponential"}, {"schedule.every": (None, 0.25)}),
        (
            {"schedule__name": "multistep", "schedule__milestones": (12.0, 36.0)},
            {"schedule.milestones": ((12.0, 36.0), (3.0, 9.0))},
        ),
        ({"schedule__name": "cosine-restarts", "schedule__period": 8.0}, {"schedule.period": (8.0, 2.0)}),
        ({"schedule__name": "cosine", "schedule__warmup": 5.0}, {"schedule.warmup": (5.0, 1.25)}),
        ({"schedule__name": "one-cycle"}, {}),
        ({"train__patience": 6}, {"train.patience": (6, 2)}),
        ({"train__patience": 1}, {}),
        (
            {"transfer__unfreeze_after": 8, "transfer__unfreeze_every": 4},
            {"transfer.unfreeze_after": (8, 2), "transfer.unfreeze_every": (4, 1)},
        ),
    ],
)
def test_what_is_counted_in_epochs_shrinks_with_them(schedule: dict[str, Any], shrunk: dict[str, Any]) -> None:
    full = recipe(**schedule)
    assert full.differences(Proxy(10).apply(full, 40)) == {"train.epochs": (40, 10), **shrunk}


def test_longer_rows_keep_their_ratio_and_the_shape_of_their_own_schedule() -> None:
    """3 epochs of 8 make 11 of 30, rounded; the milestone at half of the run stays there."""
    full = recipe(train__epochs=30, schedule__name="multistep", schedule__milestones=(15.0,))
    small = Proxy(3).apply(full, 8)
    assert small.train.epochs == 11
    assert small.schedule.milestones == (5.5,)
    assert [learning_rate(small)(epoch) for epoch in (5.4, 5.6)] == pytest.approx([0.1, 0.01])


def test_a_row_has_at_least_one_epoch() -> None:
    assert Proxy(1).apply(recipe(train__epochs=4), 40).train.epochs == 1


def test_width_is_a_factor_where_there_is_one() -> None:
    narrow = Proxy(40, width=0.5)
    assert narrow.apply(recipe(), 40).model.width == 0.5
    assert narrow.apply(recipe(model__width=0.5), 40).model.width == 0.25
    assert narrow.apply(recipe(model__name="simple-cnn"), 40).model.width is None
    assert narrow.apply(recipe(model__name="torchvision:resnet18"), 40).model.width is None


def test_images_and_changes_are_set() -> None:
    small = Proxy(40, images=500, changes={"data.size": 16, "train.epochs": 2}).apply(recipe(), 40)
    assert recipe().differences(small) == {
        "data.train_images": (None, 500),
        "data.size": (None, 16),
        "train.epochs": (40, 2),
    }


def test_a_row_with_fewer_images_keeps_them() -> None:
    few, many = recipe(data__train_images=300), recipe(data__train_images=40_000)
    assert [Proxy(40, images=500).apply(row, 40).data.train_images for row in (few, many)] == [300, 500]
    assert Proxy(40).apply(few, 40).data.train_images == 300


def test_swaps_keep_rows_apart() -> None:
    proxy = Proxy(40, swaps={"train.batch_size": {256: 64, 1024: 256}, "train.precision": {"fp16": "bf16"}})
    rows = [recipe(train__batch_size=size) for size in (128, 256, 1024)]
    assert [proxy.apply(row, 40).train.batch_size for row in rows] == [128, 64, 256]
    assert proxy.apply(recipe(train__precision="fp16"), 40).train.precision == "bf16"
    assert recipe().differences(proxy.apply(recipe(), 40)) == {}


def test_a_setting_out_of_range_is_refused() -> None:
    with pytest.raises(ValueError, match=r"^model\.width: 0\.1 is not a number at least 0\.125 and at most 16$"):
        Proxy(40, width=0.1).apply(recipe(), 40)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"epochs": 0}, "epochs must be a whole number of at least 1, got 0"),
        ({"epochs": 1, "images": 1.5}, "images must be a whole number of at least 1, got 1.5"),
        ({"epochs": 1, "width": 0}, "width must be a number above 0, got 0"),
        ({"epochs": 1, "width": "half"}, "width must be a number above 0, got 'half'"),
    ],
)
def test_numbers_out_of_range_are_refused(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=f"^{message}$"):
        Proxy(**options)


def test_in_words() -> None:
    assert Proxy(10).in_words(50) == "10 epochs in place of 50, schedules in proportion"
    proxy = Proxy(
        10,
        images=25_000,
        width=0.25,
        changes={"data.size": 16},
        swaps={"train.batch_size": {256: 64, 1024: 256}, "train.precision": {"fp16": "bf16"}},
    )
    assert proxy.in_words(50) == (
        "10 epochs in place of 50, schedules in proportion; at most 25,000 training images; networks 0.25 times as "
        "wide where they have a width; train.batch_size 64 in place of 256, 256 in place of 1024; train.precision bf16 "
        "in place of fp16; data.size 16"
    )


def test_the_decay_acts_over_as_many_epochs() -> None:
    """1 / (rate x decay) is 1,000 steps of 351 in an epoch of 45,000 images; with 25,000 an epoch has 195."""
    full = recipe(optim__weight_decay=0.01, optim__lr=0.1, data__held_out=0.1, train__batch_size=128)
    small = Proxy(10, images=25_000, images_of=50_000).apply(full, 40)
    assert small.optim.weight_decay == pytest.approx(0.018)
    epochs = [1 / (one.optim.lr * one.optim.weight_decay) * 128 / n for one, n in ((full, 45_000), (small, 25_000))]
    assert epochs[0] == pytest.approx(epochs[1])


@pytest.mark.parametrize(
    ("options", "fields", "expected"),
    [
        ({"images": 25_000}, {}, 0.01),  # of how many is unknown
        ({"images_of": 50_000}, {}, 0.01),
        ({"images": 60_000, "images_of": 50_000}, {}, 0.01),  # there are no more
        ({"images": 10_000, "images_of": 50_000}, {"data__train_images": 20_000}, 0.02),
        ({"swaps": {"train.batch_size": {128: 32}}}, {}, 0.0025),  # four times as many steps
        ({"swaps": {"train.batch_size": {128: 32}}}, {"optim__lr_batch": 128}, 0.01),  # each a quarter as long
        ({"images": 25_000, "images_of": 50_000, "changes": {"optim.weight_decay": 0.3}}, {}, 0.3),
        ({"images": 25_000, "images_of": 50_000}, {"optim__weight_decay": 0.0}, 0.0),
    ],
)
def test_the_decay_grows_as_an_epoch_has_less_to_do(
    options: dict[str, Any], fields: dict[str, Any], expected: float
) -> None:
    full = recipe(**{"optim__weight_decay": 0.01, "train__batch_size": 128, **fields})
    assert Proxy(40, **options).apply(full, 40).optim.weight_decay == pytest.approx(expected)


def test_in_words_of_the_decay() -> None:
    assert "weight decay stronger in proportion" in Proxy(10, images=5, images_of=10).in_words(50)
    assert "decay" not in Proxy(10, images=5).in_words(50)
