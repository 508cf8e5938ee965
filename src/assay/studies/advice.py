"""What next, after a study: what each setting did, and which untested recipes are most likely to help."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from tabulate import tabulate

from assay.recipe.recipe import Recipe
from assay.studies.effects import Effect, MainEffects, main_effects
from assay.studies.factors import find_factors, in_words, value_in_words
from assay.studies.neighbours import neighbours
from assay.studies.results import RowResults, StudyResults
from assay.studies.surrogate import Guess, fit_surrogate, mean_of

_FEWEST_ROWS = 3  # two rows are a line through two points


@dataclass(frozen=True)
class Proposal:
    """An untested recipe.

    Attributes:
        name: in what it differs from the best tested row.
        changes: the same by dotted field: what to set in the best row's recipe.
        recipe: the whole of it.
        guess: what it might give.
        after: the best row's fields that take the folder of a run, with that run's recipe; ``recipe`` is without them.
    """

    name: str
    changes: Mapping[str, Any]
    recipe: Recipe
    guess: Guess
    after: Mapping[str, Recipe] = field(default_factory=dict)


@dataclass(frozen=True)
class Advice:
    """What a study says, and what to run after it.

    Attributes:
        rows: how many rows had results on the test split; the others are left out.
        runs: how many runs these are.
        reference: name of the row that effects are counted from; empty without rows.
        best: name of the row with the highest mean accuracy; empty without rows.
        best_accuracy: that mean, in percent; nan without rows.
        effects: of each level against the reference's.
        proposals: by their expected gain, the largest first.
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
    """Main effects and proposals from the rows that have results on the test split.

    A run that must come first (``row.after``) is a level of its field like any other, but no proposal adds, leaves
    out or replaces one.

    The same results give the same advice.

    Args:
        results: of a study, finished or not.
        most: how many proposals at most, 1 or more.

    Raises:
        ValueError: ``most`` is below 1.
    """
    if most < 1:
        raise ValueError(f"most: {most} is not a whole number at least 1")
    known = [_with_first_runs(row) for row in results.rows]
    rows = [row for row in known if row.results and row.row.split == "test"]
    if not rows:
        return Advice(0, 0, "", "", math.nan, MainEffects(), (), "no row has results on the test split yet")
    reference = next((row for row in rows if row.row.name == results.setting.control), rows[0])
    best = max(rows, key=mean_of)
    proposals, why_none = _propose(rows, reference, best, [row.recipe for row in known])
    return Advice(
        rows=len(rows),
        runs=sum(len(row.results) for row in rows),
        reference=reference.row.name,
        best=best.row.name,
        best_accuracy=mean_of(best),
        effects=main_effects(rows, reference),
        proposals=tuple(proposals[:most]),
        why_none=why_none,
    )


def _with_first_runs(row: RowResults) -> RowResults:
    """The row with what its network was taught or pretrained by, in words, in its recipe."""
    words = {name: f"a run of {first.model.name} on {first.data.name}" for name, first in row.row.after.items()}
    return replace(row, recipe=row.recipe.but(words))


def _propose(
    rows: Sequence[RowResults], reference: RowResults, best: RowResults, known: Sequence[Recipe]
) -> tuple[list[Proposal], str]:
    """The proposals, the most promising first, or why there are none."""
    recipes = [row.recipe for row in rows]
    factors = find_factors(recipes, reference.recipe)
    if len(rows) < _FEWEST_ROWS:
        return [], f"a model needs at least {_FEWEST_ROWS} rows with results, and there are {len(rows)}"
    if not factors:
        return [], "the rows' recipes do not differ"
    if len(factors) > len(rows):
        return [], f"the rows differ in {len(factors)} settings, and only {len(rows)} rows have results"
    winners = [row.recipe for row in rows if mean_of(row) > mean_of(reference)]
    first = {name for row in rows for name in row.row.after}
    candidates = [
        recipe
        for recipe in neighbours(best.recipe, recipes, winners, reference.recipe, factors, known)
        if not first & best.recipe.differences(recipe).keys()
    ]
    if not candidates:
        return [], "there is no untested recipe near the best row that could be run"
    surrogate = fit_surrogate(rows, factors)
    means = [mean_of(row) for row in rows]
    guesses = [(recipe, surrogate.guess(recipe, best.recipe)) for recipe in candidates]
    proposals = [
        _proposal(recipe, best, guess) for recipe, guess in guesses if guess.deviation <= max(means) - min(means)
    ]
    if not proposals:
        return [], "every guess is less sure than the tested rows differ"
    return sorted(proposals, key=lambda proposal: -proposal.guess.gain), ""


def _proposal(recipe: Recipe, best: RowResults, guess: Guess) -> Proposal:
    changes = {name: pair[1] for name, pair in best.recipe.differences(recipe).items()}
    without_folders = recipe.but(dict.fromkeys(best.row.after))
    return Proposal(in_words(changes), changes, without_folders, guess, best.row.after)


def as_text(advice: Advice) -> str:
    """The advice in Markdown: two tables, and what they are worth."""
    return "\n\n".join(
        ["### Main effects", *_effects_in_words(advice), "### Worth trying next", *_next_in_words(advice)]
    )


def _effects_in_words(advice: Advice) -> list[str]:
    found = advice.effects
    if not found.effects and not found.unknown:
        return ["None: the rows with results do not differ in any setting."]
    parts = []
    if found.effects:
        parts += [
            f"Percentage points of test accuracy that a setting adds in place of that of “{advice.reference}”, "
            f"averaged over the other settings, with 95 % intervals; from {advice.runs} runs of {advice.rows} rows.",
            _table(["setting", "in place of", "effect", "95 % interval", "runs"], map(_cells, found.effects)),
        ]
    if found.effects and not found.freedom:
        parts.append("There are no intervals: no more runs than numbers to find. Run more seeds.")
    if any(len(effect.changes) > 1 for effect in found.effects):
        parts.append("Settings joined by + cannot be told apart in these rows: the figure is for all of them together.")
    if found.unknown:
        names = "; ".join(map(in_words, found.unknown))
        parts.append(f"Cannot be told from the difference between seeds: {names}. Run the same seeds in all rows.")
    return parts


def _cells(effect: Effect) -> list[str]:
    known = not math.isnan(effect.low)
    return [
        in_words(effect.changes),
        " + ".join(map(value_in_words, effect.instead_of.values())),
        f"{effect.points:+.2f}",
        f"{effect.low:+.2f} to {effect.high:+.2f}" if known else "unknown",
        str(effect.runs),
    ]


def _next_in_words(advice: Advice) -> list[str]:
    if advice.why_none:
        return [f"No proposals: {advice.why_none}."]
    cells = [
        [
            proposal.name,
            f"{proposal.guess.accuracy:.2f} %",
            f"± {proposal.guess.deviation:.2f}",
            _chance(proposal.guess.probability),
        ]
        for proposal in advice.proposals
    ]
    kept = "".join(f", which keep its {name}" for name in advice.proposals[0].after)
    return [
        f"The best tested row is “{advice.best}” with {advice.best_accuracy:.2f} % on average. Changes to it{kept}:",
        _table(["change", "predicted", "standard deviation", "beats the best"], cells),
        f"No results, but guesses of a smooth model (a Gaussian process) from {advice.rows} rows, by what they may "
        "gain: run them before you believe them.",
    ]


def _chance(probability: float) -> str:
    """In percent, never as if it were certain."""
    percent = round(100 * probability)
    return "under 1 %" if percent < 1 else "over 99 %" if percent > 99 else f"{percent} %"


def _table(headers: Sequence[str], cells: Any) -> str:
    escaped = [[cell.replace("|", "\\|") for cell in row] for row in cells]
    return tabulate(escaped, headers, tablefmt="github", disable_numparse=True)
