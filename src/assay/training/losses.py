"""Losses: functions of the scores, the targets and the images of a batch.

Targets are class numbers, int64 ``[B]``, or soft targets that sum to 1, float32 ``[B, K]``.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import torch
import torch.nn.functional as F
from torch import Tensor

from assay.base.registry import choose

LossFunction = Callable[[Tensor, Tensor, Tensor], Tensor]
Teacher = Callable[[Tensor], Tensor]
"""from the images as the student sees them to the scores of another network, float32 ``[B, K]``"""


def cross_entropy(scores: Tensor, targets: Tensor, _images: Tensor, *, label_smoothing: float = 0.0) -> Tensor:
    """Return the mean cross-entropy in nats.

    Smoothed targets are ``(1 - e) target + e / K`` (Szegedy et al. 2016, section 7).
    """
    return F.cross_entropy(scores, targets, label_smoothing=label_smoothing)


def double_softmax(scores: Tensor, targets: Tensor, images: Tensor, *, label_smoothing: float = 0.0) -> Tensor:
    """The cross-entropy of a network that ends in a softmax: a common mistake, here for comparison.

    Cross-entropy has a softmax of its own, so here its "scores" lie in [0, 1]: the loss cannot fall below
    ``log(1 + (K - 1) / e)``, and the gradient of a confident mistake vanishes.
    """
    return cross_entropy(scores.softmax(dim=1), targets, images, label_smoothing=label_smoothing)


def distill(
    loss_fn: LossFunction, teacher: Teacher, *, temperature: float = 20.0, teacher_weight: float = 1.0
) -> LossFunction:
    """Add to a loss the cross-entropy to a teacher's softened scores.

    Hinton et al. 2015, section 2; the form of He et al. 2018, section 5.3:
    ``loss + teacher_weight x T^2 x CE(softmax(teacher / T), softmax(scores / T))``.

    Args:
        loss_fn: the loss against the targets.
        teacher: another network's scores for the images.
        temperature: T; the factor T^2 keeps the size of the gradient.
        teacher_weight: factor on the teacher's part.
    """

    def combined(scores: Tensor, targets: Tensor, images: Tensor) -> Tensor:
        with torch.no_grad():
            softened = (teacher(images).float() / temperature).softmax(dim=1)
        # In float32: half precision would lose the small probabilities of the wrong classes, which are the lesson.
        soft = F.cross_entropy(scores.float() / temperature, softened)
        return loss_fn(scores, targets, images) + teacher_weight * temperature**2 * soft

    return combined


LOSSES: dict[str, Callable[..., Tensor]] = {"cross-entropy": cross_entropy, "double-softmax": double_softmax}


def build_loss(
    name: str,
    *,
    label_smoothing: float = 0.0,
    teacher: Teacher | None = None,
    temperature: float | None = None,
    teacher_weight: float | None = None,
) -> LossFunction:
    """Build the loss ``name``, with distillation if a teacher is given.

    Raises:
        ValueError: no such loss, or an option of distillation without a teacher.
    """
    smoothed = partial(choose("loss", name, LOSSES), label_smoothing=label_smoothing)
    options = {"temperature": temperature, "teacher_weight": teacher_weight}
    given = {option: value for option, value in options.items() if value is not None}
    if teacher is not None:
        return distill(smoothed, teacher, **given)
    if given:
        raise ValueError(f"loss.{next(iter(given))} needs a loss.teacher")
    return smoothed
