"""The results of a study's runs, row by row, from which its table, its figures and its advice are made."""

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
    """The result of one run.

    Attributes:
        seed: of the run; runs of one seed in different rows are a pair.
        accuracy: of the selected epoch, on the row's split, in percent.
        parameters: the number of parameters that the network learns.
        flops: floating-point operations of one image's forward pass; a multiply-add counts as two.
        seconds: training time.
        images_per_second: while training.
        correct: whether each test image was classified correctly, ``[images]``; None on another split.
        by_selection: the accuracy on the test split, in percent, under each selection of the epoch that the run's
            log allows (``held-out``, ``last``, ``test``).
        guessing: the accuracy of always answering the most frequent class, in percent; nan where unknown.
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
        """Whether the accuracy exceeds that of guessing by more than three standard errors on so many images."""
        if self.correct is None or math.isnan(self.guessing):
            return True
        share = self.guessing / 100
        return self.accuracy > self.guessing + 3 * 100 * math.sqrt(share * (1 - share) / len(self.correct))


@dataclass(frozen=True)
class RowResults:
    """A row with its finished runs, ordered by seed, and its failed ones; the others have not ended yet.

    Attributes:
        recipe: of its runs, apart from the seed.
        failures: why each failed run failed, in a line, by seed.
    """

    row: Row
    recipe: Recipe
    results: tuple[Result, ...] = ()
    failures: Mapping[int, str] = field(default_factory=dict)

    @property
    def mean(self) -> float:
        """The mean accuracy of the finished runs, at least one, in percent."""
        return float(np.mean([result.accuracy for result in self.results]))


@dataclass(frozen=True)
class Setting:
    """The conditions of a study, which every table and figure of it states.

    Attributes:
        study, purpose, source, protocol: as in ``Study``.
        budget: ``full`` or ``quick``.
        budget_in_words: what the budget means; empty for ``full``.
        selection: how the epoch is chosen here: ``held-out``, ``last`` or ``test``.
        seeds: the planned seeds.
        control: the name of the control, or a description where rows have their own, or None.
        changes: fields that were changed for all rows, in words.
        hardware: the machines on which it ran.
        command: a command that runs it again.
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
    """A study's rows, in the order of its table, and its setting."""

    setting: Setting
    rows: tuple[RowResults, ...]
