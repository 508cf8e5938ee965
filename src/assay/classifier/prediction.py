"""Predictions for images without labels."""

from __future__ import annotations

from collections.abc import Generator, Iterable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from typing import Any, cast, overload

import numpy as np
import torch
from torch import Tensor

from assay.classifier.classifier import Classifier
from assay.classifier.evaluation import MOST_IMAGES, PLAIN, Scorer, batch_size
from assay.data.decode import DecodedBatch, decode
from assay.data.images import BadImageError, Images
from assay.data.preprocess import Normalize
from assay.data.views import Views


@dataclass(frozen=True)
class Prediction:
    """The most probable classes of one image, the best first."""

    name: str
    classes: tuple[str, ...]
    probabilities: tuple[float, ...]

    @property
    def label(self) -> str:
        """The most probable class."""
        return self.classes[0]

    def to_row(self) -> dict[str, Any]:
        """A flat row: name, label, probability, then label_2, probability_2 and so on."""
        row: dict[str, Any] = {"name": self.name}
        for rank, (label, probability) in enumerate(zip(self.classes, self.probabilities, strict=True), 1):
            suffix = "" if rank == 1 else f"_{rank}"
            row |= {f"label{suffix}": label, f"probability{suffix}": probability}
        return row


@dataclass(frozen=True)
class Predictions(Sequence[Prediction]):
    """Predictions in the order of the inputs, and the errors of the images that were left out."""

    rows: tuple[Prediction, ...]
    left_out: tuple[BadImageError, ...] = ()

    def __len__(self) -> int:
        return len(self.rows)

    @overload
    def __getitem__(self, index: int) -> Prediction: ...
    @overload
    def __getitem__(self, index: slice) -> tuple[Prediction, ...]: ...
    def __getitem__(self, index: int | slice) -> Prediction | tuple[Prediction, ...]:
        return self.rows[index]


@dataclass(frozen=True)
class Part:
    """Predictions of some images that follow one another.

    Attributes:
        rows: of the readable ones.
        left_out: the errors of the others.
        end: the place after the last image, among all.
    """

    rows: tuple[Prediction, ...]
    left_out: tuple[BadImageError, ...]
    end: int


def predict_images(
    classifier: Classifier,
    images: Images,
    *,
    top: int,
    device: torch.device,
    workers: int,
    skip_bad: bool,
    views: Views = PLAIN,
) -> Predictions:
    """Predict the classes of all readable images, all at once; as ``predict_parts``, which raises too."""
    (part,) = predict_parts(
        classifier, images, top=top, device=device, workers=workers, skip_bad=skip_bad, views=views, at_least=None
    )
    return Predictions(part.rows, part.left_out)


def predict_parts(
    classifier: Classifier,
    images: Images,
    *,
    top: int,
    device: torch.device,
    workers: int,
    skip_bad: bool,
    views: Views = PLAIN,
    at_least: int | None,
    start: int = 0,
) -> Iterator[Part]:
    """Predict the classes of all readable images, a part at a time.

    Args:
        classifier: on ``device`` already.
        images: of any size and mode.
        top: how many classes to name for each image, at most all.
        device: the device of the network.
        workers: number of decoding processes.
        skip_bad: leave out images that cannot be decoded, instead of raising the first error.
        views: test-time augmentation, as in ``Scorer``.
        at_least: predictions of a part, of which the last one has fewer; None for one part.
        start: the place of the first image, where a part has ended: what follows is what would have followed it.

    Yields:
        The parts, in the order of the images.

    Raises:
        BadImageError: an image cannot be decoded, and ``skip_bad`` is false.
        ValueError: the network gives an image scores that are not finite, or no image is readable.
    """
    count = len(images.names)
    size = batch_size(classifier.preprocessing.size, device)
    chunks = [range(first, min(first + size, count)) for first in range(start, count, size)]
    # Starting processes takes longer than decoding so few images.
    busy = workers if count > MOST_IMAGES else 0
    normalize = Normalize(classifier.preprocessing, device, torch.channels_last)
    score = Scorer(classifier.network, views, fold=count > 1)  # by all images: a resumed call begins at a later one
    decoded = cast("Generator[DecodedBatch]", decode(images, classifier.preprocessing, chunks, busy))
    rows: list[Prediction] = []
    bad: dict[int, BadImageError] = {}
    is_empty = start == 0
    with closing(decoded):  # now, for the garbage collector would wait 5 seconds for each worker
        for pixels, places in _good_batches(decoded, start, size, bad, skip_bad=skip_bad):
            scores = score(normalize(pixels.to(device))).cpu()
            rows += _named(scores, [images.names[place] for place in places], classifier.classes, top)
            is_empty = False
            if at_least is not None and len(rows) >= at_least:
                end = places[-1] + 1
                yield Part(tuple(rows), _taken(bad, end), end)
                rows = []
    if is_empty:
        raise ValueError("there is no readable image")
    yield Part(tuple(rows), _taken(bad, count), count)


def _named(scores: Tensor, names: Sequence[str], classes: Sequence[str], top: int) -> Iterator[Prediction]:
    """The predictions of a batch from its scores."""
    if not (finite := scores.isfinite().all(dim=1)).all():
        raise ValueError(f"{names[int(finite.int().argmin())]}: the network's scores for it are not finite numbers")
    best = scores.softmax(dim=1).topk(min(top, len(classes)), dim=1)
    for name, indices, probabilities in zip(names, best.indices.tolist(), best.values.tolist(), strict=True):
        yield Prediction(name, tuple(classes[index] for index in indices), tuple(probabilities))


def _taken(bad: dict[int, BadImageError], end: int) -> tuple[BadImageError, ...]:
    """Take out the errors of the images before ``end``."""
    return tuple(bad.pop(place) for place in sorted(bad) if place < end)


def _good_batches(
    decoded: Iterable[DecodedBatch], start: int, size: int, bad: dict[int, BadImageError], *, skip_bad: bool
) -> Iterator[tuple[Tensor, list[int]]]:
    """Batches of a constant size without the bad images, and the images' places; errors go to ``bad`` by place.

    The size matters: ``evaluate`` leaves bad images out before it makes batches, and only equal batches give scores
    that are equal to the last digit.
    """
    waiting, places = None, list[int]()
    for pixels, errors in decoded:
        if errors and not skip_bad:
            raise next(iter(errors.values()))
        bad |= {start + place: error for place, error in errors.items()}
        places += [start + place for place in range(len(pixels)) if place not in errors]
        start += len(pixels)
        good = np.delete(pixels, list(errors), axis=0)
        waiting = good if waiting is None else np.concatenate([waiting, good])
        while len(waiting) >= size:
            yield torch.from_numpy(waiting[:size]), places[:size]
            waiting, places = waiting[size:], places[size:]
    if waiting is not None and len(waiting):
        yield torch.from_numpy(waiting), places
