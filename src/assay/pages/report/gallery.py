"""The galleries of the page: pictures with the answers that were given for them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from assay.analysis.errors.results import Errors, Mistake
from assay.data.dataset import Dataset
from assay.data.pictures import read_pictures
from assay.pages.report.pictures import thumbnail


@dataclass(frozen=True)
class Item:
    """A picture at a ``data:`` address and the texts below it, the confidence in percent; ``alt`` says all of it."""

    address: str
    name: str
    predicted: str
    confidence: str
    label: str
    alt: str


def of_mistakes(made: Sequence[Mistake], dataset: Dataset | None) -> list[Item]:
    """Return the mistakes of a run or of several; none where the data could not be opened."""
    if dataset is None:
        return []
    pictures = read_pictures(dataset, [mistake.index for mistake in made])
    return [
        Item(
            thumbnail(picture),
            mistake.name,
            mistake.predicted,
            _percent(mistake.confidence),
            mistake.label,
            f"{mistake.name}: answered {mistake.predicted} ({_percent(mistake.confidence)}), it is {mistake.label}",
        )
        for mistake, picture in zip(made, pictures, strict=True)
    ]


def flips(errors: Errors, names: Sequence[str]) -> list[Item]:
    """Return the images that one of two runs gets right and the other wrong; ``names`` are those of the runs."""
    if errors.flips is None or errors.dataset is None:
        return []
    images = errors.flips.images
    pictures = read_pictures(errors.dataset, [flip.index for flip in images])
    return [
        Item(
            thumbnail(picture),
            flip.name,
            f"{names[0]}: {flip.predicted}",
            f"{_percent(flip.confidence)}; {names[1]}: {flip.other_predicted} {_percent(flip.other_confidence)}",
            flip.label,
            f"{flip.name}: {names[0]} answers {flip.predicted}, {names[1]} {flip.other_predicted}; it is {flip.label}",
        )
        for flip, picture in zip(images, pictures, strict=True)
    ]


def _percent(of_one: float) -> str:
    return f"{100 * of_one:.0f} %"
