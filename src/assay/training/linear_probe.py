"""Multinomial logistic regression on a network's features: what its body is worth as it is."""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

_STRENGTHS = (1.0, 0.3, 0.1, 0.03, 0.01, 0.003)
_FOLDS, _MOST_FOLDED = 5, 2000  # of more images one fifth is held out once, which is as sure


@dataclass(frozen=True)
class LinearProbe:
    """A linear layer fitted to features.

    Attributes:
        weight: float32 ``[K, D]``.
        bias: float32 ``[K]``.
        strength: the L2 penalty that was chosen.
    """

    weight: Tensor
    bias: Tensor
    strength: float


def fit_linear_probe(features: Tensor, labels: Tensor, classes: int, *, seed: int = 0) -> LinearProbe:
    """Fit a linear layer, with the strength of its L2 penalty chosen by cross-validation.

    The features are standardised for the fit, and the layer takes them as they are. The strength is the one with the
    lowest log loss over five stratified folds (of more than 2,000 images: on one fifth), or 0.1 where a class
    has a single image.

    Args:
        features: float ``[N, D]``.
        labels: int64 ``[N]``, each of the K classes at least once.
        classes: K.
        seed: of the folds.
    """
    deviation, mean = torch.std_mean(features.double(), dim=0, correction=0)
    scale = 1 / deviation.clamp_min(1e-6)
    standard = ((features - mean) * scale).float()
    strength = _choose_strength(standard, labels, classes, seed)
    layer = fit_logistic(standard, labels, classes, strength)
    weight = layer[:, :-1].double() * scale
    bias = layer[:, -1].double() - weight @ mean
    return LinearProbe(weight.float(), bias.float(), strength)


def fit_logistic(
    features: Tensor, labels: Tensor, classes: int, strength: float, start: Tensor | None = None
) -> Tensor:
    """Minimise the mean cross-entropy plus ``strength / 2`` times the weights' squared norm, by L-BFGS.

    This is scikit-learn's ``LogisticRegression`` with ``C = 1 / (strength x N)``: the biases have no penalty.

    Args:
        features: float32 ``[N, D]``.
        labels: int64 ``[N]``.
        classes: K.
        strength: above 0.
        start: the layer to start from; None is zero.

    Returns:
        The layer, float32 ``[K, D + 1]``: the biases are its last column.
    """
    ones = features.new_ones(len(features), 1)
    inputs = torch.cat([features, ones], dim=1)
    layer = (features.new_zeros(classes, inputs.shape[1]) if start is None else start.clone()).requires_grad_()
    optimizer = torch.optim.LBFGS([layer], max_iter=200, tolerance_grad=1e-5, line_search_fn="strong_wolfe")

    def loss() -> Tensor:
        optimizer.zero_grad()
        value = F.cross_entropy(inputs @ layer.T, labels) + strength / 2 * layer[:, :-1].square().sum()
        value.backward()  # type: ignore[no-untyped-call]
        return value

    with torch.enable_grad():
        optimizer.step(loss)  # type: ignore[no-untyped-call]
    return layer.detach()


def _choose_strength(features: Tensor, labels: Tensor, classes: int, seed: int) -> float:
    """The strength with the lowest log loss on images that were left out of the fit."""
    from sklearn.model_selection import StratifiedKFold, StratifiedShuffleSplit  # slow to import

    fewest = int(labels.bincount(minlength=classes).min())
    if fewest < 2:
        return 0.1
    if len(labels) > _MOST_FOLDED:
        cut: StratifiedShuffleSplit | StratifiedKFold = StratifiedShuffleSplit(1, test_size=0.2, random_state=seed)
    else:
        cut = StratifiedKFold(min(_FOLDS, fewest), shuffle=True, random_state=seed)
    losses = torch.zeros(len(_STRENGTHS), dtype=torch.float64)
    for fitted, judged in cut.split(labels.cpu(), labels.cpu()):
        fitted, judged = (torch.from_numpy(rows).to(labels.device) for rows in (fitted, judged))
        layer = None  # each strength starts from the solution of the one before, which is near
        for place, strength in enumerate(_STRENGTHS):
            layer = fit_logistic(features[fitted], labels[fitted], classes, strength, layer)
            scores = features[judged] @ layer[:, :-1].T + layer[:, -1]
            losses[place] += F.cross_entropy(scores, labels[judged], reduction="sum").item()
    return _STRENGTHS[int(losses.argmin())]
