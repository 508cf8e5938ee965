"""Main effects, against statsmodels, hand-worked tables, and a truth that is known."""

import itertools
import math
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
import statsmodels.api as sm

from assay.recipe.recipe import Recipe
from assay.studies.advice.effects import MainEffects, main_effects
from assay.studies.advice.least_squares import dependent_columns, fit_blocks, least_squares, residual_variance
from assay.studies.results import Result, RowResults, StudyResults
from assay.studies.study import Row

Simulate = Callable[..., StudyResults]
ONE_AT_A_TIME = {
    "plain": {},
    "flip": {"augment.flip": 0.5},
    "crop": {"augment.crop": 4},
    "crop more": {"augment.crop": 8},
}


def row(changes: dict[str, object], accuracies: dict[int, float]) -> RowResults:
    results = [Result(seed, accuracy, 1, 1, 1.0, 1.0) for seed, accuracy in accuracies.items()]
    return RowResults(Row(str(changes), changes), Recipe().but(changes), tuple(results))


def points(found: MainEffects) -> dict[str, float]:
    return {" ".join(map(str, itertools.chain(*e.changes.items()))): e.points for e in found.effects}


def test_a_grid_of_two_by_two_by_hand() -> None:
    # Rows 90, 92 | 91, 95 over seeds 0 and 1 that differ by 1: flip (1 + 3) / 2 = 2, crop (2 + 4) / 2 = 3.
    rows = [
        row({}, {0: 90, 1: 91}),
        row({"augment.crop": 4}, {0: 92, 1: 93}),
        row({"augment.flip": 0.5}, {0: 91, 1: 92}),
        row({"augment.flip": 0.5, "augment.crop": 4}, {0: 95, 1: 96}),
    ]
    found = main_effects(rows, rows[0])
    assert points(found) == pytest.approx({"augment.crop 4": 3, "augment.flip 0.5": 2})
    # Each run is 0.5 off the sum: variance 8 * 0.25 / (8 - 4) = 0.5; an effect is a difference of two means of 4.
    half = 2.7764451 * math.sqrt(0.5 * 2 / 4)
    assert found.freedom == 4
    assert [effect.high - effect.points for effect in found.effects] == pytest.approx([half, half])
    assert [effect.points - effect.low for effect in found.effects] == pytest.approx([half, half])
    assert found.effects[0].instead_of == {"augment.crop": 0}
    assert [effect.runs for effect in found.effects] == [4, 4]


def test_one_at_a_time_gives_the_paired_differences(simulate: Simulate) -> None:
    rows = simulate(ONE_AT_A_TIME, lambda _: 90.0, seeds=(0, 1, 2), noise=1.0).rows
    plain, *others = [np.array([result.accuracy for result in row.results]) for row in rows]
    expected = [(other - plain).mean() for other in others]
    assert list(points(main_effects(rows, rows[0])).values()) == pytest.approx(expected)


def test_the_reference_need_not_be_the_first_row(simulate: Simulate) -> None:
    rows = simulate(ONE_AT_A_TIME, lambda recipe: 90.0 + recipe.augment.crop).rows
    found = points(main_effects(rows, rows[3]))
    expected = {"augment.crop 0": -8, "augment.crop 4": -4, "augment.flip 0.5": 0}
    assert found == pytest.approx(expected, abs=1e-9)


def test_statsmodels_agrees_where_seeds_are_missing(simulate: Simulate) -> None:
    rows = list(simulate(ONE_AT_A_TIME, lambda _: 90.0, seeds=(0, 1, 2, 3), noise=1.0).rows)
    rows[1] = replace(rows[1], results=rows[1].results[1:])
    rows[2] = replace(rows[2], results=rows[2].results[:2])
    runs = [(number, result) for number, row in enumerate(rows) for result in row.results]
    design = [[float(number == r) for r in (1, 2, 3)] + [float(x.seed == s) for s in range(4)] for number, x in runs]
    oracle = sm.OLS([result.accuracy for _, result in runs], np.array(design)).fit()
    found = main_effects(rows, rows[0])
    assert found.freedom == oracle.df_resid
    assert [effect.points for effect in found.effects] == pytest.approx(oracle.params[:3])
    intervals = [[effect.low, effect.high] for effect in found.effects]
    np.testing.assert_allclose(intervals, oracle.conf_int(0.05)[:3])


def test_fields_that_change_only_together_are_one_effect(simulate: Simulate) -> None:
    table = {**ONE_AT_A_TIME, "adam": {"optim.name": "adam", "optim.lr": 0.001}}
    rows = simulate(table, lambda recipe: 90.0 + 2 * (recipe.optim.name == "adam")).rows
    effect = main_effects(rows, rows[0]).effects[-1]
    assert effect.changes == {"optim.name": "adam", "optim.lr": 0.001}
    assert effect.instead_of == {"optim.name": "sgd", "optim.lr": 0.1}
    assert effect.points == pytest.approx(2)


def test_a_field_that_never_varies_alone_joins_each_of_the_others_levels(simulate: Simulate) -> None:
    # adam = (lr 0.001) + (lr 0.01): three columns of rank two, and no column equals another.
    table = {"plain": {}, **{f"adam {lr}": {"optim.name": "adam", "optim.lr": lr} for lr in (0.001, 0.01)}}
    rows = simulate({**table, "crop": {"augment.crop": 4}}, lambda recipe: 90.0 - 10 * recipe.optim.lr).rows
    found = points(main_effects(rows, rows[0]))
    expected = {
        "optim.name adam optim.lr 0.001": 0.99,
        "optim.name adam optim.lr 0.01": 0.9,
        "augment.crop 4": 1e-13,
    }
    assert found == pytest.approx(expected, abs=1e-9)


def test_what_can_be_told_apart_stays_apart_from_what_cannot(simulate: Simulate) -> None:
    # flip and crop make a grid; weight decay and smoothing change only together, in a row of their own.
    grid = {f"{f} {c}": {"augment.flip": f, "augment.crop": c} for f in (0.0, 0.5) for c in (0, 4)}
    table = {**grid, "both": {"optim.weight_decay": 0.01, "loss.label_smoothing": 0.1}}
    rows = simulate(table, lambda r: 90 + 2 * r.augment.flip + r.augment.crop + 50 * r.optim.weight_decay).rows
    found = points(main_effects(rows, rows[0]))
    joint = "optim.weight_decay 0.01 loss.label_smoothing 0.1"
    assert found == pytest.approx({"augment.crop 4": 4, "augment.flip 0.5": 1, joint: 0.5})


def test_without_seeds_in_common_nothing_is_claimed() -> None:
    rows = [row({}, {0: 90}), row({"augment.flip": 0.5}, {1: 91}), row({"augment.crop": 4}, {0: 93, 1: 94})]
    rows.append(row({"augment.cutout": 4}, {2: 99}))
    found = main_effects(rows, rows[0])
    # crop ran with both seeds, so it ties seed 1 to seed 0: flip is 91 - (90 + 1).
    assert points(found) == pytest.approx({"augment.flip 0.5": 0, "augment.crop 4": 3})
    assert found.unknown == ({"augment.cutout": 4},)


def test_no_interval_without_residual_degrees_of_freedom(simulate: Simulate) -> None:
    rows = simulate(ONE_AT_A_TIME, lambda recipe: 90.0 + recipe.augment.crop, seeds=(0,)).rows
    found = main_effects(rows, rows[0])
    assert found.freedom == 0
    assert [effect.points for effect in found.effects] == pytest.approx([0, 4, 8])
    assert all(math.isnan(effect.low) and math.isnan(effect.high) for effect in found.effects)


def test_equal_recipes_have_no_effects(simulate: Simulate) -> None:
    rows = simulate({"one": {}, "again": {}}, lambda _: 90.0, noise=1.0).rows
    assert main_effects(rows, rows[0]) == MainEffects()


@pytest.mark.slow
def test_intervals_hold_the_truth_in_95_of_100_studies(simulate: Simulate) -> None:
    def truth(recipe: Recipe) -> float:
        return 90 + 2 * recipe.augment.flip + 0.1 * recipe.augment.crop

    expected = np.array([1.0, 0.4, 0.8])
    held = []
    for draw in range(250):
        rows = simulate(ONE_AT_A_TIME, truth, seeds=(0, 1, 2), noise=0.3, draw=draw).rows
        effects = main_effects(rows, rows[0]).effects
        held += [effect.low <= value <= effect.high for effect, value in zip(effects, expected, strict=True)]
    assert np.mean(held) == pytest.approx(0.95, abs=0.03)  # 750 intervals, those of a study not independent


def test_the_residual_of_rows_and_seeds_is_that_of_the_whole_design() -> None:
    rng = np.random.default_rng(0)
    rows = [row({"train.epochs": n}, {seed: 90 + rng.normal() for seed in range(1 + n % 4)}) for n in range(1, 9)]
    fit = fit_blocks(rows, np.eye(len(rows)))
    assert fit.freedom == sum(len(one.results) for one in rows) - 8 - 3
    assert residual_variance(rows) == pytest.approx(fit.variance, rel=1e-10)
    assert math.isnan(residual_variance([row({}, {0: 90.0}), row({"augment.crop": 1}, {0: 91.0})]))


def test_the_earliest_dependent_columns_among_many() -> None:
    """Of 200 random columns, of which one is the sum of two that exclude each other, against the ranks."""
    rng = np.random.default_rng(0)
    columns = list(rng.random((200, 300)) < 0.1)
    columns[7] &= ~columns[3]
    columns[150] = columns[3] | columns[7]
    assert dependent_columns(columns) == [3, 7, 150]
    assert np.linalg.matrix_rank(np.array(columns[:150], dtype=float)) == 150
    assert dependent_columns(columns[:150]) == []


def test_least_squares_of_deficient_rank() -> None:
    generator = np.random.default_rng(0)
    columns, target = generator.normal(size=(20, 2)), generator.normal(size=20)
    fit = least_squares(np.column_stack([columns, columns[:, 1]]), target)
    oracle = sm.OLS(target, columns).fit()
    assert fit.determined.tolist() == [True, False, False]
    assert fit.freedom == oracle.df_resid
    assert fit.coefficients[0] == pytest.approx(oracle.params[0])
    assert fit.errors[0] == pytest.approx(oracle.bse[0])
    assert fit.variance == pytest.approx(oracle.scale)
