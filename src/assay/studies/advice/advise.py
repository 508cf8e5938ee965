"""The main effects of a study's settings, and the untested recipes that are most likely to improve on its best row."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from assay.recipe.recipe import Recipe
from assay.studies.advice.effects import MainEffects, main_effects
from assay.studies.advice.factors import find_factors, in_words
from assay.studies.advice.neighbours import neighbours
from assay.studies.advice.surrogate import Guess, fit_surrogate
from assay.studies.results import RowResults, StudyResults

_FEWEST_ROWS = 3  # a model of two rows is a line through two points, without any evidence for it
_MOST_WINNERS = 30  # whose changes are joined in pairs: 435 of them


@dataclass(frozen=True)
class Proposal:
    """An untested recipe.

    Attributes:
        name: how it differs from the best tested row, in words.
        changes: the same by dotted field: what to set in the best row's recipe.
        recipe: the recipe, without the fields of ``after``.
        guess: its predicted accuracy.
        after: the best row's fields that take the folder of a preparatory run, with that run's recipe.
    """

    name: str
    changes: Mapping[str, Any]
    recipe: Recipe
    guess: Guess
    after: Mapping[str, Recipe] = field(default_factory=dict)


@dataclass(frozen=True)
class Advice:
    """The main effects in a study, and what to run next.

    Attributes:
        rows: how many rows had results on the test split; the others are left out.
        runs: how many runs these rows have.
        reference: name of the row against which effects are measured; empty without rows.
        best: name of the row with the highest mean accuracy; empty without rows.
        best_accuracy: that mean, in percent; nan without rows.
        effects: of each level against the reference's.
        proposals: by expected gain, the largest first.
        why_none: why there are no proposals; empty where there are some.
    """

    rows: int
    runs: int
    reference: str
    best: str
    best_accuracy: float
    effects: MainEffects
    proposals: tuple[Proposal, ...]
    why_none: str


def advise(results: StudyResults, most: int = 5) -> Advice:
    """Compute main effects and proposals from the rows that have results on the test split.

    A preparatory run (``row.after``) is a level of its field like any other, but no proposal adds, leaves out or
    replaces one. The same results give the same advice.

    Args:
        results: of a study, finished or not.
        most: the largest number of proposals, 1 or more.

    Raises:
        ValueError: ``most`` is below 1.
    """
    if most < 1:
        raise ValueError(f"most: {most} is not a whole number at least 1")
    known = [_with_first_runs(row) for row in results.rows]  # unfinished rows too: they are not proposed again
    rows = [row for row in known if row.results and row.row.split == "test"]
    if not rows:
        return Advice(0, 0, "", "", math.nan, MainEffects(), (), "no row has results on the test split yet")
    reference = next((row for row in rows if row.row.name == results.setting.control), rows[0])
    best = max(rows, key=lambda row: row.mean)
    proposals, why_none = _propose(rows, reference, best, [row.recipe for row in known])
    return Advice(
        rows=len(rows),
        runs=sum(len(row.results) for row in rows),
        reference=reference.row.name,
        best=best.row.name,
        best_accuracy=best.mean,
        effects=main_effects(rows, reference),
        proposals=tuple(proposals[:most]),
        why_none=why_none,
    )


def _with_first_runs(row: RowResults) -> RowResults:
    """The row with its preparatory runs in its recipe, described in words: their folders differ between machines."""
    words = {name: f"a run of {first.model.name} on {first.data.name}" for name, first in row.row.after.items()}
    return replace(row, recipe=row.recipe.but(words)) if words else row


def _propose(
    rows: Sequence[RowResults], reference: RowResults, best: RowResults, known: Sequence[Recipe]
) -> tuple[list[Proposal], str]:
    """Return the proposals, the most promising first, or the reason why there are none."""
    recipes, means = [row.recipe for row in rows], [row.mean for row in rows]
    factors = find_factors(recipes, reference.recipe)
    if len(rows) < _FEWEST_ROWS:
        return [], f"a model needs at least {_FEWEST_ROWS} rows with results, and there are {len(rows)}"
    if not factors:
        return [], "the rows' recipes do not differ"
    if len(factors) > len(rows):
        return [], f"the rows differ in {len(factors)} settings, and only {len(rows)} rows have results"
    leaders = sorted(rows, key=lambda row: -row.mean)[:_MOST_WINNERS]
    winners = [row.recipe for row in rows if row.mean > reference.mean and row in leaders]
    first = {name for row in rows for name in row.row.after}  # no proposal changes these
    candidates = [
        recipe
        for recipe in neighbours(best.recipe, recipes, winners, reference.recipe, factors, known)
        if not first & best.recipe.differences(recipe).keys()
    ]
    if not candidates:
        return [], "there is no untested recipe near the best row that could be run"
    surrogate = fit_surrogate(rows, factors)
    proposals = [_proposal(recipe, best, surrogate.guess(recipe, best.recipe)) for recipe in candidates]
    # A guess less certain than the whole range of the tested rows says nothing about a recipe.
    proposals = [proposal for proposal in proposals if proposal.guess.deviation <= max(means) - min(means)]
    if not proposals:
        return [], "every prediction is less certain than the range of the tested rows"
    return sorted(proposals, key=lambda proposal: -proposal.guess.gain), ""


def _proposal(recipe: Recipe, best: RowResults, guess: Guess) -> Proposal:
    changes = {name: pair[1] for name, pair in best.recipe.differences(recipe).items()}
    without_folders = recipe.but(dict.fromkeys(best.row.after))
    return Proposal(in_words(changes), changes, without_folders, guess, best.row.after)
