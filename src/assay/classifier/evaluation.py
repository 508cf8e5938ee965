"""What a network answers for a split, and how right it is."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property, reduce
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from assay.data.batches import EvaluationBatches
from assay.data.dataset import Dataset
from assay.data.images import BadImageError
from assay.data.views import VIEWS, Views

CALIBRATION_BINS = 15
_MOST_IMAGES, _MOST_PIXELS = 256, 256 * 224**2


def batch_size(size: int) -> int:
    """How many images of ``size`` pixels a side a network answers for at once: 256, and of above 224 pixels fewer.

    It is the same wherever a network answers: another number may round the last digit otherwise.
    """
    return max(1, min(_MOST_IMAGES, _MOST_PIXELS // size**2))


@torch.inference_mode()
def predict_scores(model: nn.Module, batches: Iterable[Tensor], views: Views = VIEWS["none"]) -> Tensor:
    """The network's scores (logits), float32 ``[N, K]`` on the CPU; its mode is left as it was.

    Args:
        model: the network.
        batches: images, float32 ``[B, C, H, W]``.
        views: test-time augmentation: the scores of an image are the weighted mean of its views' scores.

    Raises:
        ValueError: there is no image.
    """
    was_training = model.training
    model.eval()
    try:
        scores = [_mean_scores(model, images, views) for images in batches]
    finally:
        model.train(was_training)
    if not scores:
        raise ValueError("there is no readable image to answer for")
    return torch.cat(scores).cpu()


def _mean_scores(model: nn.Module, images: Tensor, views: Views) -> Tensor:
    scores: Iterator[Tensor] = (weight * model(view).float() for view, weight in views(images))
    return reduce(torch.add, scores)


def evaluate_batches(
    model: nn.Module,
    batches: EvaluationBatches,
    classes: Sequence[str],
    left_out: Sequence[BadImageError] = (),
    views: Views = VIEWS["none"],
) -> Evaluation:
    """Answers and labels for every image of the batches; ``views`` as in ``predict_scores``."""
    scores = predict_scores(model, (images for images, _ in batches), views)
    return Evaluation(scores, batches.dataset, tuple(classes), tuple(left_out))


@dataclass(frozen=True)
class Evaluation:
    """A network's answers for labelled images, and the measures that follow from them.

    Attributes:
        scores: logits, float32 ``[N, K]``.
        dataset: the N images and their labels.
        classes: names of the K classes.
        left_out: images that could not be decoded, where these were to be skipped.
    """

    scores: Tensor
    dataset: Dataset
    classes: tuple[str, ...]
    left_out: tuple[BadImageError, ...] = ()

    @cached_property
    def labels(self) -> Tensor:
        """The right classes, int64 ``[N]``."""
        return self.dataset.labels.cpu()

    @property
    def names(self) -> Sequence[str]:
        """The images' names, N of them."""
        return self.dataset.names

    @cached_property
    def probabilities(self) -> Tensor:
        """Softmax of the scores, float32 ``[N, K]``."""
        return self.scores.softmax(dim=1)

    @cached_property
    def predicted(self) -> Tensor:
        """The class with the highest score, int64 ``[N]``."""
        return self.scores.argmax(dim=1)

    @cached_property
    def correct(self) -> Tensor:
        """Whether each answer is right, bool ``[N]``."""
        return self.predicted == self.labels

    @property
    def accuracy(self) -> float:
        """Share of right answers, in [0, 1]."""
        return self.correct.double().mean().item()

    @property
    def top5(self) -> float:
        """Share of images whose label is among the five highest scores, in [0, 1]; 1 for 5 classes or fewer."""
        best = self.scores.topk(min(5, len(self.classes)), dim=1).indices
        return (best == self.labels[:, None]).any(dim=1).double().mean().item()

    @property
    def loss(self) -> float:
        """Mean cross-entropy in nats."""
        return F.cross_entropy(self.scores.double(), self.labels).item()

    @property
    def confusion(self) -> Tensor:
        """Counts, int64 ``[K, K]``: row is the label, column the answer."""
        from torchmetrics.functional.classification import multiclass_confusion_matrix

        return multiclass_confusion_matrix(self.predicted, self.labels, num_classes=len(self.classes))

    @property
    def per_class_accuracy(self) -> dict[str, float | None]:
        """Share of right answers among each class's images; None for a class without images."""
        counts = self.confusion.double()
        totals, right = counts.sum(dim=1).tolist(), counts.diagonal().tolist()
        return {
            name: hits / total if total else None for name, hits, total in zip(self.classes, right, totals, strict=True)
        }

    @property
    def calibration_error(self) -> float:
        """Expected calibration error over 15 equal bins of confidence (Guo et al. 2017, equation 3), in [0, 1]."""
        from torchmetrics.functional.classification import multiclass_calibration_error

        error = multiclass_calibration_error(
            self.probabilities, self.labels, num_classes=len(self.classes), n_bins=CALIBRATION_BINS, norm="l1"
        )
        return float(error)

    def summary(self) -> dict[str, Any]:
        """All measures as plain values."""
        return {
            "images": len(self.labels),
            "accuracy": self.accuracy,
            "top5": self.top5,
            "loss": self.loss,
            "calibration_error": self.calibration_error,
            "per_class_accuracy": self.per_class_accuracy,
            "confusion": self.confusion.tolist(),
        }

    def log(self) -> list[dict[str, Any]]:
        """One row for each image: name, predicted, label, correct, probability (of the answer)."""
        confidence = self.probabilities.amax(dim=1).tolist()
        rows = zip(self.names, self.predicted.tolist(), self.labels.tolist(), confidence, strict=True)
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

    def class_table(self) -> list[tuple[str, str, str, str]]:
        """Rows of class, accuracy, images, and the class that it is most often taken for; the worst first."""
        counts = self.confusion
        rows = []
        for number, (name, accuracy) in enumerate(self.per_class_accuracy.items()):
            others = counts[number].clone()
            total, others[number] = int(others.sum()), 0
            often = int(others.argmax())
            taken_for = f"{self.classes[often]} ({int(others[often])})" if others[often] else ""
            rows.append((accuracy if accuracy is not None else 2.0, name, total, taken_for))
        return [
            (name, f"{accuracy:.2%}" if total else "", f"{total:,}", taken_for)
            for accuracy, name, total, taken_for in sorted(rows)
        ]

    def mistakes(self) -> list[int]:
        """The wrongly answered images, the most confident first."""
        confidence = self.probabilities.amax(dim=1)
        wrong = torch.nonzero(~self.correct).flatten()
        order = confidence[wrong].argsort(descending=True, stable=True)
        return [int(row) for row in wrong[order]]
