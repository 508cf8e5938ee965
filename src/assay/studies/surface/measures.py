"""The measures of the loss's surface: from a network's runs at several learning rates, values over the training.

``paper``: the definitions of Santurkar et al. 2018, section 3.1 and figure 4, along the gradient of each run, and then
the mean over the runs; two of them do not depend on the weights' scale, which norms change. ``report``: the simpler
ones of report R2, from the training's own steps: bands over separate runs at several learning rates, and the difference
between the output layer's gradients of successive steps.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from assay.run.probing.traces import Traces

Floats = NDArray[np.float64]
Course = Callable[[Sequence[Traces]], Floats]


@dataclass(frozen=True)
class Measure:
    """A measure of the loss's surface.

    Attributes:
        name: in words.
        form: the source of its definition.
        claim: the published claim to which it belongs.
        course: computes its values over the training from runs.
        part: the part of the training to which the claim refers.
    """

    name: str
    form: Literal["paper", "report"]
    claim: str
    course: Course
    part: Literal["first half", "all of it"] = "all of it"


def smoothness(run: Traces) -> Floats:
    """Effective beta-smoothness at each look, ``[L]``: the largest change of the gradient over the distance moved."""
    return _largest_ratio(run.changes, run.distances)


def _mean_over_rates(of_run: Callable[[Traces], Floats]) -> Course:
    """The mean over the learning rates of a measure of single runs."""
    return lambda runs: _over_rates(_mean, [of_run(run) for run in runs])


def _loss_band(runs: Sequence[Traces]) -> Floats:
    """The largest minus the smallest training loss over the learning rates, ``[T]``, in nats."""
    losses = [run.losses for run in runs]
    return _over_rates(np.fmax.reduce, losses) - _over_rates(np.fmin.reduce, losses)


def _loss_range(run: Traces) -> Floats:
    """The largest minus the smallest loss along the gradient at each look, ``[L]``, in nats."""
    least: Floats = np.fmin.reduce(run.surface, axis=1)
    return _largest(run.surface) - least


def _largest(changes: Floats) -> Floats:
    # fmax leaves out nan as nanmax does, but without a warning where all values are nan.
    largest: Floats = np.fmax.reduce(changes, axis=1)
    return largest


def _largest_ratio(changes: Floats, distances: Floats) -> Floats:
    """The largest ratio at each look; nan where the gradient, and so the distance moved, was 0."""
    with np.errstate(divide="ignore", invalid="ignore"):
        return _largest(np.where(distances > 0, changes / distances, np.nan))


def _over_rates(combine: Callable[..., Floats], courses: Sequence[Floats]) -> Floats:
    """Combine courses over the steps that all of them have."""
    shortest = min(len(course) for course in courses)
    return combine(np.stack([course[:shortest] for course in courses]), axis=0)


def _mean(values: Floats, axis: int) -> Floats:
    """The mean without nan; nan where all values are."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Mean of empty")
        mean: Floats = np.nanmean(values, axis=axis)
        return mean


# fmt: off
MEASURES = (
    Measure("training loss, mean over rates", "report", "loss landscape",
            _mean_over_rates(lambda run: run.losses), part="first half"),
    Measure("band of the training loss over rates", "report", "loss landscape", _loss_band),
    Measure("range of the loss along the gradient", "paper", "loss landscape", _mean_over_rates(_loss_range)),
    Measure("successive output-layer gradients", "report", "gradient predictiveness",
            _mean_over_rates(lambda run: run.output_gradient_changes)),
    Measure("change of the gradient along it", "paper", "gradient predictiveness",
            _mean_over_rates(lambda run: _largest(run.changes))),
    Measure("change of the gradient relative to it", "paper", "gradient predictiveness",
            _mean_over_rates(lambda run: _largest(run.changes / run.gradients[:, np.newaxis]))),
    Measure("turn of the gradient (1 - cosine)", "paper", "gradient predictiveness",
            _mean_over_rates(lambda run: _largest(1 - run.cosines))),
    Measure("change of the output layer's gradient", "paper", "gradient predictiveness",
            _mean_over_rates(lambda run: _largest(run.output_changes))),
    Measure("largest successive output-layer gradients over rates", "report", "effective beta-smoothness",
            lambda runs: _over_rates(np.fmax.reduce, [run.output_gradient_changes for run in runs])),
    Measure("change of the gradient over distance", "paper", "effective beta-smoothness",
            _mean_over_rates(smoothness)),
    Measure("change of the output layer's gradient over distance", "paper", "effective beta-smoothness",
            _mean_over_rates(lambda run: _largest_ratio(run.output_changes, run.distances))),
)
# fmt: on
