"""Pictures with the answers that were given for them, for the galleries of the page."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from assay.analysis.errors.results import Errors, Mistake, Pictures
from assay.pages.report.pictures import thumbnail


@dataclass(frozen=True)
class Item:
    """A picture: its address, its name, what was answered, how sure that was, what is right, and all that in a line."""

    address: str
    name: str
    predicted: str
    confidence: str
    label: str
    said: str


def mistakes(errors: Errors) -> list[Item]:
    """The first run's mistakes; none where the images are not at hand."""
    return _of_mistakes(errors.mistakes, errors.pictures)


def always_wrong(errors: Errors) -> list[Item]:
    """What every run gets wrong, with the most frequent answer."""
    return _of_mistakes(errors.always_wrong, errors.pictures)


def flips(errors: Errors, names: Sequence[str]) -> list[Item]:
    """What one of two runs gets right and the other wrong; ``names`` are theirs."""
    if errors.flips is None or errors.pictures is None:
        return []
    images = errors.flips.images
    addresses = _addresses(errors.pictures, [flip.index for flip in images])
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


def _of_mistakes(made: Sequence[Mistake], pictures: Pictures | None) -> list[Item]:
    if pictures is None:
        return []
    addresses = _addresses(pictures, [mistake.index for mistake in made])
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


def _addresses(pictures: Pictures, rows: list[int]) -> list[str]:
    return [thumbnail(pixels) for pixels in pictures.pixels(rows)]


def _percent(of_one: float) -> str:
    return f"{100 * of_one:.0f} %"
