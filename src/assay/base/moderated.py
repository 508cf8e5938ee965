"""Differences between rows of few runs: Welch's t-test whose variances borrow from those of other rows.

References:
    Welch 1947, The generalization of Student's problem when several different population variances are involved;
    Satterthwaite 1946, An approximate distribution of estimates of variance components;
    Smyth 2004, Linear models and empirical Bayes methods for assessing differential expression, section 3;
    Phipson et al. 2016, Robust hyperparameter estimation protects against hypervariable genes, section 3.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

# scipy is imported by the functions that need it: it takes more than a second, and commands only name this module.

Floats = NDArray[np.float64]

PRIOR_FREEDOM = 0.7
"""degrees of freedom that the prior deviation counts for; docs/statistics.md has the simulation that chose them"""


@dataclass(frozen=True)
class Rows:
    """Rows of a table with their moderated variances; all arrays have the shape ``[..., rows]``.

    Attributes:
        mean: mean of each row's values.
        variance: of a single value, moderated; nan for a row of fewer than two.
        freedom: degrees of freedom of that variance.
        n: number of values.
    """

    mean: Floats
    variance: Floats
    freedom: Floats
    n: Floats


@dataclass(frozen=True)
class Contrast:
    """Differences of means with their standard errors, in the unit of the values; arrays of one shape.

    Attributes:
        mean: the difference.
        error: its standard error.
        freedom: degrees of freedom of that error.
    """

    mean: Floats
    error: Floats
    freedom: Floats

    @property
    def p(self) -> Floats:
        """P values of the two-sided test that the difference is 0."""
        from scipy.special import stdtr

        return np.asarray(2 * stdtr(self.freedom, -np.abs(self.mean) / self.error))

    def interval(self, level: float = 0.95) -> tuple[Floats, Floats]:
        """The lower and the upper ends of the intervals that hold the true difference with probability ``level``."""
        from scipy.special import stdtrit

        width = self.error * stdtrit(self.freedom, (1 + level) / 2)
        return self.mean - width, self.mean + width

    def p_equivalent(self, margin: float) -> Floats:
        """P values of the two one-sided tests that the difference is as large as ``margin``, above 0, or larger.

        The larger of the two counts (Schuirmann 1987, A comparison of the two one-sided tests procedure and the power
        approach): below a level, the interval of level 1 - 2 x level lies within the margin on both sides.
        """
        from scipy.special import stdtr

        return np.asarray(stdtr(self.freedom, (np.abs(self.mean) - margin) / self.error))


def moderate(mean: Floats, variance: Floats, n: Floats, deviation: float, prior: float = PRIOR_FREEDOM) -> Rows:
    """Squeeze the variances of a table's rows towards that of other rows.

    Two or three runs say little about their spread; the spread of rows like them says more. The prior variance is that
    of other tables or the median of this table's rows, whichever is larger, so that a table whose rows all vary more
    is not judged by quieter ones. It counts for ``prior`` degrees of freedom (Smyth 2004, equation 6), and for
    fewer in rows that vary more than it would let expect (Phipson et al. 2016): of those it says nothing. Unlike in
    both papers its weight is fixed, because a table has too few rows to estimate it.

    Args:
        mean: of each row, ``[..., rows]``.
        variance: with n - 1 in the denominator; nan for a row of fewer than two values.
        n: number of values, broadcastable to them.
        deviation: standard deviation of a row of other tables, above 0, in the unit of the values.
        prior: degrees of freedom of the prior; 0 leaves the variances as they are.
    """
    from scipy.special import chdtrc

    n = np.broadcast_to(n, mean.shape).astype(np.float64)
    own = np.where(n > 1, n - 1, np.nan)
    known = np.where(n > 1, variance, np.nan)
    typical = _median(known)
    squared = np.maximum(deviation**2, np.where(np.isnan(typical), 0.0, typical))
    expected = np.minimum(1.0, 2 * chdtrc(own, own * known / squared))
    weight = prior * expected
    return Rows(mean, (weight * squared + own * known) / (weight + own), weight + own, n)


def contrast(rows: Rows, row: int | slice, control: int) -> Contrast:
    """Compare rows with the control by Welch's test, given their places on the last axis.

    The degrees of freedom are Satterthwaite's, but at most one more than those of the sparser side. Of three runs that
    happen to agree his formula makes many, and then the test claims too much (8 rows of 3 runs against 10 of a quiet
    control: a false claim in 17 % of tables in place of 5 %).
    """
    ours, theirs = (rows.variance[..., place] / rows.n[..., place] for place in (row, control))
    our_freedom, their_freedom = rows.freedom[..., row], rows.freedom[..., control]
    if isinstance(row, slice):  # the control's figures stand for each of the rows
        theirs, their_freedom = theirs[..., np.newaxis], their_freedom[..., np.newaxis]
        means = rows.mean[..., row] - rows.mean[..., control][..., np.newaxis]
    else:
        means = rows.mean[..., row] - rows.mean[..., control]
    squared = ours + theirs
    freedom = squared**2 / (ours**2 / our_freedom + theirs**2 / their_freedom)
    return Contrast(means, np.sqrt(squared), np.minimum(freedom, np.minimum(our_freedom, their_freedom) + 1))


def _median(variance: Floats) -> Floats:
    """The median over the rows whose variance is known, ``[..., 1]``; nan where there is none."""
    if not np.isnan(variance).any():
        return np.asarray(np.median(variance, axis=-1, keepdims=True))
    known = ~np.isnan(variance).all(axis=-1, keepdims=True)
    filled = np.where(known, variance, 0.0)  # nanmedian warns of rows that are all nan
    return np.where(known, np.nanmedian(filled, axis=-1, keepdims=True), np.nan)
