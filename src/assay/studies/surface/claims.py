"""The published claims on the loss's surface, tested: each a ratio with its interval over the seeds, and a verdict."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from assay.base.statistics import holm, paired_difference
from assay.studies.surface.measures import MEASURES, Floats, Measure
from assay.studies.surface.networks import Network, shared_runs
from assay.studies.verdict import LEVEL

FAR = 0.5  # "far smaller": less than half


@dataclass(frozen=True)
class Claim:
    """A claim that one value is smaller than another, and its test.

    Attributes:
        claim: the published claim to which it belongs.
        measure: the measure's name.
        form: the source of the measure's definition: ``paper`` or ``report``.
        compared: the two sides in words, first the one that is claimed to be smaller.
        value: the first side's mean over steps and over the seeds that have both sides.
        reference: the second side's mean.
        ratio: of the first side to the second, geometric mean over the seeds.
        low: lower end of its 95 % confidence interval; nan with fewer than two seeds.
        high: upper end.
        p: p-value of the paired t-test of the ratio's logarithm, corrected within its family of claims (Holm).
        seeds: the number of seeds with both sides.
    """

    claim: str
    measure: str
    form: str
    compared: str
    value: float
    reference: float
    ratio: float
    low: float
    high: float
    p: float
    seeds: int

    @property
    def verdict(self) -> str:
        """``far smaller`` (the whole interval below half), ``smaller``, ``opposite`` or ``cannot be told``."""
        if not self.p < LEVEL:  # and not p >= LEVEL: with a single seed p is nan
            return "cannot be told"
        if self.ratio > 1:
            return "opposite"
        return "far smaller" if self.high < FAR else "smaller"


def judge(networks: Sequence[Network]) -> list[Claim]:
    """Compare each further network with the first, and in every network the second half of training with the first.

    The two are separate families of claims, each with its own correction for their number.

    Measures along the gradient leave out learning rates at which a network learned nothing: on a plateau every
    gradient vanishes, so the surface looks perfectly smooth there.
    """
    first, *others = networks
    between = [_against(measure, other, first) for other in others for measure in MEASURES]
    within = [_falls(measure, network) for network in networks for measure in MEASURES]
    return [*_corrected(between), *_corrected(within)]


def _corrected(claims: Sequence[Claim]) -> list[Claim]:
    """Correct the p-values for their number; claims without a seed are left out."""
    tested = [claim for claim in claims if claim.seeds]
    return [replace(claim, p=p) for claim, p in zip(tested, holm([claim.p for claim in tested]), strict=True)]


def _against(measure: Measure, network: Network, reference: Network) -> Claim:
    pairs = {}
    for seed in sorted(network.runs.keys() & reference.runs.keys()):
        ours, theirs = shared_runs(network, reference, seed, learned=measure.form == "paper")
        if ours:
            one, other = measure.course(ours), measure.course(theirs)
            shortest = min(len(one), len(other))  # a run may have stopped early: compare the same steps of both
            pairs[seed] = _mean(one[:shortest], measure.part), _mean(other[:shortest], measure.part)
    part = f" ({measure.part})" if measure.part != "all of it" else ""
    return _claim(measure, measure.claim, f"{network.name} / {reference.name}{part}", pairs)


def _falls(measure: Measure, network: Network) -> Claim:
    pairs = {}
    for seed in sorted(network.runs):
        runs, _ = shared_runs(network, network, seed, learned=measure.form == "paper")
        if runs:
            course = measure.course(runs)
            pairs[seed] = _mean(course, "second half"), _mean(course, "first half")
    return _claim(measure, "falls in training", f"{network.name}: second half / first half", pairs)


def _claim(measure: Measure, claim: str, compared: str, pairs: Mapping[int, tuple[float, float]]) -> Claim:
    """Test the ratio of both sides, given by seed, over the seeds at which both are positive and finite."""
    known = {seed: pair for seed, pair in pairs.items() if all(0 < side < math.inf for side in pair)}
    # The logarithm of a ratio is a difference, which a paired t-test takes, and no limit of the ratio is below 0.
    logs, reference_logs = ({seed: math.log(pair[side]) for seed, pair in known.items()} for side in (0, 1))
    about = paired_difference(logs, reference_logs)
    with np.errstate(over="ignore"):  # the interval of two seeds can be wide enough to overflow to infinity
        ratio, low, high = (float(np.exp(value)) for value in (about.mean, about.low, about.high))
    value, reference = (float(np.mean([pair[side] for pair in known.values()] or [math.nan])) for side in (0, 1))
    return Claim(
        claim, measure.name, measure.form, compared, value, reference, ratio, low, high, about.p, seeds=about.n
    )


def _mean(course: Floats, part: str) -> float:
    """The mean over a part of the training; nan where the part holds no finite value."""
    half = len(course) // 2
    chosen = {"all of it": course, "first half": course[:half], "second half": course[half:]}[part]
    known = chosen[np.isfinite(chosen)]
    return float(known.mean()) if len(known) else math.nan
