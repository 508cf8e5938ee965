"""What the runs of a study gave, row by row: all that its table, its pictures and its advice are made from."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from assay.recipe.recipe import Recipe
from assay.studies.study import Row


@dataclass(frozen=True)
class Result:
    """What one run gave.

    Attributes:
        seed: of the run; runs of one seed in different rows are a pair.
        accuracy: of the selected epoch, on the row's split, in percent.
        parameters: how many numbers the network learns.
        flops: floating-point operations of one image's forward pass; a multiply-add counts as two.
        seconds: training time.
        images_per_second: while training.
        correct: for each test image whether it was answered rightly; None where the split is another.
        by_selection: the accuracy on the test split under each way to choose the epoch that the run's
            log allows (``held-out``, ``last``, ``test``), in percent.
        guessing: the accuracy of the best answer that is the same for every image, in percent; nan where unknown.
    """

    seed: int
    accuracy: float
    parameters: int
    flops: int
    seconds: float
    images_per_second: float
    correct: NDArray[np.bool_] | None = None
    by_selection: Mapping[str, float] = field(default_factory=dict)
    guessing: float = math.nan

    @property
    def has_learned(self) -> bool:
        """Whether the accuracy is beyond what guessing gives on so many images (three standard errors)."""
        if self.correct is None or math.isnan(self.guessing):
            return True
        share = self.guessing / 100
        return self.accuracy > self.guessing + 300 * math.sqrt(share * (1 - share) / len(self.correct))


@dataclass(frozen=True)
class Failure:
    """A run that gave nothing, and why, in a line."""

    seed: int
    reason: str


@dataclass(frozen=True)
class RowResults:
    """A row with its finished runs, ordered by seed, and its failed ones; others are still to come.

    Attributes:
        row: the row.
        recipe: as it was run, but for the seed.
        results: the finished runs.
        failures: the failed ones.
    """

    row: Row
    recipe: Recipe
    results: tuple[Result, ...] = ()
    failures: tuple[Failure, ...] = ()

    @property
    def mean(self) -> float:
        """The mean accuracy of the finished runs, at least one, in percent."""
        return float(np.mean([result.accuracy for result in self.results]))


@dataclass(frozen=True)
class Setting:
    """Under what a study was run: what every table and picture of it states.

    Attributes:
        study: its name.
        purpose: its question, in a line.
        source: where the published figures stand.
        protocol: how the source chose its figures.
        budget: ``full`` or ``quick``.
        budget_in_words: what the budget means; empty for ``full``.
        selection: how the epoch is chosen here: ``held-out``, ``last`` or ``test``.
        seeds: the planned seeds.
        control: the row that the others are compared with, or in words where each has its own, or None.
        changes: fields that were changed for all rows, in words.
        hardware: on what it ran.
        command: what runs it again.
    """

    study: str
    purpose: str
    source: str
    protocol: str
    budget: str
    budget_in_words: str
    selection: str
    seeds: tuple[int, ...]
    control: str | None
    changes: str = ""
    hardware: str = ""
    command: str = ""


@dataclass(frozen=True)
class StudyResults:
    """A study's rows, in the order of its table, and what they were run under."""

    setting: Setting
    rows: tuple[RowResults, ...]
