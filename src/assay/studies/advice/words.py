"""Advice as sections of paragraphs and tables, which a report's page shows, and as Markdown."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

from assay.studies.advice.advise import Advice, Proposal
from assay.studies.advice.effects import Effect
from assay.studies.advice.factors import in_words, value_in_words
from assay.studies.forms.columns import Column, Listing
from assay.studies.forms.markdown import markdown_table


@dataclass(frozen=True)
class Section:
    """A heading, and the paragraphs and tables below it."""

    heading: str
    parts: tuple[str | Listing[Any], ...]


def as_text(advice: Advice) -> str:
    """The advice in Markdown."""
    blocks: list[str] = []
    for section in sections(advice):
        blocks.append(f"### {section.heading}")
        blocks += [part if isinstance(part, str) else markdown_table(part) for part in section.parts]
    return "\n\n".join(blocks)


def sections(advice: Advice) -> list[Section]:
    """The main effects, and what to try next."""
    return [
        Section("Main effects", tuple(_about_effects(advice))),
        Section("Worth trying next", tuple(_about_proposals(advice))),
    ]


def _about_effects(advice: Advice) -> list[str | Listing[Any]]:
    effects, unknown = advice.effects.effects, advice.effects.unknown
    if not effects and not unknown:
        return ["None: the rows with results do not differ in any setting."]
    parts: list[str | Listing[Any]] = []
    if effects:
        parts += [
            f"Percentage points of test accuracy that a setting adds in place of that of “{advice.reference}”, "
            f"averaged over the other settings, with 95 % intervals; from {advice.runs} runs of {advice.rows} rows.",
            Listing(_EFFECT_COLUMNS, effects),
        ]
    if effects and not advice.effects.freedom:
        parts.append("There are no intervals: no more runs than numbers to find. Run more seeds.")
    if any(len(effect.changes) > 1 for effect in effects):
        parts.append("Settings joined by + cannot be told apart in these rows: the figure is for all of them together.")
    if unknown:
        names = "; ".join(map(in_words, unknown))
        parts.append(f"Cannot be told from the difference between seeds: {names}. Run the same seeds in all rows.")
    return parts


def _about_proposals(advice: Advice) -> list[str | Listing[Any]]:
    if advice.why_none:
        return [f"No proposals: {advice.why_none}."]
    kept = "".join(f", which keep its {name}" for name in advice.proposals[0].after)
    return [
        f"The best tested row is “{advice.best}” with {advice.best_accuracy:.2f} % on average. Changes to it{kept}:",
        Listing(_PROPOSAL_COLUMNS, advice.proposals),
        f"No results, but guesses of a smooth model (a Gaussian process) from {advice.rows} rows, by what they may "
        "gain: run them before you believe them.",
    ]


def _interval(effect: Effect) -> str:
    return "unknown" if math.isnan(effect.low) else f"{effect.low:+.2f} to {effect.high:+.2f}"


def _chance(proposal: Proposal) -> str:
    """In percent, but never 0 % or 100 %: a model from a few rows is not certain."""
    percent = round(100 * proposal.guess.probability)
    return "under 1 %" if percent < 1 else "over 99 %" if percent > 99 else f"{percent} %"


_EFFECT_COLUMNS: tuple[Column[Effect], ...] = (
    Column("setting", lambda effect: in_words(effect.changes)),
    Column("in place of", lambda effect: " + ".join(map(value_in_words, effect.instead_of.values()))),
    Column("effect", lambda effect: f"{effect.points:+.2f}", lambda effect: effect.points),
    Column("95 % interval", _interval, lambda effect: effect.low),
    Column("runs", lambda effect: str(effect.runs), lambda effect: effect.runs),
)
_PROPOSAL_COLUMNS: tuple[Column[Proposal], ...] = (
    Column("change", lambda proposal: proposal.name),
    Column("predicted", lambda proposal: f"{proposal.guess.accuracy:.2f} %", lambda proposal: proposal.guess.accuracy),
    Column(
        "standard deviation",
        lambda proposal: f"± {proposal.guess.deviation:.2f}",
        lambda proposal: proposal.guess.deviation,
    ),
    Column("beats the best", _chance, lambda proposal: proposal.guess.probability),
)
