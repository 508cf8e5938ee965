"""The measures of the loss's surface: from a network's runs at several learning rates, values over the training.

``paper``: the definitions of Santurkar et al. 2018, section 3.1 and figure 4, along the gradient of each run, and then
the mean over the runs. ``report``: the simpler ones of report R2, from the training's own steps: bands over separate
runs at several learning rates, and the difference between the output layer's gradients of successive steps.
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


def loss_range(run: Traces) -> Floats:
    """The largest minus the smallest loss along the gradient at each look, ``[L]``, in nats."""
    return _quietly(np.nanmax, run.surface, axis=1) - _quietly(np.nanmin, run.surface, axis=1)


def gradient_change(run: Traces) -> Floats:
    """The largest change of the gradient along it at each look, ``[L]``."""
    return _quietly(np.nanmax, run.changes, axis=1)


def output_gradient_change(run: Traces) -> Floats:
    """The same for the output layer's part of the gradient, ``[L]``."""
    return _quietly(np.nanmax, run.output_changes, axis=1)


def smoothness(run: Traces) -> Floats:
    """Effective beta-smoothness at each look, ``[L]``: the largest change of the gradient over the distance moved."""
    return _ratio(run.changes, run.distances)


def output_smoothness(run: Traces) -> Floats:
    """The same for the output layer's part of the gradient, ``[L]``."""
    return _ratio(run.output_changes, run.distances)


def mean_over_runs(of_run: Callable[[Traces], Floats]) -> Course:
    """Return the mean over the learning rates of a measure of single runs."""
    return lambda runs: _over_rates(np.nanmean, [of_run(run) for run in runs])


def training_loss(runs: Sequence[Traces]) -> Floats:
    """The mean over the learning rates, ``[T]``."""
    return _over_rates(np.nanmean, [run.losses for run in runs])


def loss_band(runs: Sequence[Traces]) -> Floats:
    """The largest minus the smallest training loss over the learning rates, ``[T]``."""
    losses = [run.losses for run in runs]
    return _over_rates(np.nanmax, losses) - _over_rates(np.nanmin, losses)


def successive_change(runs: Sequence[Traces]) -> Floats:
    """The mean over the learning rates of the distance between successive output-layer gradients, ``[T]``."""
    return _over_rates(np.nanmean, [run.output_gradient_changes for run in runs])


def largest_successive_change(runs: Sequence[Traces]) -> Floats:
    """The largest of these distances over the learning rates, ``[T]``."""
    return _over_rates(np.nanmax, [run.output_gradient_changes for run in runs])


_LANDSCAPE, _PREDICTIVENESS, _SMOOTHNESS = "loss landscape", "gradient predictiveness", "effective beta-smoothness"
MEASURES = (
    Measure("training loss, mean over rates", "report", _LANDSCAPE, training_loss, part="first half"),
    Measure("band of the training loss over rates", "report", _LANDSCAPE, loss_band),
    Measure("range of the loss along the gradient", "paper", _LANDSCAPE, mean_over_runs(loss_range)),
    Measure("successive output-layer gradients", "report", _PREDICTIVENESS, successive_change),
    Measure("change of the gradient along it", "paper", _PREDICTIVENESS, mean_over_runs(gradient_change)),
    Measure("change of the output layer's gradient", "paper", _PREDICTIVENESS, mean_over_runs(output_gradient_change)),
    Measure("largest successive output-layer gradients over rates", "report", _SMOOTHNESS, largest_successive_change),
    Measure("change of the gradient over distance", "paper", _SMOOTHNESS, mean_over_runs(smoothness)),
    Measure(
        "change of the output layer's gradient over distance", "paper", _SMOOTHNESS, mean_over_runs(output_smoothness)
    ),
)


def _ratio(changes: Floats, distances: Floats) -> Floats:
    """The largest ratio at each look; nan where the gradient, and so the distance moved, was 0."""
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = np.where(distances > 0, changes / distances, np.nan)
    return _quietly(np.nanmax, ratio, axis=1)


def _over_rates(combine: Callable[..., Floats], courses: Sequence[Floats]) -> Floats:
    """Combine courses over the steps that all of them have."""
    shortest = min(len(course) for course in courses)
    return _quietly(combine, np.stack([course[:shortest] for course in courses]), axis=0)


def _quietly(combine: Callable[..., Floats], values: Floats, axis: int) -> Floats:
    """Combine values, with nan where all of them are nan, and without numpy's warning of it."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="(All-NaN|Mean of empty)")
        return combine(values, axis=axis)
