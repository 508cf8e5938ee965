"""The probability of beating another choice against SciPy, its own equation, and simulated runs."""

import math

import numpy as np
import pytest
from scipy import stats

from assay.base.superiority import superiority


def test_the_share_is_mann_whitneys() -> None:
    generator = np.random.default_rng(0)
    for _ in range(20):
        ours, theirs = generator.integers(0, 6, size=4), generator.integers(0, 6, size=7)
        expected = stats.mannwhitneyu(ours, theirs).statistic / 28
        assert superiority(ours.tolist(), theirs.tolist()).share == pytest.approx(expected)


@pytest.mark.parametrize(("ours", "theirs"), [([3, 4, 5], [0, 1, 2]), ([1, 2, 6], [3, 4, 5, 0]), ([0, 1], [2, 3, 4])])
def test_the_ends_are_where_the_score_test_rejects(ours: list[float], theirs: list[float]) -> None:
    """At each end the share is 1.96 standard errors away: Hanley & McNeil's, with the mean number in the numerator."""
    made, (m, n) = superiority(ours, theirs), (len(ours), len(theirs))
    for end in (made.low, made.high):
        if 0 < end < 1:
            q1, q2 = end / (2 - end), 2 * end**2 / (1 + end)
            others = (m + n) / 2 - 1
            variance = (end * (1 - end) + others * (q1 - end**2) + others * (q2 - end**2)) / (m * n)
            assert abs(made.share - end) / math.sqrt(variance) == pytest.approx(stats.norm.ppf(0.975), rel=1e-6)


def test_all_and_none() -> None:
    made = superiority([3, 4, 5], [0, 1, 2])
    assert (made.share, made.high) == (1, 1)
    assert 0.4 < made.low < 0.6  # three runs each do not tell much
    other = superiority([0, 1, 2], [3, 4, 5])
    assert (other.share, other.low, other.high) == (0, 0, pytest.approx(1 - made.low))


@pytest.mark.parametrize(("m", "n", "shift"), [(3, 10, 0.0), (3, 10, 1.5), (10, 10, 1.0)])
def test_intervals_cover_the_truth(m: int, n: int, shift: float) -> None:
    generator, hits = np.random.default_rng(1), 0
    true = stats.norm.cdf(shift / math.sqrt(2))
    for _ in range(400):
        made = superiority(shift + generator.standard_normal(m), generator.standard_normal(n))
        hits += made.low <= true <= made.high
    assert hits / 400 >= 0.95 - 3 * math.sqrt(0.05 * 0.95 / 400)
