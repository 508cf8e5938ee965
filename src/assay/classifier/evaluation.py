"""A network's scores for labelled images, and the measures that follow from them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor, nn

from assay.base.statistics import Interval, wilson_interval
from assay.classifier.calibration import Bin, expected_calibration_error, reliability_bins
from assay.data.batches import EvaluationBatches
from assay.data.dataset import Dataset
from assay.data.images import BadImageError
from assay.data.pictures import read_pictures
from assay.data.views import Views, views_of
from assay.models.folded_norms import folded_norms

PLAIN = views_of("none")
MOST_IMAGES = 256
_MOST_PIXELS = {"cpu": 32 * 224**2}  # more are no faster on a CPU, and take more memory
_MOST_ELSEWHERE = 256 * 224**2


def batch_size(size: int, device: torch.device) -> int:
    """Return the batch size for images of ``size`` pixels a side: 256, and fewer of large images, to bound memory.

    A CPU takes 32 images of 224 pixels at once, other devices 256. Evaluation and prediction share it, because scores
    of batches of another size may differ in the last digit.
    """
    return max(1, min(MOST_IMAGES, _MOST_PIXELS.get(device.type, _MOST_ELSEWHERE) // size**2))


class Scorer:
    """Computes a network's scores (logits).

    Args:
        network: its mode is evaluation while it is used, and then as before.
        views: test-time augmentation: the scores of an image are the weighted mean of its views' scores.
        fold: let convolutions do the work of the norms behind them (``folded_norms``). Which of them can is found out
            with the first image, which takes longer than a single image saves.
    """

    def __init__(self, network: nn.Module, views: Views = PLAIN, *, fold: bool = True) -> None:
        self._network, self._views = network, views
        self._folded = None if fold else network

    @torch.inference_mode()
    def __call__(self, images: Tensor) -> Tensor:
        """The scores of images ``[B, C, H, W]``, float32 ``[B, K]`` on their device."""
        was_training = self._network.training  # an evaluation must not change how the next epoch trains
        self._network.eval()
        try:
            if self._folded is None:
                self._folded = folded_norms(self._network, images[:1])
            return self._views.scores(self._folded, images)
        finally:
            self._network.train(was_training)


def predict_scores(network: nn.Module, batches: Iterable[Tensor], views: Views = PLAIN) -> Tensor:
    """Compute a network's scores for batches of images, float32 ``[N, K]`` on the CPU; as ``Scorer``.

    Raises:
        ValueError: there is no image.
    """
    scores = list(map(Scorer(network, views), batches))
    if not scores:
        raise ValueError("there is no readable image")
    return torch.cat(scores).cpu()


def evaluate_batches(
    model: nn.Module,
    batches: EvaluationBatches,
    classes: Sequence[str],
    left_out: Sequence[BadImageError] = (),
    views: Views = PLAIN,
) -> Evaluation:
    """Evaluate a network on every image of the batches; ``views`` as in ``predict_scores``.

    Processes that share the batches each compute their share of the scores, and all have all of them.
    """
    own = predict_scores(model, (images for images, _ in batches), views) if batches.has_share else None
    scores = batches.gather(torch.zeros(0, len(classes)) if own is None else own)
    return Evaluation.of_dataset(scores, batches.dataset, classes, left_out)


@dataclass(frozen=True)
class ClassResult:
    """A network's accuracy on the images of one class.

    Attributes:
        name: the class.
        images: number of its images.
        accuracy: share of correct predictions, in [0, 1]; None for a class without images.
        interval: its 95 % interval, as ``Evaluation.interval``; None for a class without images.
        taken_for: the wrong class that is predicted most often; empty if all predictions are correct.
        times: how often it is predicted.
    """

    name: str
    images: int
    accuracy: float | None
    interval: Interval | None
    taken_for: str
    times: int


@dataclass(frozen=True)
class Evaluation:
    """A network's scores for labelled images, and the measures that follow from them.

    Attributes:
        scores: logits, float ``[N, K]`` on the CPU; probabilities have the precision that the scores have.
        labels: the true classes, int64 ``[N]`` on the CPU.
        classes: names of the K classes.
        names: names of the N images.
        dataset: the images; None if only the scores and labels in a run folder are known.
        left_out: errors of the images that were skipped because they could not be decoded.
    """

    scores: Tensor
    labels: Tensor
    classes: tuple[str, ...]
    names: Sequence[str]
    dataset: Dataset | None = None
    left_out: tuple[BadImageError, ...] = ()

    @classmethod
    def of_dataset(
        cls, scores: Tensor, dataset: Dataset, classes: Sequence[str], left_out: Sequence[BadImageError] = ()
    ) -> Evaluation:
        """Return the evaluation of scores for all images of a dataset, in its order."""
        return cls(scores, dataset.labels.cpu(), tuple(classes), dataset.names, dataset, tuple(left_out))

    def pictures(self, rows: Sequence[int]) -> NDArray[np.uint8]:
        """Return the images of those rows, uint8 ``[len(rows), H, W, C]``; raise ``ValueError`` without a dataset."""
        if self.dataset is None:
            raise ValueError("the images of this evaluation are not at hand, only their scores and labels")
        return read_pictures(self.dataset, rows)

    @property
    def probabilities(self) -> Tensor:
        """Softmax of the scores, ``[N, K]``."""
        return self.scores.softmax(dim=1)

    @cached_property
    def predicted(self) -> Tensor:
        """The class with the highest score, int64 ``[N]``."""
        return self.scores.argmax(dim=1)

    @cached_property
    def confidence(self) -> Tensor:
        """The probability of the predicted class, ``[N]``, in [0, 1]."""
        return self.probabilities.amax(dim=1)

    @cached_property
    def correct(self) -> Tensor:
        """Whether each prediction is correct, bool ``[N]``."""
        return self.predicted == self.labels

    @property
    def accuracy(self) -> float:
        """Share of correct predictions, in [0, 1]."""
        return self.correct.double().mean().item()

    @property
    def interval(self) -> Interval:
        """The 95 % interval of the accuracy (Wilson 1927), its ends in [0, 1]: what other images like these would give.

        It is of this network alone; another seed would give another one.
        """
        return wilson_interval(self.accuracy, len(self.labels))

    @property
    def top5(self) -> float:
        """Share of images whose label is among the five highest scores, in [0, 1]; 1 for 5 classes or fewer."""
        best = self.scores.topk(min(5, len(self.classes)), dim=1).indices
        return (best == self.labels[:, None]).any(dim=1).double().mean().item()

    @property
    def loss(self) -> float:
        """Mean cross-entropy in nats."""
        # In float64, because a sum over many images loses digits in float32.
        return F.cross_entropy(self.scores.double(), self.labels).item()

    @cached_property
    def confusion(self) -> Tensor:
        """Counts, int64 ``[K, K]``: rows are labels, columns predictions."""
        size = len(self.classes)
        return torch.bincount(self.labels * size + self.predicted, minlength=size**2).view(size, size)

    @property
    def per_class_accuracy(self) -> dict[str, float | None]:
        """Share of correct predictions among each class's images; None for a class without images."""
        counts = self.confusion.double()
        totals, right = counts.sum(dim=1).tolist(), counts.diagonal().tolist()
        return {
            name: hits / total if total else None for name, hits, total in zip(self.classes, right, totals, strict=True)
        }

    @property
    def per_class_interval(self) -> dict[str, Interval | None]:
        """The 95 % interval of each class's accuracy; None for a class without images."""
        images = self.confusion.sum(dim=1).tolist()
        return {
            name: None if accuracy is None else wilson_interval(accuracy, total)
            for (name, accuracy), total in zip(self.per_class_accuracy.items(), images, strict=True)
        }

    @cached_property
    def reliability(self) -> tuple[Bin, ...]:
        """The answers in 15 equal bins of confidence (Guo et al. 2017)."""
        return reliability_bins(self.confidence.numpy(), self.correct.numpy())

    @property
    def calibration_error(self) -> float:
        """Expected calibration error over these bins (Guo et al. 2017, equation 3), in [0, 1]."""
        return expected_calibration_error(self.reliability)

    def figures(self) -> dict[str, Any]:
        """Return the measures that a run's summary holds."""
        return {
            "images": len(self.labels),
            "accuracy": self.accuracy,
            "interval": list(self.interval),
            "top5": self.top5,
            "loss": self.loss,
        }

    def summary(self) -> dict[str, Any]:
        """Return all measures as plain values."""
        return {
            **self.figures(),
            "calibration_error": self.calibration_error,
            "per_class_accuracy": self.per_class_accuracy,
            "per_class_interval": {name: ends and list(ends) for name, ends in self.per_class_interval.items()},
            "confusion": self.confusion.tolist(),
        }

    def log(self) -> list[dict[str, Any]]:
        """Return a row for each image: name, predicted, label, correct, probability (of the predicted class)."""
        columns = self.predicted.tolist(), self.labels.tolist(), self.confidence.tolist()
        rows = zip(self.names, *columns, strict=True)
        return [
            {
                "name": name,
                "predicted": self.classes[predicted],
                "label": self.classes[label],
                "correct": predicted == label,
                "probability": probability,
            }
            for name, predicted, label, probability in rows
        ]

    def class_results(self) -> list[ClassResult]:
        """Return the classes' results, the worst first, equal ones in class order; classes without images come last."""
        results, intervals = [], self.per_class_interval
        for number, (name, accuracy) in enumerate(self.per_class_accuracy.items()):
            counts = self.confusion[number].clone()
            images, counts[number] = int(counts.sum()), 0  # without the correct ones, the largest count is a mistake
            often = int(counts.argmax())
            times = int(counts[often])
            taken_for = self.classes[often] if times else ""
            results.append(ClassResult(name, images, accuracy, intervals[name], taken_for, times))
        return sorted(results, key=lambda one: (one.accuracy is None, one.accuracy or 0.0))

    def mistakes(self) -> list[int]:
        """Return the rows of the misclassified images, the most confident first."""
        wrong = torch.nonzero(~self.correct).flatten()
        # Stable: equally confident ones stay in the order of the images on every machine.
        order = self.confidence[wrong].argsort(descending=True, stable=True)
        return [int(row) for row in wrong[order]]
