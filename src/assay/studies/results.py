"""The results of a study's runs, row by row, from which its table, its figures and its advice are made."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from assay.recipe.recipe import Recipe
from assay.studies.factorial.design import Design
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
        arithmetic: how it was computed, as ``fp32, 1 thread, cpu``; empty where unknown.

    Costs that are unknown are None or nan.
    """

    seed: int
    accuracy: float
    parameters: int | None = None
    flops: int | None = None
    seconds: float = math.nan
    images_per_second: float = math.nan
    correct: NDArray[np.bool_] | None = None
    by_selection: Mapping[str, float] = field(default_factory=dict)
    guessing: float = math.nan
    arithmetic: str = ""

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
        failures: why each run that gave no figure failed, in a line, by seed; diverged ones are among them.
        diverged: the seeds of the diverged runs: the recipe's own doing, and not the machine's.
        chance: the accuracy as which a diverged run counts, in percent: that of guessing; nan where it is unknown.
    """

    row: Row
    recipe: Recipe
    results: tuple[Result, ...] = ()
    failures: Mapping[int, str] = field(default_factory=dict)
    diverged: tuple[int, ...] = ()
    chance: float = math.nan

    @property
    def counted(self) -> dict[int, float]:
        """The accuracy of each run that counts, in percent, by seed: diverged ones count as guessing.

        A table that left them out would praise a row for the seeds on which it happens to learn.
        """
        lost = {} if math.isnan(self.chance) else dict.fromkeys(self.diverged, self.chance)
        return dict(sorted({**{result.seed: result.accuracy for result in self.results}, **lost}.items()))

    @property
    def images(self) -> int:
        """The number of test images, the fewest of its runs; 0 where it is unknown."""
        return min((len(result.correct) for result in self.results if result.correct is not None), default=0)

    @property
    def mean(self) -> float:
        """The mean accuracy of the runs that count, at least one, in percent."""
        return float(np.mean(list(self.counted.values())))


@dataclass(frozen=True)
class Setting:
    """The conditions of a study, which every table and figure of it states.

    Attributes:
        study, purpose, source, protocol: as in ``Study``.
        budget: ``full``, ``medium`` or ``quick``.
        budget_in_words: what the budget means; empty for ``full``.
        selection: how the epoch is chosen here: ``held-out``, ``last`` or ``test``.
        seeds: the planned seeds of a row.
        control: the name of the control, or a description where rows have their own, or None.
        changes: fields that were changed for all rows, in words.
        hardware: the machines on which it ran.
        command: a command that runs it again.
        control_seeds: the planned seeds of a control; empty where they are those of a row.
        repeats: accuracies of the source's own repeated runs of one recipe, in percent.
        code: the version of the code and its libraries, which the runs' keys hold.
        looks: of a sequential plan, the seeds of a row at each look; empty where the number is fixed.
        notes: what the source leaves open or contradicts, and how the recipes came about.
        commits: the commits from which the runs were done, as far as they are known.
        design: which factors of two values the rows combine; None where they are no such design.
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
    control_seeds: tuple[int, ...] = ()
    repeats: tuple[float, ...] = ()
    code: str = ""
    commits: tuple[str, ...] = ()
    looks: tuple[int, ...] = ()
    notes: tuple[str, ...] = ()
    design: Design | None = None

    def seeds_of(self, *, is_control: bool) -> tuple[int, ...]:
        """The planned seeds of a control or of another row."""
        return self.control_seeds or self.seeds if is_control else self.seeds


@dataclass(frozen=True)
class StudyResults:
    """A study's rows, in the order of its table, and its setting."""

    setting: Setting
    rows: tuple[RowResults, ...]
