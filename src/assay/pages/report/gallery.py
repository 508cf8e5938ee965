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
    """A picture of a gallery.

    Attributes:
        address: of the picture, ``data:``.
        name: of the image.
        predicted: the answer.
        confidence: its probability in percent, as text.
        label: the right class.
        said: all of it in one line, for readers who do not see the picture.
    """

    address: str
    name: str
    predicted: str
    confidence: str
    label: str
    said: str


def mistakes(errors: Errors) -> list[Item]:
    """Return the first run's mistakes; none where the data could not be opened."""
    return _of_mistakes(errors.mistakes, errors.dataset)


def always_wrong(errors: Errors) -> list[Item]:
    """Return the images that every run gets wrong, with the most frequent answer."""
    return _of_mistakes(errors.always_wrong, errors.dataset)


def flips(errors: Errors, names: Sequence[str]) -> list[Item]:
    """Return the images that one of two runs gets right and the other wrong; ``names`` are those of the runs."""
    if errors.flips is None or errors.dataset is None:
        return []
    images = errors.flips.images
    addresses = _addresses(errors.dataset, [flip.index for flip in images])
    return [
        Item(
            address,
            flip.name,
            f"{names[0]}: {flip.predicted}",
            f"{_percent(flip.confidence)}; {names[1]}: {flip.other_predicted} {_percent(flip.other_confidence)}",
            flip.label,
            f"{flip.name}: {names[0]} answers {flip.predicted}, {names[1]} {flip.other_predicted}; it is {flip.label}",
        )
        for flip, address in zip(images, addresses, strict=True)
    ]


def _of_mistakes(made: Sequence[Mistake], dataset: Dataset | None) -> list[Item]:
    if dataset is None:
        return []
    addresses = _addresses(dataset, [mistake.index for mistake in made])
    return [
        Item(
            address,
            mistake.name,
            mistake.predicted,
            _percent(mistake.confidence),
            mistake.label,
            f"{mistake.name}: answered {mistake.predicted} ({_percent(mistake.confidence)}), it is {mistake.label}",
        )
        for mistake, address in zip(made, addresses, strict=True)
    ]


def _addresses(dataset: Dataset, rows: list[int]) -> list[str]:
    return [thumbnail(picture) for picture in read_pictures(dataset, rows)]


def _percent(of_one: float) -> str:
    return f"{100 * of_one:.0f} %"
