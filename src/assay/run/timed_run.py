"""A run that ends at a given time: measure the speed, choose size and epochs, and watch the clock."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console

from assay.base.device import pick_device
from assay.base.duration import duration_in_words, parse_duration
from assay.data.cache import FINGERPRINTS
from assay.data.preprocess import Wanted
from assay.data.split import Source, cut_splits
from assay.data.survey import survey
from assay.recipe.recipe import Recipe
from assay.run.adapt import Adapted
from assay.run.batches import cut_of, open_data
from assay.run.build import architecture
from assay.run.find_weights import find_pretrained
from assay.run.folder import RunFolder
from assay.run.input_of_weights import wanted_by
from assay.run.open_set import open_set
from assay.run.progress import ProgressBar
from assay.run.record import RunRecord
from assay.run.run import run
from assay.run.suited import suited
from assay.run.time_budget import GRID, NEAR, Costs, Plan, choose_plan, costs_at, leaves_steps, sizes_up_to, way
from assay.run.trial import TRIAL_STEPS, count_work, measure_costs, streams

Say = Callable[[str], None]
_PATIENCE = 0.1
"""share of the time that may be spent on measuring all layers at the largest size"""


def run_in_time(
    name: str, base: Recipe, given: Mapping[str, Any], limit: str | float, out: Path | None, *, progress: bool
) -> RunRecord:
    """Train so that the run ends after about the given time, measuring and everything else included.

    Args:
        name: of the recipe.
        base: the recipe.
        given: fields to change, which are not chosen then.
        limit: as ``parse_duration`` takes it.
        out: the run folder, which must be new; None if a run is to be resumed, which is refused.
        progress: show a progress bar and a line for each epoch.

    Raises:
        ValueError: as ``run``; nothing is left to choose; or the time is too short.
    """
    began, seconds = time.monotonic(), parse_duration(limit)
    if out is None:
        raise ValueError("time: a resumed run has its plan already; leave out --time")
    RunFolder(out).check_new()
    bar = ProgressBar(Console()) if progress else None
    say: Say = bar.say if bar else lambda _line: None
    adapted, plan = _planned(name, base, given, began + seconds, say)
    for line in (*adapted.notes, *_in_words(plan, given, began + seconds)):
        say(line)
    deadline = Deadline(plan, began + seconds, NEAR * seconds, say)
    return run(adapted.recipe, out, observers=[bar] if bar else [], enough=deadline)


@dataclass
class Deadline:
    """Ends a run early if it has become slower than planned; to be made when the run begins.

    A run that keeps to its plan, or ends within ``slack`` seconds after ``end``, is left alone: its schedule comes to
    its end. Another one ends after the epoch whose end is nearest.

    Attributes:
        plan: what was planned.
        end: when the run is to end, by the clock.
        slack: seconds by which it may be late.
        say: receives the reason of an early end.
        clock: seconds that rise.
    """

    plan: Plan
    end: float
    slack: float
    say: Say
    clock: Callable[[], float] = time.monotonic
    _marks: list[float] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._marks.append(self.clock() + self.plan.way.before)

    def __call__(self, done: int) -> bool:
        """Whether the run should end after so many epochs; called after each of them."""
        self._marks.append(self.clock())
        began = min(1, done - 1)  # the first epoch is measured from a guess of its beginning, so it counts alone only
        epoch = max(0.0, self._marks[-1] - self._marks[began]) / (done - began)
        after = self.plan.way.after * max(1.0, epoch / self.plan.way.epoch)
        short = self.end - (self._marks[-1] + after)
        late = (self.plan.epochs - done) * epoch - short
        if late <= self.slack or epoch - short <= short:
            return False
        self.say(
            f"stopped after epoch {done} of {self.plan.epochs}: they take {duration_in_words(epoch)} and not "
            f"{duration_in_words(self.plan.way.epoch)}, as measured, and the time is over; the schedule is cut"
        )
        return True


def _planned(name: str, base: Recipe, given: Mapping[str, Any], end: float, say: Say) -> tuple[Adapted, Plan]:
    """The recipe that suits the time until ``end``, and its plan."""
    given = {**given, "train.stop_after": None}  # an earlier run that was cut is no rule for this one
    recipe = suited(name, base, given).recipe
    _check(recipe, given)
    section, epochs = recipe.data, given.get("train.epochs")
    source = cut_splits(open_set(section), cut_of(section))
    form, counts = _input_of_weights(recipe), count_work(recipe, source)
    sizes = [section.size or 0] if "data.size" in given else sizes_up_to(_largest(recipe, source, form))
    patience = _PATIENCE * (end - time.monotonic())
    costs = {False: _measured(recipe, source, sizes, patience, say)}
    sizes = [size for size in sizes if size <= max(costs[False])]
    ways = [way(size, False, costs_at(size, costs[False]), counts) for size in sizes]
    left = end - time.monotonic()
    if left > 0 and _may_freeze(recipe, given) and not leaves_steps(ways, left, epochs):
        head = recipe.but({"transfer.freeze": "body"})
        costs[True] = _measured(head, source, [sizes[0], sizes[-1]], math.inf, say, ", the head alone")
        ways += [way(size, True, costs_at(size, costs[True]), counts) for size in sizes]
    best = choose_plan(ways, end - time.monotonic(), epochs).way
    chosen = {"data.size": best.size, **({"transfer.freeze": "body"} if best.head_only else {})}
    if not streams(recipe.but(chosen), source):
        # Decoded now, and cached: the epochs are chosen by the time that is left then, which may be more or less.
        open_data(recipe.but(chosen).data, pick_device(recipe.train.device), form)
        counts = replace(counts, decoded=0)
    best = way(best.size, best.head_only, costs_at(best.size, costs[best.head_only]), counts)
    plan = choose_plan([best], end - time.monotonic(), epochs)
    return suited(name, base, {**given, **chosen, "train.epochs": plan.epochs}), plan


def _check(recipe: Recipe, given: Mapping[str, Any]) -> None:
    """Refuse what leaves nothing to choose, or is not one run."""
    if recipe.data.folds is not None:
        raise ValueError("time: not with data.folds, whose models are runs of different lengths")
    if {"data.size", "train.epochs"} <= given.keys():
        raise ValueError("time: data.size and train.epochs are given, so that nothing is left to choose")


def _input_of_weights(recipe: Recipe) -> Wanted:
    weights = recipe.model.pretrained
    return wanted_by(find_pretrained(weights, **architecture(recipe)).preprocessing if weights else None)


def _may_freeze(recipe: Recipe, given: Mapping[str, Any]) -> bool:
    is_open = recipe.transfer.freeze == "none" and recipe.schedule.freeze_out is None
    return bool(recipe.model.pretrained) and is_open and "transfer.freeze" not in given


def _largest(recipe: Recipe, source: Source, form: Wanted) -> int:
    """The size of the weights, as enlarged images suit them better too; without weights, no larger than the images."""
    if form.size:
        return form.size
    stored, rows = source.splits["train"].stored()
    found = survey(stored, FINGERPRINTS[recipe.data.cache])
    sides = np.minimum(found.widths, found.heights)[rows]
    side = GRID * math.ceil(np.median(sides[sides > 0]) / GRID) if (sides > 0).any() else GRID
    return min(recipe.data.size or side, side)


def _measured(
    recipe: Recipe, source: Source, sizes: Sequence[int], patience: float, say: Say, how: str = ""
) -> dict[int, Costs]:
    """The costs at the smallest of the sizes, and at the largest that is measured in so many seconds."""
    costs = {}

    def measure(size: int) -> float:
        began = time.monotonic()
        costs[size] = measure_costs(recipe.but({"data.size": size}), source)
        speed, evaluation = recipe.train.batch_size / costs[size].step, 1 / costs[size].evaluate
        say(f"measured at {size} pixels{how}: {speed:,.3g} images/s trained, {evaluation:,.3g} evaluated")
        return time.monotonic() - began

    smallest, took = sizes[0], measure(sizes[0])
    steps = TRIAL_STEPS * costs[smallest].step
    within = [size for size in sizes if took + steps * ((size / smallest) ** 2 - 1) <= patience]
    if within and within[-1] > smallest:
        measure(within[-1])
    return costs


def _in_words(plan: Plan, given: Mapping[str, Any], end: float) -> Iterator[str]:
    """The plan, and when it ends."""
    what = "the head alone learns: too few steps fit for all layers" if plan.way.head_only else ""
    yield f"plan: data.size {plan.way.size}, train.epochs {plan.epochs}, {plan.steps:,} steps{what and f'; {what}'}"
    left, off = end - time.monotonic(), plan.seconds - (end - time.monotonic())
    at = datetime.now() + timedelta(seconds=plan.seconds)
    yield f"ends at about {at:%H:%M:%S}" if left < 300 else f"ends at about {at:%H:%M}"
    why = "train.epochs is given" if "train.epochs" in given else "epochs are whole"
    if abs(off) > NEAR * left:
        yield f"that is {duration_in_words(abs(off))} {'after' if off > 0 else 'before'} the time: {why}"
