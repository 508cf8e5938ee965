"""Losses against formulas in float64."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.testing import assert_close

from assay.training.losses import build_loss

SCORES = torch.tensor([[2.0, -1.0, 0.5], [0.0, 3.0, 1.0]])
LABELS = torch.tensor([0, 2])
IMAGES = torch.zeros(2, 3, 4, 4)


def log_softmax(scores: np.ndarray) -> np.ndarray:
    return scores - np.log(np.exp(scores).sum(axis=1, keepdims=True))


def expected(scores: Tensor, targets: np.ndarray) -> float:
    return float(-(targets * log_softmax(scores.double().numpy())).sum(axis=1).mean())


def soft(smoothing: float = 0.0) -> np.ndarray:
    return (1 - smoothing) * np.eye(3)[LABELS.numpy()] + smoothing / 3


@pytest.mark.parametrize("smoothing", [0.0, 0.1, 0.5])
def test_cross_entropy_with_smoothing(smoothing: float) -> None:
    loss = build_loss("cross-entropy", label_smoothing=smoothing)(SCORES, LABELS, IMAGES)
    assert loss.item() == pytest.approx(expected(SCORES, soft(smoothing)))


@pytest.mark.parametrize("smoothing", [0.0, 0.2])
def test_soft_targets_are_smoothed_alike(smoothing: float) -> None:
    targets = torch.tensor([[0.7, 0.3, 0.0], [0.0, 0.5, 0.5]])
    loss = build_loss("cross-entropy", label_smoothing=smoothing)(SCORES, targets, IMAGES)
    smoothed = (1 - smoothing) * targets.double().numpy() + smoothing / 3
    assert loss.item() == pytest.approx(expected(SCORES, smoothed), rel=1e-6)


def test_hard_targets_as_soft_ones_give_the_same() -> None:
    loss_fn = build_loss("cross-entropy", label_smoothing=0.1)
    assert_close(loss_fn(SCORES, torch.eye(3)[LABELS], IMAGES), loss_fn(SCORES, LABELS, IMAGES))


def test_double_softmax_is_what_a_softmax_too_many_gives() -> None:
    loss = build_loss("double-softmax")(SCORES, LABELS, IMAGES)
    probabilities = torch.from_numpy(np.exp(log_softmax(SCORES.double().numpy())))
    assert loss.item() == pytest.approx(expected(probabilities, soft()))


def test_double_softmax_cannot_fall_below_its_floor() -> None:
    certain = 1000 * torch.eye(3)[LABELS]
    loss = build_loss("double-softmax")(certain, LABELS, IMAGES)
    assert loss.item() == pytest.approx(np.log(1 + 2 / np.e), rel=1e-6)


@pytest.mark.parametrize(("temperature", "weight"), [(None, None), (2.0, 0.5)])
def test_distillation_is_the_sum_of_both_parts(temperature: float | None, weight: float | None) -> None:
    answers = torch.tensor([[5.0, 1.0, 0.0], [-1.0, 0.0, 2.0]])
    seen: list[Tensor] = []

    def teacher(images: Tensor) -> Tensor:
        seen.append(images)
        return answers

    loss_fn = build_loss("cross-entropy", teacher=teacher, temperature=temperature, teacher_weight=weight)
    t, w = temperature or 20.0, 1.0 if weight is None else weight
    taught = np.exp(log_softmax(answers.double().numpy() / t))
    total = expected(SCORES, soft()) + w * t**2 * expected(SCORES / t, taught)
    assert loss_fn(SCORES, LABELS, IMAGES).item() == pytest.approx(total, rel=1e-5)
    assert seen[0] is IMAGES


def test_no_gradient_reaches_the_teacher() -> None:
    strength = torch.ones((), requires_grad=True)
    scores = SCORES.clone().requires_grad_()
    build_loss("cross-entropy", teacher=lambda _: SCORES * strength)(scores, LABELS, IMAGES).backward()
    assert strength.grad is None
    assert scores.grad is not None


def test_a_teacher_that_answers_alike_leaves_the_gradient_of_its_part_zero() -> None:
    scores = SCORES.clone().requires_grad_()
    both = build_loss("cross-entropy", teacher=lambda _: SCORES)(scores, LABELS, IMAGES)
    alone = build_loss("cross-entropy")(scores, LABELS, IMAGES)
    assert_close(*(torch.autograd.grad(loss, scores)[0] for loss in (both, alone)), atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("option", ["temperature", "teacher_weight"])
def test_options_of_distillation_need_a_teacher(option: str) -> None:
    with pytest.raises(ValueError, match=rf"^loss\.{option} needs a loss\.teacher$"):
        build_loss("cross-entropy", **{option: 2.0})


def test_an_unknown_loss_is_refused() -> None:
    with pytest.raises(ValueError, match=r"^unknown loss 'cross-entrpy': did you mean cross-entropy\?$"):
        build_loss("cross-entrpy")
