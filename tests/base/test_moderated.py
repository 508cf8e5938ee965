"""Moderated differences against SciPy's and statsmodels' tests, and a case worked by hand."""

import math
import warnings

import numpy as np
import pytest
from scipy import stats
from statsmodels.stats.weightstats import ttost_ind

from assay.base.moderated import Contrast, Rows, contrast, moderate


def rows_of(*values: list[float], deviation: float = 1.0, prior: float = 0.7) -> Rows:
    mean = np.array([np.mean(row) if row else math.nan for row in values])
    variance = np.array([np.var(row, ddof=1) if len(row) > 1 else math.nan for row in values])
    return moderate(mean, variance, np.array([len(row) for row in values]), deviation, prior)


def test_without_a_prior_it_is_welchs_test() -> None:
    """SciPy's, wherever Satterthwaite's degrees of freedom are not more than one above the sparser side's."""
    generator, uncapped = np.random.default_rng(0), 0
    for _ in range(200):
        ours = generator.normal(1, 3, size=4).tolist()
        theirs = generator.normal(0, 1, size=9).tolist()
        made = contrast(rows_of(ours, theirs, prior=0.0), 0, 1)
        expected = stats.ttest_ind(ours, theirs, equal_var=False)
        if expected.df <= 4:
            uncapped += 1
            interval = expected.confidence_interval(0.95)
            assert made.p == pytest.approx(expected.pvalue, rel=1e-9)
            assert made.interval() == pytest.approx((interval.low, interval.high), rel=1e-9)
        else:
            assert made.freedom == 4
            t = expected.statistic
            assert made.p == pytest.approx(2 * stats.t.sf(abs(t), 4), rel=1e-9)
            assert made.p > expected.pvalue
    assert 50 < uncapped < 200


def test_equivalence_is_statsmodels() -> None:
    """Of 3 and 3 values with just one variance, Satterthwaite has 4 degrees of freedom: one more than 2 is 3."""
    ours, theirs = [1.0, 2.0, 9.0], [0.1, 0.2, 0.3]  # and here about 2
    made = contrast(rows_of(ours, theirs, prior=0.0), 0, 1)
    for margin in (1.0, 5.0, 20.0):
        expected, _, _ = ttost_ind(np.array(ours), np.array(theirs), -margin, margin, usevar="unequal")
        assert made.p_equivalent(margin) == pytest.approx(expected, rel=1e-9)
    capped = contrast(rows_of([1.0, 2.0, 3.0], [4.0, 5.0, 6.0], prior=0.0), 0, 1)
    assert capped.freedom == 3


def test_the_two_one_sided_tests_are_an_interval_within_the_margin() -> None:
    generator = np.random.default_rng(1)
    for mean, error in zip(generator.normal(0, 1, 50), generator.uniform(0.1, 1, 50), strict=True):
        made = Contrast(np.array(mean), np.array(error), np.array(5.0))
        low, high = made.interval(0.9)
        assert (made.p_equivalent(1.5) < 0.05) == (low > -1.5 and high < 1.5)


def test_variances_worked_by_hand() -> None:
    """Variances 1, 4 and 9, two degrees of freedom each; the prior variance is their median, 4, above 0.25."""
    rows = rows_of([0.0, 1.0, 2.0], [0.0, 2.0, 4.0], [0.0, 3.0, 6.0], deviation=0.5)
    # chi2 with 2 degrees of freedom exceeds x with probability exp(-x / 2): 2 exp(-1) < 1 < 2 exp(-1/4).
    weights = np.array([0.7, 0.7 * 2 * math.exp(-1), 0.7 * 2 * math.exp(-9 / 4)])
    assert rows.freedom == pytest.approx(2 + weights)
    assert rows.variance == pytest.approx((weights * 4 + 2 * np.array([1, 4, 9])) / (2 + weights))


def test_a_quiet_tables_prior_is_that_of_other_tables() -> None:
    rows = rows_of([0.0, 0.0, 0.0], [1.0, 1.0, 1.0], deviation=2.0)
    assert rows.variance == pytest.approx(0.7 * 4 / 2.7)  # Smyth 2004, equation 6
    assert contrast(rows, 0, 1).p == pytest.approx(2 * stats.t.sf(1 / math.sqrt(2 * 0.7 * 4 / 2.7 / 3), 3.7))


def test_a_wild_row_is_not_squeezed() -> None:
    rows = rows_of([0.0, 0.1, 0.2], [0.0, 0.1, 0.2], [0.0, 50.0, 100.0])
    assert rows.variance[2] == pytest.approx(2500)
    assert rows.freedom[2] == pytest.approx(2)


def test_many_values_hardly_change() -> None:
    values = np.random.default_rng(2).normal(0, 3, size=(2, 500))
    made = contrast(rows_of(*values.tolist()), 0, 1)
    assert made.error == pytest.approx(math.sqrt(sum(np.var(row, ddof=1) / 500 for row in values)), rel=1e-3)


def test_rows_of_one_value_or_none_have_no_variance_and_spoil_none() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        alone, without = rows_of([0.0, 1.0, 2.0], [5.0], []), rows_of([5.0], [])
    assert np.isnan(alone.variance).tolist() == [False, True, True]
    assert alone.variance[0] == pytest.approx(1.0)
    assert np.isnan(without.variance).all()
    assert math.isnan(contrast(alone, 1, 0).p)


def test_many_tables_at_once_are_each_by_itself() -> None:
    values = np.random.default_rng(3).normal(60, 2, size=(5, 4, 3))
    together = moderate(values.mean(-1), values.var(-1, ddof=1), np.array([3.0]), 0.8)
    made = contrast(together, slice(1, None), 0)
    for table, rows in enumerate(values.tolist()):
        one = rows_of(*rows, deviation=0.8)
        for row in range(1, 4):
            assert made.p[table, row - 1] == pytest.approx(contrast(one, row, 0).p)
