"""What the measures say of the published claims: each a ratio with its interval over the seeds, and a verdict."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from assay.base.statistics import holm, paired_difference
from assay.studies.surface.measures import MEASURES, Floats, Measure
from assay.studies.surface.networks import Network, shared_runs
from assay.studies.table import LEVEL

FAR = 0.5  # "far smaller": less than half


@dataclass(frozen=True)
class Claim:
    """That one figure is smaller than another.

    Attributes:
        claim: the published claim that it belongs to.
        measure: in words.
        form: whose definition of the measure: ``paper`` or ``report``.
        compared: the two sides in words, that which is said to be smaller first.
        value: the first side's mean over steps and over the seeds that have both sides.
        reference: the second side's.
        ratio: of the first to the second, geometric mean over the seeds.
        low: lower end of its 95 % interval; nan with fewer than two seeds.
        high: upper end.
        p: of the paired t-test of the ratio's logarithm, corrected for its family of claims.
        seeds: how many.
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
        """``far smaller`` (below half, interval and all), ``smaller``, ``opposite``, ``cannot be told``."""
        if not self.p < LEVEL:
            return "cannot be told"
        if self.ratio > 1:
            return "opposite"
        return "far smaller" if self.high < FAR else "smaller"


def judge(networks: Sequence[Network]) -> list[Claim]:
    """Each further network against the first, and for every network the second half of the training against the first.

    The two are families of their own: each is corrected for the number of its claims.

    Measures along the gradient leave out learning rates at which a network learned nothing: on a plateau every
    gradient vanishes, and nothing is smoother.
    """
    first, *others = networks
    between = [_against(measure, other, first) for other in others for measure in MEASURES]
    within = [_falls(measure, network) for network in networks for measure in MEASURES]
    return [*_corrected(between), *_corrected(within)]


def _corrected(claims: Sequence[Claim]) -> list[Claim]:
    """Without those that no seed can speak of."""
    made = [claim for claim in claims if claim.seeds]
    return [replace(claim, p=p) for claim, p in zip(made, holm([claim.p for claim in made]), strict=True)]


def _against(measure: Measure, network: Network, reference: Network) -> Claim:
    values, references = {}, {}
    for seed in sorted(network.runs.keys() & reference.runs.keys()):
        ours, theirs = shared_runs(network, reference, seed, learned=measure.form == "paper")
        if ours:
            courses = [measure.course(runs) for runs in (ours, theirs)]
            shortest = min(map(len, courses))  # of runs that stopped early: the same part of the training of both
            values[seed], references[seed] = (_mean(course[:shortest], measure.part) for course in courses)
    part = f" ({measure.part})" if measure.part != "all of it" else ""
    return _claim(measure, measure.claim, f"{network.name} / {reference.name}{part}", values, references)


def _falls(measure: Measure, network: Network) -> Claim:
    values, references = {}, {}
    for seed in sorted(network.runs):
        runs, _ = shared_runs(network, network, seed, learned=measure.form == "paper")
        if runs:
            course = measure.course(runs)
            values[seed], references[seed] = _mean(course, "second half"), _mean(course, "first half")
    return _claim(measure, "falls in training", f"{network.name}: second half / first half", values, references)


def _claim(
    measure: Measure, claim: str, compared: str, values: Mapping[int, float], references: Mapping[int, float]
) -> Claim:
    """Seeds at which either side is 0 or no number say nothing of a ratio."""
    logs, reference_logs = _logs(values), _logs(references)
    seeds = sorted(logs.keys() & reference_logs.keys())
    about = paired_difference(logs, reference_logs)
    with np.errstate(over="ignore"):
        ratio, low, high = (float(np.exp(value)) for value in (about.mean, about.low, about.high))
    value, reference = (float(np.mean([side[seed] for seed in seeds] or [math.nan])) for side in (values, references))
    return Claim(
        claim, measure.name, measure.form, compared, value, reference, ratio, low, high, about.p, seeds=about.n
    )


def _logs(values: Mapping[int, float]) -> dict[int, float]:
    return {seed: math.log(value) for seed, value in values.items() if value > 0 and math.isfinite(value)}


def _mean(course: Floats, part: str) -> float:
    """Over a part of the training; nan where it holds no number."""
    half = len(course) // 2
    chosen = {"all of it": course, "first half": course[:half], "second half": course[half:]}[part]
    known = chosen[np.isfinite(chosen)]
    return float(known.mean()) if len(known) else math.nan
