"""Which images the galleries show, and what is written above each."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from matplotlib.figure import Figure

from assay.analysis.errors.results import Errors, Flip, LabelIssue, Mistake
from assay.analysis.figures.gallery import Tile, answer_words, mistake_words, plot_gallery
from assay.analysis.figures.text import short
from assay.base.palette import DOUBTED, RIGHT, WRONG
from assay.base.registry import choose
from assay.base.text import one_line
from assay.data.dataset import Dataset
from assay.data.pictures import read_pictures

_MISTAKES = (
    "The most confident mistakes first. Above each image: the answer and its probability, the label, and the name."
)
_ALWAYS_WRONG = (
    "The most confident first. Above each image: the answer that most runs give, the mean of their probabilities for "
    "it, the label, and the name."
)
_FLIPS = (
    "Above each image: the answer of {run} and its probability, that of {other}, the label, and the name. The most "
    "confident wrong answers first."
)
_LABELS = (
    "The least probable label first. Above each image: its label, the most probable class and its probability, and the "
    "name. Look before you change a label: a hard image looks like a wrong label."
)


@dataclass(frozen=True)
class Gallery:
    """Images of one split to be drawn together, at least one; ``name`` is that of the file, without its suffix."""

    name: str
    title: str
    caption: str
    tiles: Sequence[Tile]
    dataset: Dataset

    def plot(self, most: int) -> Figure:
        """Draw the first images, at most ``most``."""
        tiles = self.tiles[:most]
        rest = f" The first {most:,} of them." if len(self.tiles) > most else ""
        pictures = read_pictures(self.dataset, [tile.row for tile in tiles])
        return plot_gallery(tiles, pictures, self.title, self.caption + rest)


def galleries(found: Errors, pair: tuple[str, str] | None = None) -> list[Gallery]:
    """Return all galleries that have an image and whose data could be opened.

    Args:
        found: what to show.
        pair: a label and an answer, whose mistakes get a gallery of their own.

    Raises:
        ValueError: no such class, or no such mistake.
    """
    made: list[Gallery] = []

    def add(name: str, title: str, caption: str, tiles: list[Tile], dataset: Dataset | None = found.dataset) -> None:
        if tiles and dataset is not None:
            made.append(Gallery(name, title, caption, tiles, dataset))

    first, runs, of_all = f"{found.runs[0]}, {found.split}", len(found.runs), f"of {found.images:,} images are wrong"
    add("mistakes", f"{first}: {found.wrong[0]:,} {of_all}", _MISTAKES, _mistake_tiles(found.mistakes, runs))
    if pair is not None:
        of_pair = _mistakes_of_pair(found, *pair)
        label, answer = map(one_line, pair)
        name = re.sub(r"\W+", "-", f"mistakes-{label}-{answer}")[:60]  # names of classes may hold slashes
        title = f"{first}: {len(of_pair):,} images of {label} are taken for {answer}"
        add(name, title, _MISTAKES, _mistake_tiles(of_pair, runs))
    title = f"{found.split}: {found.always_wrong_count:,} {of_all} in all {runs} runs"
    add("always-wrong", title, _ALWAYS_WRONG, _mistake_tiles(found.always_wrong, 1))
    if found.flips is not None:
        run, other, images = found.flips.run, found.flips.other, found.flips.images
        caption = _FLIPS.format(run=run, other=other)
        title = f"{found.split}: {found.flips.gained:,} images that {run} gets right and {other} wrong"
        add("flips-gained", title, caption, [_flip_tile(flip) for flip in images if flip.gained])
        title = f"{found.split}: {found.flips.lost:,} images that {other} gets right and {run} wrong"
        add("flips-lost", title, caption, [_flip_tile(flip) for flip in images if not flip.gained])
    if found.label_issues is not None:
        issues, whose = found.label_issues, found.runs[0] if runs == 1 else f"{runs} runs"
        title = f"{whose}, {issues.split}: cleanlab doubts {issues.found:,} of {issues.images:,} labels"
        add("label-errors", title, _LABELS, [_label_tile(issue) for issue in issues.items], issues.dataset)
    return made


def _mistakes_of_pair(found: Errors, label: str, answer: str) -> tuple[Mistake, ...]:
    for name in (label, answer):
        choose("class", name, dict.fromkeys(found.classes))
    chosen = tuple(one for one in found.mistakes if (one.label, one.predicted) == (label, answer))
    if not chosen:
        raise ValueError(f"pair: no image of {label!r} is taken for {answer!r} by {found.runs[0]}")
    return chosen


def _mistake_tiles(mistakes: Sequence[Mistake], runs: int) -> list[Tile]:
    tiles = []
    for one in mistakes:
        count = f"\nwrong in {one.runs_wrong} of {runs}" if runs > 1 else ""
        words = mistake_words(one.predicted, one.confidence, one.label, one.name)
        tiles.append(Tile(one.index, words + count, WRONG))
    return tiles


def _flip_tile(flip: Flip) -> Tile:
    words = mistake_words(flip.predicted, flip.confidence, flip.label, flip.name).split("\n")
    words.insert(1, f"other {answer_words(flip.other_predicted, flip.other_confidence, 11)}")
    return Tile(flip.index, "\n".join(words), RIGHT if flip.gained else WRONG)


def _label_tile(issue: LabelIssue) -> Tile:
    given, suggested = f"label {short(issue.given, 15)}", answer_words(issue.suggested, issue.confidence)
    return Tile(issue.index, f"{given}\n{suggested}\n{short(issue.name, 20, keep_end=True)}", DOUBTED)
