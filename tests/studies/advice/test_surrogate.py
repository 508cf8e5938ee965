"""The smooth model of a study: its kernel, and how well it knows what it does not know."""

from collections.abc import Callable

import numpy as np
import pytest
from scipy.optimize import approx_fprime
from scipy.stats import norm

from assay.recipe.recipe import Recipe
from assay.studies.advice.factors import find_factors
from assay.studies.advice.surrogate import SumOfMaterns, Surrogate, fit_surrogate
from assay.studies.results import StudyResults

Simulate = Callable[..., StudyResults]
BASE = Recipe()
TRICKS = {
    "augment.flip": 0.5,
    "augment.crop": 4,
    "optim.momentum": 0.9,
    "train.batch_size": 512,
    "loss.label_smoothing": 0.1,
}
TABLE = {"plain": {}, **{name: {name: level} for name, level in TRICKS.items()}}


def fitted(results: StudyResults) -> Surrogate:
    return fit_surrogate(results.rows, find_factors([row.recipe for row in results.rows], results.rows[0].recipe))


def matern(places: np.ndarray, length: float = 1.0) -> np.ndarray:
    """Rasmussen & Williams 2006, eq. 4.17."""
    r = np.sqrt(5) * np.linalg.norm(places[:, None] - places[None], axis=2) / length
    return (1 + r + r**2 / 3) * np.exp(-r)


def test_the_kernel_by_its_formula() -> None:
    places, lengths = np.random.default_rng(0).normal(size=(4, 3)), [0.5, 2.0]
    expected = matern(places[:, :2], 0.5) + matern(places[:, 2:], 2.0)
    kernel = SumOfMaterns(lengths, (2, 3))
    np.testing.assert_allclose(kernel(places), expected)
    np.testing.assert_allclose(kernel(places, places[:2]), expected[:, :2])
    np.testing.assert_allclose(kernel.diag(places), np.diag(expected))


@pytest.mark.parametrize(("lengths", "ends"), [([0.5, 2.0], (2, 3)), ([0.7], (3,))])
def test_the_kernels_gradient_is_its_slope(lengths: list[float], ends: tuple[int, ...]) -> None:
    places = np.random.default_rng(0).normal(size=(4, 3))
    kernel = SumOfMaterns(lengths, ends)
    _, gradient = kernel(places, eval_gradient=True)
    slope = approx_fprime(kernel.theta, lambda theta: kernel.clone_with_theta(theta)(places).ravel())
    np.testing.assert_allclose(gradient.reshape(-1, len(ends)), slope.reshape(-1, len(ends)), atol=1e-6)


@pytest.mark.parametrize("seeds", [(0, 1, 2), (0,)])
def test_a_guess_by_the_formulas(simulate: Simulate, seeds: tuple[int, ...]) -> None:
    """The posterior of eq. 2.25 and 2.26 there, with the lengths and the height that were found."""
    results = simulate(TABLE, lambda r: 80.0 + r.augment.crop + 2 * r.augment.flip, seeds=seeds, noise=0.5)
    model = fitted(results)
    new, best = BASE.but({"augment.crop": 4, "augment.flip": 0.5}), BASE.but({"augment.crop": 4})
    recipes = [*(row.recipe for row in results.rows), new, best]
    names = [factor.name for factor in model.factors]
    places = np.array([[float(r.get(name) != BASE.get(name)) for name in names] for r in recipes])

    smooth = model.process.kernel_ if len(seeds) > 1 else model.process.kernel_.k1
    along = [matern(places[:, [i]], length) for i, length in enumerate(smooth.k2.k1.lengths)]
    prior = smooth.k1.constant_value * (np.sum(along, axis=0) + 0.25 * matern(places))

    runs = np.array([[result.accuracy for result in row.results] for row in results.rows])
    means, rows = runs.mean(1), len(runs)
    if len(seeds) > 1:
        residual = runs - means[:, None] - runs.mean(0) + runs.mean()
        noise = (residual**2).sum() / (rows - 1) / (len(seeds) - 1) / len(seeds) / means.var()
    else:
        noise = model.process.kernel_.k2.noise_level
    weights = prior[rows:, :rows] @ np.linalg.inv(prior[:rows, :rows] + (noise + 1e-6) * np.eye(rows))
    mean = means.mean() + weights @ (means - means.mean())
    covariance = (prior[rows:, rows:] - weights @ prior[:rows, rows:]) * means.var()

    guess, contrast = model.guess(new, best), np.array([1, -1])
    assert guess.accuracy == pytest.approx(mean[0])
    assert guess.deviation == pytest.approx(np.sqrt(covariance[0, 0]))
    assert guess.probability == pytest.approx(norm.cdf(contrast @ mean / np.sqrt(contrast @ covariance @ contrast)))


@pytest.mark.parametrize("seeds", [(0, 1), (0,)])
def test_tested_rows_are_remembered(simulate: Simulate, seeds: tuple[int, ...]) -> None:
    results = simulate(TABLE, lambda recipe: 90.0 + recipe.augment.crop, seeds=seeds)
    model = fitted(results)
    guess = model.guess(results.rows[2].recipe, results.rows[0].recipe)
    assert guess.accuracy == pytest.approx(94, abs=0.4)
    assert guess.probability > 0.9


def test_a_recipe_against_itself_is_even(simulate: Simulate) -> None:
    guess = fitted(simulate(TABLE, lambda recipe: 90.0 + recipe.augment.crop)).guess(BASE, BASE)
    assert guess.probability == pytest.approx(0.5)
    assert guess.gain == pytest.approx(0, abs=1e-3)


def test_gains_of_two_changes_add_up(simulate: Simulate) -> None:
    results = simulate(TABLE, lambda r: 90.0 + 2 * r.augment.flip + r.augment.crop / 2, seeds=(0, 1, 2), noise=0.1)
    both = BASE.but({"augment.flip": 0.5, "augment.crop": 4})
    guess = fitted(results).guess(both, results.rows[2].recipe)
    means = [np.mean([result.accuracy for result in row.results]) for row in results.rows]
    assert guess.accuracy == pytest.approx(means[1] + means[2] - means[0], abs=0.25)
    assert guess.probability > 0.9


def test_the_expected_gain_is_that_of_a_normal_variable(simulate: Simulate) -> None:
    model = fitted(simulate(TABLE, lambda recipe: 80.0 + recipe.augment.crop, noise=0.5))
    best = BASE.but({"augment.crop": 4})
    guess = model.guess(BASE.but({"augment.crop": 6}), best)
    ahead = guess.accuracy - model.guess(best, best).accuracy
    unsure = ahead / norm.ppf(guess.probability)
    sample = np.random.default_rng(0).normal(ahead, unsure, 1_000_000)
    assert guess.gain == pytest.approx(np.maximum(sample, 0).mean(), rel=0.01)


@pytest.mark.slow
def test_probabilities_mean_what_they_say(simulate: Simulate) -> None:
    """Truths with random effects and interactions half their size: of those called likely, most do win."""
    claimed, won = [], []
    for draw in range(25):
        generator = np.random.default_rng(1000 + draw)
        effects, together = generator.normal(0.3, 1, 5), np.triu(generator.normal(0, 0.5, (5, 5)), 1)

        def truth(recipe: Recipe, effects: np.ndarray = effects, together: np.ndarray = together) -> float:
            on = np.array([recipe.get(name) == level for name, level in TRICKS.items()], dtype=float)
            return float(80 + effects @ on + on @ together @ on)

        results = simulate(TABLE, truth, noise=0.15, draw=draw)
        model, best = fitted(results), max(results.rows, key=lambda row: truth(row.recipe)).recipe
        for name, level in TRICKS.items():
            if best.get(name) != level:
                recipe = best.but({name: level})
                claimed.append(model.guess(recipe, best).probability)
                won.append(truth(recipe) > truth(best))
    likely, won_likely = np.array(claimed) > 0.5, np.array(won)
    assert won_likely[likely].mean() > 0.65
    assert won_likely[~likely].mean() < 0.45
    assert np.mean(claimed) == pytest.approx(np.mean(won), abs=0.12)
