"""The rules of fine-tuning, by hand for sets of some sizes, and what holds for all of them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from assay.recipe.named import RECIPES
from assay.recipe.suit import suit_finetuning


def values(images: int, held_out: int = 0, **fields: object) -> dict[str, object]:
    wanted = {name.replace("__", "."): value for name, value in fields.items()}
    return {name: choice.value for name, choice in suit_finetuning(images, held_out, wanted).items()}


@pytest.mark.parametrize(
    ("images", "held_out", "expected"),
    [
        # 40 images: 2 steps of 16 an epoch
        (40, 0, {"data.held_out": 0.0, "train.select": "last", "train.batch_size": 16, "train.epochs": 200}),
        (10, 0, {"train.batch_size": 10, "train.epochs": 400}),  # a step an epoch
        # 600: 540 to learn from, 60 held out; 33 steps an epoch
        (600, 0, {"data.held_out": 0.1, "train.select": "held-out", "train.batch_size": 16, "train.epochs": 13}),
        # 3,068 and a held-out split of their own: 95 steps of 32 an epoch
        (3068, 341, {"train.select": "held-out", "train.batch_size": 32, "train.epochs": 8}),
        (245, 30, {"train.select": "last", "train.epochs": 27}),
        (1_000_000, 0, {"train.select": "held-out", "train.epochs": 4, "transfer.freeze_norms": False}),
    ],
)
def test_sets_by_hand(images: int, held_out: int, expected: dict[str, object]) -> None:
    assert expected.items() <= values(images, held_out).items()


def test_too_few_steps_are_left_to_the_head_where_no_images_are_held_out() -> None:
    assert values(200, train__epochs=16)["transfer.freeze"] == "body"  # 192 steps
    assert "transfer.freeze" not in values(200, train__epochs=17)
    assert "transfer.freeze" not in values(200, train__epochs=1, transfer__freeze="none")
    assert "transfer.freeze" not in values(600, train__epochs=1)  # 60 held-out images keep the probe where it is better


def test_few_images_of_which_none_is_held_out_learn_at_a_lower_rate() -> None:
    assert values(499)["optim.lr"] == values(245, 30)["optim.lr"] == 0.0003
    for sizes in ((500, 0), (245, 153)):  # a split selects the epoch
        assert "optim.lr" not in values(*sizes)
    assert "optim.lr" not in values(3000, data__held_out=0.0)
    assert "optim.lr" not in values(40, optim__lr=0.001)


def test_the_average_is_long_for_few_images() -> None:
    assert values(200, train__epochs=25)["train.ema"] == pytest.approx(1 - 1.5 / 300, abs=1e-5)  # 12 steps an epoch
    assert values(3068, 341, train__epochs=4)["train.ema"] == pytest.approx(1 - 8 / 380, abs=1e-5)


def test_what_is_given_is_kept_and_the_rest_suits_it() -> None:
    found = values(3068, 341, train__epochs=1, train__batch_size=8)
    assert not {"train.epochs", "train.batch_size"} & found.keys()
    assert found["train.ema"] == pytest.approx(1 - 8 / 383, abs=1e-5)


@given(st.integers(1, 2_000_000), st.sampled_from([0, 20, 300]), st.sampled_from([None, 1, 7]))
def test_every_set_gets_a_recipe_that_is_allowed(images: int, held_out: int, epochs: int | None) -> None:
    wanted = {} if epochs is None else {"train.epochs": epochs}
    chosen = suit_finetuning(images, held_out, wanted)
    recipe = RECIPES["photos-finetune"].recipe.but({name: choice.value for name, choice in chosen.items()})
    assert epochs or recipe.train.epochs * max(1, images // recipe.train.batch_size) >= 300
    assert all(choice.reason for choice in chosen.values())
