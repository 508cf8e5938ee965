"""Rows against their controls: every test that a table makes, before any correction."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from assay.base.moderated import Contrast, contrast, moderate
from assay.base.statistics import Difference, mcnemar, paired_difference, seeds_to_resolve
from assay.base.superiority import Superiority, superiority
from assay.studies.results import RowResults
from assay.studies.verdict import LEVEL

_SURE = 0.8  # probability of the interval of a standard deviation, from which the range of seeds follows


@dataclass(frozen=True)
class Comparison:
    """A row against its control; differences in percentage points, nan where there are too few runs.

    Attributes:
        mean: the row's mean accuracy minus its control's, over all runs of both; diverged ones count as guessing.
        low: lower end of the 95 % interval of the difference; nan where either has fewer than two runs.
        high: upper end of it.
        error: the moderated standard error of the difference.
        freedom: its degrees of freedom.
        p: p value of the moderated Welch test.
        p_equivalent: p value of the two one-sided tests that the difference is at least the margin.
        n: the row's runs.
        control_n: the control's runs.
        superiority: the probability that a new run of the row beats one of the control.
        paired: the paired difference over the seeds that both have, for comparison; it decides nothing.
        images_p: p value of McNemar's test on the answers of the one seed that both have; nan where there is none.
        p_diverged: p value of Fisher's exact test that equally many runs diverge; nan where none did.
        seeds_needed: the range of the number of runs of both that would show a difference of the margin.
    """

    mean: float
    low: float
    high: float
    error: float
    freedom: float
    p: float
    p_equivalent: float
    n: int
    control_n: int
    superiority: Superiority | None
    paired: Difference
    images_p: float
    p_diverged: float
    seeds_needed: tuple[int, int] | None

    @property
    def half_width(self) -> float:
        """The distance from the mean to either end of the interval."""
        return (self.high - self.low) / 2


def compare(
    pairs: Sequence[tuple[RowResults, RowResults | None]], deviation: float, margin: float
) -> list[Comparison | None]:
    """Compare each row of a table with its control; None where there is none, or one of them has no runs.

    Args:
        pairs: every row with its control; rows that are measured on one split are moderated together.
        deviation: the standard deviation of rows of other tables, in percentage points.
        margin: the largest difference that counts as none, in percentage points.
    """
    family = sum(control is not None for _, control in pairs)
    contrasts = _contrasts(pairs, deviation)
    return [
        None if made is None or control is None else _comparison(row, control, *made, margin, family)
        for (row, control), made in zip(pairs, contrasts, strict=True)
    ]


def _contrasts(
    pairs: Sequence[tuple[RowResults, RowResults | None]], deviation: float
) -> list[tuple[Contrast, float] | None]:
    """Each row's difference to its control, with the variance of a difference of single runs."""
    values = [np.array([*row.counted.values()], dtype=np.float64) for row, _ in pairs]
    mean = np.array([one.mean() if len(one) else math.nan for one in values])
    variance = np.array([one.var(ddof=1) if len(one) > 1 else math.nan for one in values])
    n, splits = np.array([len(one) for one in values]), np.array([row.row.split for row, _ in pairs])
    rows = {  # accuracies on another split vary by other amounts
        split: moderate(mean, np.where(splits == split, variance, math.nan), n, deviation) for split in {*splits}
    }
    places = {row.row.name: place for place, (row, _) in enumerate(pairs)}
    made: list[tuple[Contrast, float] | None] = []
    for place, (row, control) in enumerate(pairs):
        if control is None or not (row.counted and control.counted):
            made.append(None)
            continue
        own, other = rows[row.row.split], places[control.row.name]
        made.append((contrast(own, place, other), float(own.variance[place] + own.variance[other])))
    return made


def _comparison(
    row: RowResults, control: RowResults, made: Contrast, variance: float, margin: float, family: int
) -> Comparison:
    low, high = made.interval()
    ours, theirs = (list(one.counted.values()) for one in (row, control))
    return Comparison(
        mean=float(made.mean),
        low=float(low),
        high=float(high),
        error=float(made.error),
        freedom=float(made.freedom),
        p=float(made.p),
        p_equivalent=float(made.p_equivalent(margin)),
        n=len(ours),
        control_n=len(theirs),
        superiority=superiority(ours, theirs) if min(len(ours), len(theirs)) > 1 else None,
        paired=paired_difference(row.counted, control.counted, resolution=step([row, control])),
        images_p=_on_images(row, control),
        p_diverged=_on_diverged(row, control),
        seeds_needed=_seeds_needed(variance, float(made.freedom), margin, family),
    )


def step(rows: Sequence[RowResults]) -> float:
    """The accuracy of one test image, in percentage points, the coarsest where runs differ; 0 where it is unknown.

    Two seeds can agree to the image by chance, and a standard deviation of 0 would make any paired difference
    significant: so no standard deviation over seeds is taken to be smaller than this.
    """
    return max((100 / row.images for row in rows if row.images), default=0.0)


def _on_images(row: RowResults, control: RowResults) -> float:
    """McNemar's test where just one seed is shared; that of the images stands in for its chance, which is unknown."""
    shared = row.counted.keys() & control.counted.keys()
    pairs = [(a, b) for a in row.results for b in control.results if a.seed == b.seed]
    if len(shared) != 1 or not pairs:
        return math.nan
    ((ours, theirs),) = pairs
    if ours.correct is None or theirs.correct is None or len(ours.correct) != len(theirs.correct):
        return math.nan
    return mcnemar(ours.correct, theirs.correct).p


def _on_diverged(row: RowResults, control: RowResults) -> float:
    from scipy.stats import fisher_exact

    if not row.diverged and not control.diverged:
        return math.nan
    counts = [[len(one.diverged), len(one.results)] for one in (row, control)]
    return float(fisher_exact(counts).pvalue)


def _seeds_needed(variance: float, freedom: float, margin: float, family: int) -> tuple[int, int] | None:
    """The runs of row and control that find a difference of the margin, at either end of the spread's 80 % interval.

    A spread that is known from a few runs may be half or twice as large, and the number of runs goes with its square.
    """
    from scipy.special import chdtri

    if math.isnan(variance) or math.isnan(freedom):
        return None
    ends = (math.sqrt(variance * freedom / chdtri(freedom, share)) for share in ((1 - _SURE) / 2, (1 + _SURE) / 2))
    low, high = (seeds_to_resolve(std, margin, family, level=LEVEL) for std in ends)
    return low, high
