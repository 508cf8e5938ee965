"""The statistics against published examples, closed formulas, and simulated studies whose truth is known."""

import math
from functools import cache
from itertools import pairwise

import numpy as np
import pytest
from scipy import stats
from statsmodels.stats.multitest import multipletests
from statsmodels.stats.power import TTestPower
from statsmodels.stats.proportion import proportion_confint

from assay.base.statistics import (
    estimate,
    holm,
    least_difference,
    mcnemar,
    paired_difference,
    seeds_to_resolve,
    wilson_interval,
)

# Student 1908: additional hours of sleep under two drugs, the same ten patients.
FIRST = (0.7, -1.6, -0.2, -1.2, -0.1, 3.4, 3.7, 0.8, 0.0, 2.0)
SECOND = (1.9, 0.8, 1.1, 0.1, -0.1, 4.4, 5.5, 1.6, 4.6, 3.4)


def by_seed(values) -> dict[int, float]:
    return dict(enumerate(values))


@pytest.mark.parametrize("level", [0.8, 0.95, 0.99])
@pytest.mark.parametrize("n", [1, 2, 49, 355, 10_000])
def test_an_interval_of_a_share_is_statsmodels(n: int, level: float) -> None:
    for count in sorted({0, 1, n // 3, n - 1, n}):
        low, high = wilson_interval(count / n, n, level)
        expected = proportion_confint(count, n, 1 - level, method="wilson")
        assert (low, high) == pytest.approx(expected, rel=1e-9, abs=1e-12)
        assert 0 <= low <= count / n <= high <= 1


def test_an_interval_of_a_share_is_where_the_score_test_rejects() -> None:
    """At its ends the observed share is just 1.96 standard errors away, those of the end's own share (Wilson 1927)."""
    for share, n in ((40 / 49, 49), (142 / 145, 145)):
        for end in wilson_interval(share, n):
            errors = abs(share - end) / math.sqrt(end * (1 - end) / n)
            assert errors == pytest.approx(stats.norm.ppf(0.975))


@pytest.mark.parametrize(("share", "n"), [(-0.1, 5), (1.1, 5), (math.nan, 5), (0.5, 0)])
def test_what_is_no_share_has_no_interval(share: float, n: int) -> None:
    with pytest.raises(ValueError, match=f"interval of a share of .* in {n}: expected a share in"):
        wilson_interval(share, n)


@pytest.mark.parametrize("level", [0.1, 0.05, 0.01, 0.0625])
def test_fewer_images_never_differ_significantly(level: float) -> None:
    least = least_difference(level)
    assert stats.binomtest(least, least).pvalue < level
    for lost in range(100):
        assert stats.binomtest(least - 1 + lost, least - 1 + 2 * lost).pvalue >= level


def test_an_estimate_worked_by_hand() -> None:
    made = estimate([78.0, 79.0, 80.0])
    assert (made.mean, made.std, made.n) == (79.0, 1.0, 3)
    half = 4.302653 / math.sqrt(3)  # the printed quantile of t with 2 degrees of freedom
    assert (made.low, made.high) == pytest.approx((79 - half, 79 + half), abs=1e-6)
    assert made.half_width == pytest.approx(half, abs=1e-6)


@pytest.mark.parametrize("level", [0.8, 0.95, 0.99])
def test_an_estimate_is_the_closed_formula(level: float) -> None:
    values = np.random.default_rng(0).normal(70, 3, size=7)
    made = estimate(values.tolist(), level)
    half = stats.t.ppf(0.5 + level / 2, df=6) * math.sqrt(((values - values.mean()) ** 2).sum() / 6 / 7)
    assert (made.low, made.high) == pytest.approx((values.mean() - half, values.mean() + half), rel=1e-12)


def test_one_value_has_no_interval_and_none_has_nothing() -> None:
    one = estimate([80.0])
    assert (one.mean, one.n) == (80.0, 1)
    assert all(math.isnan(number) for number in (one.std, one.low, one.high, one.half_width))
    none = estimate([])
    assert none.n == 0
    assert math.isnan(none.mean)


def test_equal_values_have_no_spread() -> None:
    made = estimate([80.1] * 3)  # whose floating-point mean is another number
    assert (made.mean, made.std, made.low, made.high) == (80.1, 0.0, 80.1, 80.1)


def test_students_own_example_of_pairs() -> None:
    made = paired_difference(by_seed(SECOND), by_seed(FIRST))
    assert (made.mean, made.std, made.n) == (pytest.approx(1.58), pytest.approx(1.229995, abs=1e-6), 10)
    assert (made.low, made.high) == pytest.approx((0.7001142, 2.4598858), abs=1e-7)  # as R's t.test prints them
    assert made.p == pytest.approx(0.002833, abs=5e-7)


def test_pairs_are_made_by_seed_and_only_of_shared_ones() -> None:
    made = paired_difference({3: 13.0, 1: 11.0, 9: 50.0}, {1: 1.0, 3: 4.0, 7: 90.0})
    assert (made.mean, made.n) == (9.5, 2)
    assert made.p == pytest.approx(stats.ttest_rel([11.0, 13.0], [1.0, 4.0]).pvalue)


def test_fewer_than_two_pairs_test_nothing() -> None:
    one = paired_difference({1: 3.0, 2: 5.0}, {2: 1.0, 3: 4.0})
    assert (one.mean, one.n) == (4.0, 1)
    none = paired_difference({1: 3.0}, {2: 5.0})
    assert none.n == 0
    assert all(math.isnan(number) for number in (one.low, one.high, one.p, none.mean, none.p))


def test_differences_without_spread() -> None:
    same = paired_difference({1: 2.0, 2: 3.0}, {1: 1.0, 2: 2.0})
    assert (same.low, same.mean, same.high, same.p) == (1.0, 1.0, 1.0, 0.0)
    nothing = paired_difference({1: 2.0, 2: 3.0}, {1: 2.0, 2: 3.0})
    assert (nothing.low, nothing.mean, nothing.high, nothing.p) == (0.0, 0.0, 0.0, 1.0)


def test_differences_that_are_equal_by_chance_are_not_certain() -> None:
    step = 100 / 360
    ours, theirs = {0: 350 * step, 1: 351 * step}, {0: 349 * step, 1: 350 * step}  # one image more, twice
    made = paired_difference(ours, theirs, resolution=step)
    assert (made.mean, made.std) == (pytest.approx(step), step)
    assert made.p == pytest.approx(2 * stats.t.sf(math.sqrt(2), df=1))  # one step over one step / sqrt(2)
    assert made.high == pytest.approx(step + 12.706205 * step / math.sqrt(2), abs=1e-6)
    assert paired_difference({0: 2.0, 1: 3.0}, {0: 1.0, 1: 2.0}, resolution=0.5).p > 0.1  # equal to the last bit
    assert paired_difference(ours, ours, resolution=step).p == 1.0


def test_the_resolution_matters_only_below_it() -> None:
    same = estimate([80.0] * 4, resolution=0.1)
    assert (same.mean, same.std, same.half_width) == (80.0, 0.1, pytest.approx(3.182446 * 0.1 / 2, abs=1e-6))
    assert estimate([78.0, 79.0, 80.0], resolution=0.9) == estimate([78.0, 79.0, 80.0])
    assert math.isnan(estimate([80.0], resolution=0.1).std)  # one value says nothing still


def test_holm_worked_by_hand() -> None:
    # Sorted .005 .01 .03 .04, times 4 3 2 1: .02 .03 .06 .04, and none below the one before it.
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert holm([0.5, 0.9]) == [1.0, 1.0]


@pytest.mark.parametrize("count", [1, 2, 9])
def test_holm_is_statsmodels(count: int) -> None:
    values = np.random.default_rng(count).beta(0.3, 1, count).round(3)  # of which some are equal, and some are 0
    assert holm(values) == pytest.approx(multipletests(values, method="holm")[1], rel=1e-12)


def test_holm_passes_over_comparisons_that_were_not_made() -> None:
    adjusted = holm([math.nan, 0.02, math.nan, 0.04])
    assert adjusted[1::2] == pytest.approx([0.04, 0.04])
    assert all(math.isnan(p) for p in adjusted[::2])
    assert holm([]) == []
    assert math.isnan(holm([math.nan])[0])


@pytest.mark.parametrize(("gained", "lost"), [(0, 0), (0, 1), (5, 5), (2, 9), (40, 61), (130, 80)])
def test_mcnemar_is_a_sign_test_on_the_images_that_differ(gained: int, lost: int) -> None:
    kinds = [(True, True)] * 50 + [(True, False)] * gained + [(False, True)] * lost + [(False, False)] * 20
    correct, control = np.array(kinds).T
    made = mcnemar(correct, control)
    assert (made.gained, made.lost) == (gained, lost)
    expected = stats.binomtest(gained, gained + lost).pvalue if gained + lost else 1.0
    assert made.p == pytest.approx(expected, rel=1e-9)


def test_mcnemar_wants_the_same_images() -> None:
    with pytest.raises(ValueError, match="2 images against 3"):
        mcnemar(np.ones(2, bool), np.ones(3, bool))


@pytest.mark.parametrize(("std", "difference", "comparisons"), [(1.0, 1.0, 1), (0.5, 1.0, 4), (1.0, -0.6, 7)])
def test_so_many_seeds_find_it_and_one_fewer_does_not(std: float, difference: float, comparisons: int) -> None:
    seeds = seeds_to_resolve(std, difference, comparisons)
    generator = np.random.default_rng(1)

    def power(n: int) -> float:
        runs = generator.normal(difference, std, size=(100_000, n))
        return float((stats.ttest_1samp(runs, 0.0, axis=1).pvalue < 0.05 / comparisons).mean())

    noise = 4 * math.sqrt(0.8 * 0.2 / 100_000)
    assert power(seeds) >= 0.8 - noise
    assert power(seeds - 1) < 0.8 + noise


@pytest.mark.parametrize("power", [0.3, 0.8, 0.99])
@pytest.mark.parametrize("comparisons", [1, 500])
def test_seeds_to_resolve_is_the_fewest_of_all(comparisons: int, power: float) -> None:
    """Against every number from 2 on, by statsmodels' power."""
    for std in (0.05, 0.4, 1.0, 3.0):
        found = seeds_to_resolve(std, 1.0, comparisons, power)
        level = 0.05 / comparisons / 2
        powers = TTestPower().power(1 / std, np.arange(2, found + 1), level, alternative="larger")
        assert powers[-1] >= power
        assert not (powers[:-1] >= power).any()


def test_seeds_to_resolve_known_cases() -> None:
    assert seeds_to_resolve(1.0, 0.5) == 34  # Cohen's medium effect, as power tables and G*Power give it
    assert seeds_to_resolve(0.0, 0.1) == 2
    assert seeds_to_resolve(0.001, 5.0) == 2
    assert seeds_to_resolve(1e9, 1e-9) == 1_000_000
    needed = [seeds_to_resolve(10 ** (-size / 10), 1.0, comparisons=20) for size in range(-20, 41)]
    assert all(later <= sooner for sooner, later in pairwise(needed))


@pytest.mark.parametrize(("std", "difference"), [(1.0, 0.0), (math.nan, 1.0), (1.0, math.nan), (-1.0, 1.0)])
def test_what_cannot_be_resolved_is_refused(std: float, difference: float) -> None:
    with pytest.raises(ValueError, match="seeds to resolve"):
        seeds_to_resolve(std, difference)


def noise(studies: int) -> float:
    """Four standard deviations of a share of 5 % among so many studies."""
    return 4 * math.sqrt(0.05 * 0.95 / studies)


PART = 2_000
few_and_many = pytest.mark.parametrize("parts", [1, pytest.param(5, marks=pytest.mark.slow)])


def simulated_studies(part: int, seeds: int, truth: tuple[float, ...]):
    """A part of the accuracies ``[study, row, seed]``.

    What a seed does to all rows alike is larger than what it does to each.
    """
    generator = np.random.default_rng((part, seeds))
    shared = generator.normal(0, 1.5, size=(PART, 1, seeds))
    own = generator.normal(0, 0.5, size=(PART, len(truth), seeds))
    return np.array(truth)[None, :, None] + shared + own


@cache
def covered(part: int, seeds: int, truth: tuple[float, ...]) -> tuple[int, int]:
    """How many intervals of means, and of differences, hold the truth in a part of the studies."""
    means = differences = 0
    for study in simulated_studies(part, seeds, truth):
        for row, true in enumerate(truth):
            made = estimate(study[row].tolist())
            means += made.low <= true <= made.high
        for row in range(1, len(truth)):
            difference = paired_difference(by_seed(study[row]), by_seed(study[0]))
            differences += difference.low <= truth[row] - truth[0] <= difference.high
    return means, differences


@few_and_many
@pytest.mark.parametrize("seeds", [3, 5])
def test_intervals_cover_the_truth(parts: int, seeds: int) -> None:
    truth, studies = (78.6, 74.1, 78.6, 79.0, 62.8), parts * PART
    means, differences = (
        sum(counts) for counts in zip(*(covered(part, seeds, truth) for part in range(parts)), strict=True)
    )
    assert means / (studies * len(truth)) == pytest.approx(0.95, abs=noise(studies))
    assert differences / (studies * (len(truth) - 1)) == pytest.approx(0.95, abs=noise(studies))


@cache
def with_false_positives(part: int, seeds: int, truth: tuple[float, ...]) -> int:
    """In how many studies of a part a row that equals the control is said to differ."""
    equal = [row - 1 for row in range(1, 5) if truth[row] == truth[0]]
    wrong = 0
    for study in simulated_studies(part, seeds, truth):
        control = by_seed(study[0])
        adjusted = holm([paired_difference(by_seed(row), control).p for row in study[1:]])
        wrong += any(adjusted[row] < 0.05 for row in equal)
    return wrong


@few_and_many
@pytest.mark.parametrize("seeds", [3, 5])
@pytest.mark.parametrize("truth", [(78.6,) * 5, (78.6, 78.6, 60.0, 78.6, 90.0)], ids=["all equal", "two differ"])
def test_false_positives_after_correction(parts: int, seeds: int, truth: tuple[float, ...]) -> None:
    studies = parts * PART
    wrong = sum(with_false_positives(part, seeds, truth) for part in range(parts))
    assert wrong / studies <= (0.05 if parts > 1 else 0.05 + noise(studies))
    assert wrong / studies >= 0.02  # an answer of "never" would be no test


@pytest.mark.parametrize("rows", [1, 7])
@pytest.mark.parametrize("seeds", [2, 3])
def test_false_positives_of_accuracies_in_steps(rows: int, seeds: int) -> None:
    """Equal recipes on 360 images, of which 16 are answered by chance: two runs differ on 8, on average."""
    right = 335 + np.random.default_rng(seeds).binomial(16, 0.5, size=(20_000, rows + 1, seeds))

    @cache  # few differ
    def p_of(differences: tuple[int, ...]) -> float:
        ours = {seed: (340 + images) / 3.6 for seed, images in enumerate(differences)}
        return paired_difference(ours, dict.fromkeys(ours, 340 / 3.6), resolution=100 / 360).p

    ordered = np.sort(right[:, 1:] - right[:, :1], axis=-1).tolist()
    wrong = sum(min(holm([p_of(tuple(row)) for row in study])) < 0.05 for study in ordered)
    assert wrong / len(ordered) <= 0.055
    assert wrong or (seeds, rows) != (3, 1)  # an answer of "never" would be no test
