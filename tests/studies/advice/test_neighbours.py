"""Neighbours: what is put forward, and what is not."""

from typing import Any

import pytest

from assay.recipe.recipe import Recipe
from assay.studies.advice import neighbours as module
from assay.studies.advice.factors import find_factors
from assay.studies.advice.neighbours import neighbours

BASE = Recipe()


def proposed(*tested: dict[str, Any], best: int = 0, winners: tuple[int, ...] = ()) -> list[dict[str, Any]]:
    """Changes to the base of the neighbours of tested recipes, of which the base is the reference."""
    recipes = [BASE, *(BASE.but(changes) for changes in tested)]
    found = neighbours(
        recipes[best], recipes, [recipes[i] for i in winners], BASE, find_factors(recipes, BASE), recipes
    )
    return [{name: pair[1] for name, pair in BASE.differences(recipe).items()} for recipe in found]


def test_the_best_rows_changes_with_anothers() -> None:
    found = proposed({"augment.alternate_flip": True}, {"optim.name": "lars"}, {"optim.decay": "weights"}, best=1)
    assert found == [
        {"augment.alternate_flip": True, "optim.name": "lars"},
        {"augment.alternate_flip": True, "optim.decay": "weights"},
    ]


def test_pairs_of_rows_that_beat_the_reference() -> None:
    tested = ({"augment.alternate_flip": True}, {"optim.name": "lars"}, {"optim.decay": "weights"})
    found = proposed(*tested, best=1, winners=(1, 2, 3))
    assert {"optim.name": "lars", "optim.decay": "weights"} in found
    assert len(found) == 3


def test_rows_that_change_the_same_field_are_not_combined() -> None:
    one, other = {"optim.name": "lars"}, {"optim.name": "muon", "optim.decay": "weights"}
    assert proposed(one, other, best=1, winners=(1, 2)) == []
    assert proposed(other, one, best=1, winners=(1, 2)) == []


def test_tested_combinations_are_not_proposed_again() -> None:
    one, other = {"optim.name": "lars"}, {"optim.decay": "weights"}
    assert proposed(one, other, best=1)
    assert proposed(one, other, {**one, **other}, best=1) == []


def test_few_recipes_are_made_of_a_grid(monkeypatch: pytest.MonkeyPatch) -> None:
    """The changes of most pairs are a row of the grid: that is seen without making a recipe of them."""
    made: list[object] = []
    accepted = module._accepted
    monkeypatch.setattr(module, "_accepted", lambda *given: made.append(given) or accepted(*given))
    rates, decays = (0.03, 0.05), (1e-4, 1e-3)
    axes = [{"optim.lr": rate} for rate in rates] + [{"optim.weight_decay": decay} for decay in decays]
    grid = [*axes, *({**one, **other} for one in axes[:2] for other in axes[2:])]
    found = proposed(*grid, best=8, winners=tuple(range(1, 9)))
    assert len(made) == len(found) == 4  # a step along either axis, to either side


def test_numbers_move_around_the_best_level() -> None:
    found = proposed({"optim.weight_decay": 1e-4}, {"optim.weight_decay": 1e-3}, best=2)
    assert found == [{"optim.weight_decay": 0.00055}, {"optim.weight_decay": 0.0019}]


def test_what_the_recipe_refuses_is_left_out() -> None:
    assert proposed({"augment.flip": 1.0}, best=1) == [{"augment.flip": 0.5}]  # a probability of 2 is none


def test_what_the_optimizer_does_not_have_is_left_out() -> None:
    assert proposed({"optim.name": "adam"}, {"optim.dampening": 0.1, "optim.momentum": 0.9}, best=1) == []
    assert proposed({"optim.name": "lars"}, {"optim.momentum": 0.9}, best=1)


def test_options_that_the_optimizer_refuses_together_are_left_out() -> None:
    """Nesterov's form has no dampening."""
    one, other = {"optim.nesterov": True}, {"optim.dampening": 0.1}
    momentum = BASE.but({"optim.momentum": 0.9})
    recipes = [momentum, momentum.but(one), momentum.but(other)]
    assert neighbours(recipes[1], recipes, [], momentum, [], recipes) == []


def test_a_temperature_without_a_teacher_is_left_out() -> None:
    cooler = BASE.but({"loss.temperature": 4.0, "loss.teacher": "runs/teacher"})
    steps = find_factors([cooler, cooler.but({"loss.temperature": 2.0})], cooler)
    assert [recipe.loss.temperature for recipe in neighbours(cooler, [], [], cooler, steps, [])] == [3.0, 6.0]
    assert neighbours(cooler.but({"loss.teacher": None}), [], [], cooler, steps, []) == []


def test_what_the_model_does_not_have_is_left_out() -> None:
    assert proposed({"model.name": "vgg11"}, {"model.zero_gamma": True}, best=1) == []
    assert proposed({"model.name": "resnet18"}, {"model.zero_gamma": True}, best=1)
    assert proposed({"model.name": "timm:resnet18"}, {"model.zero_gamma": True}, best=1)  # its options are its own


def test_what_the_schedule_does_not_have_is_left_out() -> None:
    assert proposed({"schedule.name": "cosine"}, {"schedule.every": 2.0, "schedule.name": "step"}, best=1) == []
    assert proposed({"schedule.final": 0.1, "schedule.name": "linear"}, {"schedule.warmup": 9.0}, best=1)
    assert {"schedule.warmup": 18.0} not in proposed({"schedule.warmup": 9.0}, best=1)  # of 10 epochs
