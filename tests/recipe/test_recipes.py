"""The named recipes: each can be built, and says what it differs in."""

from __future__ import annotations

import pytest
import torch

from assay.models import build_model
from assay.recipe.named import RECIPES, Measured, find_recipe
from assay.recipe.named.r4 import BASELINE, EFFICIENT
from assay.recipe.recipe import Recipe
from assay.run.batches import side_of
from assay.run.build import architecture, learning_rate
from assay.training.optim import build_optimizer, parameter_groups


@pytest.mark.parametrize("name", RECIPES)
def test_every_named_recipe_can_be_built(name: str) -> None:
    """Its network, its optimizer and its schedule; on shapes alone."""
    recipe = RECIPES[name].recipe
    with torch.device("meta"):
        network = build_model(**architecture(recipe), classes=10, image_size=recipe.data.size or 32)
    groups = parameter_groups(network, lr=0.1, weight_decay=0.1, decay=recipe.optim.decay)
    build_optimizer(groups=groups, **recipe.optim.options())
    rate = learning_rate(recipe)
    assert all(0 <= rate(recipe.train.epochs * place / 50) <= 100 for place in range(50))
    assert Recipe.from_yaml(recipe.to_yaml()) == recipe


def test_no_two_recipes_are_the_same() -> None:
    texts = [entry.recipe.to_yaml() for name, entry in RECIPES.items() if name != "r3-invariance-train"]
    assert len(set(texts)) == len(texts)


def test_each_trick_adds_to_the_one_before() -> None:
    before = BASELINE
    for name, changes in EFFICIENT.items():
        recipe = RECIPES[f"imagenet-{name}"].recipe
        assert set(before.differences(recipe)) == set(changes)
        before = recipe


def test_published_rates_of_the_bag_of_tricks() -> None:
    """0.1 at a batch of 256; 0.4 at 1,024, risen to in 5 epochs, and a tenth of it from the 30th epoch on."""
    baseline, warm = learning_rate(BASELINE), learning_rate(RECIPES["imagenet-warmup"].recipe)
    assert [baseline(epoch) for epoch in (0, 29.9, 30, 60, 90)] == pytest.approx([0.1, 0.1, 0.01, 1e-3, 1e-4])
    assert [warm(epoch) for epoch in (2.5, 5, 29.9, 30, 60)] == pytest.approx([0.202, 0.4, 0.4, 0.04, 0.004])


def test_the_progressive_sizes_are_ffcvs() -> None:
    """160 pixels up to the middle of epochs 65 to 76 of 88, and then 192; else it is R4's recipe, tested at 224."""
    recipe = RECIPES["imagenet-progressive"].recipe
    differences = RECIPES["imagenet-label-smoothing"].recipe.differences(recipe)
    assert {name.rpartition(".")[0] for name in differences} == {"train"}
    side = side_of(recipe.but({"train.epochs": 88}), recipe.data.size or 0)
    assert [side(epoch) for epoch in range(88)] == [160] * 71 + [192] * 17
    assert recipe.data.size == 224


def test_a_recipe_of_a_library_model_gives_a_folder_a_plain_name() -> None:
    assert find_recipe(Recipe().but({"model.name": "torchvision:resnet18"}))[0] == "torchvision-resnet18"


def test_measured_in_words() -> None:
    measured = Measured((90.0, 91.0), 7200, "a machine", "abc")
    assert measured.accuracy_in_words() == "90.50 ± 0.71 % (2 seeds)"
    assert measured.time_in_words() == "120 min"
    assert Measured((90.0,), 60, "a machine", "abc").accuracy_in_words() == "90.00 % (1 seed)"
