"""From measured costs to the size of the images and the number of epochs that fit into a time: pure arithmetic."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields
from itertools import pairwise

from assay.base.duration import duration_in_words
from assay.recipe.suit import FEW_STEPS, STEPS

NEAR = 0.05
"""an end is near the wanted one if it is within this share of the time"""
_LATEST = 1.1
GRID, _SMALLEST = 32, 96
_MOST_EPOCHS = 100_000  # that a recipe may have


@dataclass(frozen=True)
class Costs:
    """What the parts of a run take at one size of the images, in seconds.

    Attributes:
        start: the network and its weights, once; and what the first steps take more than later ones.
        decode: an image, once.
        step: a training step.
        evaluate: an image.
        epoch: what an epoch takes beside steps and evaluation: checkpoint, model file, logs.
        finish: what the end takes beside evaluation.
    """

    start: float
    decode: float
    step: float
    evaluate: float
    epoch: float
    finish: float


@dataclass(frozen=True)
class Counts:
    """How much a run does.

    Attributes:
        steps: in an epoch.
        decoded: images.
        at_start: images that are evaluated before the first step.
        each_epoch: images that are evaluated in each epoch.
        at_end: images that are evaluated at the end, each as often as it has views.
    """

    steps: int
    decoded: int
    at_start: int
    each_epoch: int
    at_end: int


@dataclass(frozen=True)
class Way:
    """A way to train, and what it takes.

    Attributes:
        size: side of the images, in pixels.
        head_only: whether the head alone learns.
        steps: in an epoch.
        before: seconds before the first step.
        epoch: seconds of an epoch.
        after: seconds after the last epoch.
    """

    size: int
    head_only: bool
    steps: int
    before: float
    epoch: float
    after: float

    def seconds(self, epochs: int) -> float:
        """What a run of so many epochs takes."""
        return self.before + epochs * self.epoch + self.after


@dataclass(frozen=True)
class Plan:
    """A way, and for how many epochs."""

    way: Way
    epochs: int

    @property
    def steps(self) -> int:
        """All steps of the run."""
        return self.epochs * self.way.steps

    @property
    def seconds(self) -> float:
        """What the run takes, as predicted."""
        return self.way.seconds(self.epochs)


def sizes_up_to(largest: int) -> list[int]:
    """The sizes to choose from, ascending: multiples of 32 from 96 on, and the largest."""
    return sorted({*range(_SMALLEST, largest, GRID), largest})


def costs_at(size: int, measured: dict[int, Costs]) -> Costs:
    """Costs at a size between two that were measured: a straight line over the number of pixels.

    Convolutions take time in proportion to the pixels, and what is beside them takes the same at every size.
    """
    if size in measured:
        return measured[size]
    small, large = next((a, b) for a, b in pairwise(sorted(measured)) if a < size < b)
    share = (size**2 - small**2) / (large**2 - small**2)
    low, high = measured[small], measured[large]
    names = [field.name for field in fields(Costs)]
    return Costs(**{name: (1 - share) * getattr(low, name) + share * getattr(high, name) for name in names})


def way(size: int, head_only: bool, costs: Costs, counts: Counts) -> Way:
    """What a run takes, from what its parts take."""
    return Way(
        size,
        head_only,
        counts.steps,
        costs.start + costs.decode * counts.decoded + costs.evaluate * counts.at_start,
        costs.step * counts.steps + costs.evaluate * counts.each_epoch + costs.epoch,
        costs.evaluate * counts.at_end + costs.finish,
    )


def choose_plan(ways: Sequence[Way], seconds: float, epochs: int | None = None) -> Plan:
    """Choose how to use the time.

    - All layers learn where that leaves at least 200 steps; else the head alone, whose steps are cheaper.
    - The end is within 5 % of the wanted one where epochs, which are whole, allow it; else it is the nearest.
    - Among these, at least 400 steps come first, as in ``recipe.suit``: with fewer, the rate that is fit for
      fine-tuning does not get far. Then the larger size: more pixels are worth more than more passes. Then the
      nearer end.

    Args:
        ways: at least one.
        seconds: the time.
        epochs: their number if it is given, so that the size alone is to be chosen.

    Raises:
        ValueError: the time is too short for any of the ways; says which would do.
    """
    plans = [plan for one in ways for plan in _plans(one, seconds, epochs)]
    full = [plan for plan in plans if not plan.way.head_only]
    fitting = [plan for plan in full if _has_steps(plan, seconds, epochs)]
    heads = [plan for plan in plans if plan.way.head_only and plan.seconds <= _LATEST * seconds]
    pool = fitting or heads or [plan for plan in full if plan.seconds <= _LATEST * seconds]
    if not pool:
        least = min(plans, key=lambda plan: plan.seconds)
        passes = f"{least.epochs} epoch{'s' if least.epochs > 1 else ''}"
        raise ValueError(
            f"time: {duration_in_words(max(0.0, seconds))} are left after measuring, but the shortest run, of {passes} "
            f"at {least.way.size} pixels, takes {duration_in_words(least.seconds)}; give more time"
        )

    def merit(plan: Plan) -> tuple[bool, float, int, int, float]:
        off = abs(plan.seconds - seconds)
        is_near = off <= NEAR * seconds
        return is_near, 0.0 if is_near else -off, min(plan.steps, STEPS), plan.way.size, -off

    return max(pool, key=merit)


def leaves_steps(ways: Sequence[Way], seconds: float, epochs: int | None = None) -> bool:
    """Whether the time leaves all layers at least 200 steps, so that the head need not learn alone."""
    return any(_has_steps(plan, seconds, epochs) for one in ways for plan in _plans(one, seconds, epochs))


def _has_steps(plan: Plan, seconds: float, epochs: int | None) -> bool:
    # Of given epochs it is not the time that decides how many steps there are.
    least = FEW_STEPS if epochs is None else 0
    return not plan.way.head_only and plan.steps >= least and plan.seconds <= (1 + NEAR) * seconds


def _plans(one: Way, seconds: float, epochs: int | None) -> Iterator[Plan]:
    """The whole numbers of epochs on both sides of what fits exactly."""
    if epochs is not None:
        yield Plan(one, epochs)
        return
    fit = min(max(1, math.floor((seconds - one.before - one.after) / one.epoch)), _MOST_EPOCHS - 1)
    yield Plan(one, fit)
    yield Plan(one, fit + 1)
