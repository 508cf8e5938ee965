"""Which images the galleries show, and what is written above each."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from matplotlib.figure import Figure

from assay.analysis.errors.results import Errors, Flip, Flips, LabelIssue, LabelIssues, Mistake
from assay.analysis.figures.gallery import Tile, answer_words, mistake_words, plot_gallery
from assay.analysis.figures.text import short
from assay.base.palette import DOUBTED, RIGHT, WRONG
from assay.base.registry import choose
from assay.base.text import one_line
from assay.data.dataset import Dataset
from assay.data.pictures import read_pictures

_CAPTION = (
    "The most confident mistakes first. Above each image: the answer and its probability, the label, and the name."
)
_ALWAYS_WRONG_CAPTION = (
    "The most confident first. Above each image: the answer that most runs give, the mean of their probabilities for "
    "it, the label, and the name."
)


@dataclass(frozen=True)
class Gallery:
    """Images to be drawn together, at least one.

    Attributes:
        name: of the file, without its suffix.
        title: stands above.
        caption: what the images are.
        tiles: the images, the first of which are drawn.
        dataset: their split.
    """

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
    of_pair = () if pair is None else _mistakes_of_pair(found, *pair)
    first, runs = f"{found.runs[0]}, {found.split}", len(found.runs)
    made: list[Gallery] = []
    if found.dataset is not None:
        title = f"{first}: {found.wrong[0]:,} of {found.images:,} images are wrong"
        made.append(Gallery("mistakes", title, _CAPTION, _mistake_tiles(found.mistakes, runs), found.dataset))
        if pair is not None:
            label, answer = map(one_line, pair)
            title = f"{first}: {len(of_pair):,} images of {label} are taken for {answer}"
            name = re.sub(r"\W+", "-", f"mistakes-{label}-{answer}")[:60]  # names of classes may hold slashes
            made.append(Gallery(name, title, _CAPTION, _mistake_tiles(of_pair, runs), found.dataset))
        title = f"{found.split}: {found.always_wrong_count:,} of {found.images:,} images are wrong in all {runs} runs"
        tiles = _mistake_tiles(found.always_wrong, 1)
        made.append(Gallery("always-wrong", title, _ALWAYS_WRONG_CAPTION, tiles, found.dataset))
        if found.flips is not None:
            made += _flips(found.flips, found.split, found.dataset)
    if found.label_issues is not None and found.label_issues.dataset is not None:
        made.append(_labels(found, found.label_issues, found.label_issues.dataset))
    return [gallery for gallery in made if gallery.tiles]


def _mistakes_of_pair(found: Errors, label: str, answer: str) -> tuple[Mistake, ...]:
    for name in (label, answer):
        choose("class", name, dict.fromkeys(found.classes))
    chosen = tuple(one for one in found.mistakes if (one.label, one.predicted) == (label, answer))
    if not chosen:
        raise ValueError(f"pair: no image of {label!r} is taken for {answer!r} by {found.runs[0]}")
    return chosen


def _flips(flips: Flips, split: str, dataset: Dataset) -> list[Gallery]:
    """Return one gallery of what only the first run gets right, and one of what only the other does."""
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
            dataset,
        )
        for name, (gained, count, right, wrong) in sides.items()
    ]


def _labels(found: Errors, issues: LabelIssues, dataset: Dataset) -> Gallery:
    whose = found.runs[0] if len(found.runs) == 1 else f"{len(found.runs)} runs"
    title = f"{whose}, {issues.split}: cleanlab doubts {issues.found:,} of {issues.images:,} labels"
    caption = (
        "The least probable label first. Above each image: its label, the most probable class and its "
        "probability, and the name. Look before you change a label: a hard image looks like a wrong label."
    )
    return Gallery("label-errors", title, caption, [_label_tile(issue) for issue in issues.items], dataset)


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
