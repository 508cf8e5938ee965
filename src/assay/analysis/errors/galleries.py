"""Which images are shown, and what is written above each."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from assay.analysis.errors.results import Errors, Flip, Flips, LabelIssue, LabelIssues, Mistake, Pictures
from assay.analysis.figures.text import one_line, plain
from assay.analysis.inspection.figures import short
from assay.base.registry import choose

_WRONG, _RIGHT, _DOUBTED = "#b3261e", "#2d6a4a", "#8a5a00"
_ABOVE = "Above each image: the answer and its probability, the label, and the name."


@dataclass(frozen=True)
class Tile:
    """An image of a gallery: its row in the split, what is written above it, and in which colour."""

    row: int
    words: str
    color: str


@dataclass(frozen=True)
class Gallery:
    """Images to be drawn together, at least one.

    Attributes:
        name: of the file, without its ending.
        title: stands above.
        caption: what the images are.
        tiles: the images, the first of which are drawn.
        pictures: their pixels.
    """

    name: str
    title: str
    caption: str
    tiles: Sequence[Tile]
    pictures: Pictures


def galleries(found: Errors, pair: tuple[str, str] | None = None) -> list[Gallery]:
    """All galleries that the findings and the opened data allow; those without an image are left out.

    Args:
        found: what to show.
        pair: a label and an answer, whose mistakes get a gallery of their own.

    Raises:
        ValueError: no such class, or no such mistake.
    """
    of_pair = () if pair is None else _of_pair(found, *pair)
    made: list[Gallery] = []
    if found.pictures is not None:
        made.append(_mistakes(found, found.pictures))
        if pair is not None:
            made.append(_pair(found, of_pair, pair, found.pictures))
        made.append(_always_wrong(found, found.pictures))
        if found.flips is not None:
            made += _flips(found.flips, found.split, found.pictures)
    if found.label_issues is not None and found.label_issues.pictures is not None:
        made.append(_labels(found, found.label_issues, found.label_issues.pictures))
    return [gallery for gallery in made if gallery.tiles]


def _mistakes(found: Errors, pictures: Pictures) -> Gallery:
    title = f"{found.runs[0]}, {found.split}: {found.wrong[0]:,} of {found.images:,} images are wrong"
    tiles = [_tile(mistake, len(found.runs)) for mistake in found.mistakes]
    return Gallery("mistakes", title, f"The most confident mistakes first. {_ABOVE}", tiles, pictures)


def _of_pair(found: Errors, label: str, answer: str) -> tuple[Mistake, ...]:
    for name in (label, answer):
        choose("class", name, dict.fromkeys(found.classes))
    chosen = tuple(one for one in found.mistakes if (one.label, one.predicted) == (label, answer))
    if not chosen:
        raise ValueError(f"pair: no image of {label!r} is taken for {answer!r} by {found.runs[0]}")
    return chosen


def _pair(found: Errors, mistakes: Sequence[Mistake], pair: tuple[str, str], pictures: Pictures) -> Gallery:
    label, answer = map(one_line, pair)
    title = f"{found.runs[0]}, {found.split}: {len(mistakes):,} images of {label} are taken for {answer}"
    name = re.sub(r"\W+", "-", f"mistakes-{label}-{answer}")[:60]
    tiles = [_tile(mistake, len(found.runs)) for mistake in mistakes]
    return Gallery(name, title, f"The most confident mistakes first. {_ABOVE}", tiles, pictures)


def _always_wrong(found: Errors, pictures: Pictures) -> Gallery:
    count = f"{found.always_wrong_count:,} of {found.images:,}"
    title = f"{found.split}: {count} images are wrong in all {len(found.runs)} runs"
    caption = (
        "The most confident first. Above each image: the answer that most runs give, the mean of their probabilities "
        "for it, the label, and the name."
    )
    return Gallery("always-wrong", title, caption, [_tile(mistake, 1) for mistake in found.always_wrong], pictures)


def _flips(flips: Flips, split: str, pictures: Pictures) -> list[Gallery]:
    """What only the first run gets right, and what only the other does."""
    sides = {
        "flips-gained": (True, flips.gained, flips.run, flips.other),
        "flips-lost": (False, flips.lost, flips.other, flips.run),
    }
    caption = (
        f"Above each image: the answer of {flips.run} and its probability, that of {flips.other}, the label, and the "
        "name. The most confident wrong answers first."
    )
    return [
        Gallery(
            name,
            f"{split}: {count:,} images that {right} gets right and {wrong} wrong",
            caption,
            [_flip_tile(flip) for flip in flips.images if flip.gained is gained],
            pictures,
        )
        for name, (gained, count, right, wrong) in sides.items()
    ]


def _labels(found: Errors, issues: LabelIssues, pictures: Pictures) -> Gallery:
    whose = found.runs[0] if len(found.runs) == 1 else f"{len(found.runs)} runs"
    title = f"{whose}, {issues.split}: cleanlab doubts {issues.found:,} of {issues.images:,} labels"
    caption = (
        "The least probable label first. Above each image: its label, the most probable class and its "
        "probability, and the name. Look before you change a label: a hard image looks like a wrong label."
    )
    return Gallery("label-errors", title, caption, [_label_tile(issue) for issue in issues.items], pictures)


def _tile(mistake: Mistake, runs: int) -> Tile:
    count = f"\nwrong in {mistake.runs_wrong} of {runs}" if runs > 1 else ""
    words = f"{_answer(mistake.predicted, mistake.confidence)}\nlabel {_class(mistake.label)}\n{_name(mistake.name)}"
    return Tile(mistake.index, words + count, _WRONG)


def _flip_tile(flip: Flip) -> Tile:
    answers = _answer(flip.predicted, flip.confidence), _answer(flip.other_predicted, flip.other_confidence, 11)
    words = f"{answers[0]}\nother {answers[1]}\nlabel {_class(flip.label)}\n{_name(flip.name)}"
    return Tile(flip.index, words, _RIGHT if flip.gained else _WRONG)


def _label_tile(issue: LabelIssue) -> Tile:
    words = f"label {_class(issue.given)}\n{_answer(issue.suggested, issue.confidence)}\n{_name(issue.name)}"
    return Tile(issue.index, words, _DOUBTED)


def _answer(name: str, confidence: float, most: int = 14) -> str:
    return f"{_class(name, most)}? {100 * confidence:.0f} %"


def _class(name: str, most: int = 15) -> str:
    """The beginning of a class's name."""
    visible = one_line(name)
    return plain(visible if len(visible) <= most else f"{visible[: most - 1]}…")


def _name(name: str) -> str:
    """The end of an image's name."""
    return short(name, 20)
