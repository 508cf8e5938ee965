"""Factors: which fields differ, how a level becomes a number, and what is tried around it."""

import math
from typing import Any

import pytest

from assay.recipe.recipe import Recipe
from assay.studies.advice.factors import Factor, find_factors, in_words

DECADES = Factor("optim.weight_decay", (1e-4, 1e-5, 1e-3))


def test_factors_are_the_fields_that_differ_with_the_references_level_first() -> None:
    base = Recipe()
    rows = [base.but({"optim.lr": 0.01}), base, base.but({"optim.name": "adam", "optim.lr": 0.2, "train.seed": 5})]
    assert find_factors(rows, base) == [Factor("optim.name", ("sgd", "adam")), Factor("optim.lr", (0.1, 0.01, 0.2))]


@pytest.mark.parametrize(
    ("levels", "numeric", "logarithmic"),
    [
        ((1, 2, 3), True, False),  # a factor of 3, not more
        ((0.1, 0.31), True, True),
        ((0.0, 1e-4, 1e-2), True, False),
        ((False, True), False, False),
        ((None, 0.9), False, False),
        (("sgd", "adam"), False, False),
    ],
)
def test_kinds_of_levels(levels: tuple[Any, ...], numeric: bool, logarithmic: bool) -> None:
    factor = Factor("any.field", levels)
    assert (factor.is_numeric, factor.is_logarithmic) == (numeric, logarithmic)


@pytest.mark.parametrize(
    ("levels", "level", "around"),
    [
        (DECADES.levels, 1e-4, [3.16e-5, 3.16e-4]),
        (DECADES.levels, 1e-3, [3.16e-4, 1e-2]),
        (DECADES.levels, 1e-5, [1e-6, 3.16e-5]),
        ((0.0, 0.1, 0.5), 0.1, [0.05, 0.3]),
        ((0.0, 0.1, 0.5), 0.5, [0.3, 0.9]),
        ((0.0, 0.1, 0.5), 0.0, [-0.1, 0.05]),
        ((4, 8, 32), 8, [6, 16]),
        ((4, 8, 32), 32, [16, 128]),
        (("sgd", "adam"), "sgd", []),
    ],
)
def test_around_a_level(levels: tuple[Any, ...], level: Any, around: list[Any]) -> None:
    found = Factor("any.field", levels).around(level)
    assert found == around
    assert [type(value) for value in found] == [type(value) for value in around]


def test_numbers_are_encoded_on_their_scale_and_names_as_indicators() -> None:
    assert DECADES.encode(1e-5) == [0]
    assert DECADES.encode(1e-4) == pytest.approx([0.5])
    assert DECADES.encode(1e-2) == pytest.approx([1.5])
    assert Factor("any.field", (0.0, 0.1, 0.4)).encode(0.1) == pytest.approx([0.25])
    names = Factor("optim.name", ("sgd", "adam", "lars"))
    assert [names.encode(name) for name in names.levels] == [[0, 0], [1, 0], [0, 1]]
    assert math.dist(names.encode("sgd"), names.encode("lars")) == 1


def test_levels_in_words() -> None:
    changes = {"optim.lr": 0.1, "optim.clip": None, "optim.nesterov": True, "schedule.milestones": (30.0, 60.0)}
    words = "optim.lr 0.1 + optim.clip default + optim.nesterov true + schedule.milestones (30, 60)"
    assert in_words(changes) == words
