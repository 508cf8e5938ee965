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
from assay.classifier.evaluation import MOST_IMAGES, PLAIN, batch_size, predict_scores
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
    """Predict the classes of all readable images.

    Args:
        classifier: on ``device`` already.
        images: of any size and mode.
        top: how many classes to name for each image, at most all.
        device: the device of the network.
        workers: number of decoding processes.
        skip_bad: leave out images that cannot be decoded, instead of raising the first error.
        views: test-time augmentation, as in ``predict_scores``.

    Raises:
        BadImageError: an image cannot be decoded, and ``skip_bad`` is false.
        ValueError: the network gives an image scores that are not finite.
    """
    count, size = len(images.names), batch_size(classifier.preprocessing.size, device)
    chunks = [range(start, min(start + size, count)) for start in range(0, count, size)]
    # Starting processes takes longer than decoding so few images.
    busy = workers if count > MOST_IMAGES else 0
    normalize = Normalize(classifier.preprocessing, device, torch.channels_last)
    decoded = cast("Generator[DecodedBatch]", decode(images, classifier.preprocessing, chunks, busy))
    with closing(decoded):  # now, for the garbage collector would wait 5 seconds for each worker
        good = _GoodImages(decoded, size, skip_bad=skip_bad)
        scores = predict_scores(classifier.network, (normalize(pixels.to(device)) for pixels in good), views)
    names = [name for row, name in enumerate(images.names) if row not in good.bad]
    if not (finite := scores.isfinite().all(dim=1)).all():
        raise ValueError(f"{names[int(finite.int().argmin())]}: the network's scores for it are not finite numbers")
    best = scores.softmax(dim=1).topk(min(top, len(classifier.classes)), dim=1)
    rows = (
        Prediction(name, tuple(classifier.classes[index] for index in indices), tuple(probabilities))
        for name, indices, probabilities in zip(names, best.indices.tolist(), best.values.tolist(), strict=True)
    )
    return Predictions(tuple(rows), tuple(good.bad.values()))


class _GoodImages:
    """Batches of a constant size without the bad images, whose errors are kept in ``bad`` by row.

    The size matters: ``evaluate`` leaves bad images out before it makes batches, and only equal batches give scores
    that are equal to the last digit.
    """

    def __init__(self, decoded: Iterable[DecodedBatch], size: int, *, skip_bad: bool) -> None:
        self._decoded, self._size, self._skip_bad = decoded, size, skip_bad
        self.bad: dict[int, BadImageError] = {}

    def __iter__(self) -> Iterator[Tensor]:
        waiting, row = None, 0
        for pixels, bad in self._decoded:
            if bad and not self._skip_bad:
                raise next(iter(bad.values()))
            self.bad |= {row + place: error for place, error in bad.items()}
            row += len(pixels)
            good = np.delete(pixels, list(bad), axis=0)
            waiting = good if waiting is None else np.concatenate([waiting, good])
            while len(waiting) >= self._size:
                yield torch.from_numpy(waiting[: self._size])
                waiting = waiting[self._size :]
        if waiting is not None and len(waiting):
            yield torch.from_numpy(waiting)
