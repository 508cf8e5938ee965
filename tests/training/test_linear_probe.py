"""The linear probe: scikit-learn's logistic regression is the oracle."""

import numpy as np
import pytest
import torch
from sklearn.linear_model import LogisticRegression
from torch import Tensor
from torch.testing import assert_close

from assay.training.linear_probe import fit_linear_probe, fit_logistic


def clouds(images: int, classes: int = 3, spread: float = 2.0, seed: int = 0) -> tuple[Tensor, Tensor]:
    """Overlapping clouds of points in 12 dimensions, whose features have unlike scales and means."""
    generator = torch.Generator().manual_seed(seed)
    centres = torch.randn(classes, 12, generator=torch.Generator().manual_seed(9))
    labels = torch.arange(images) % classes
    points = centres[labels] + spread * torch.randn(images, 12, generator=generator)
    return points * torch.logspace(-2, 2, 12) + torch.arange(12), labels


@pytest.mark.parametrize("strength", [1.0, 0.01])
def test_the_layer_is_scikit_learns(strength: float) -> None:
    features, labels = clouds(90)
    features = (features - features.mean(0)) / features.std(0)
    layer = fit_logistic(features, labels, 3, strength)
    oracle = LogisticRegression(C=1 / (strength * 90), tol=1e-10, max_iter=10_000)
    oracle.fit(features.double().numpy(), labels.numpy())
    assert_close(layer[:, :-1].double().numpy(), oracle.coef_, rtol=0, atol=1e-3)
    # The biases have no penalty, so that only their differences are determined.
    bias = layer[:, -1].double().numpy()
    assert_close(bias - bias.mean(), oracle.intercept_ - oracle.intercept_.mean(), rtol=0, atol=1e-3)


def test_the_probe_takes_features_as_they_are() -> None:
    features, labels = clouds(90)
    probe = fit_linear_probe(features, labels, 3)
    scores = features @ probe.weight.T + probe.bias
    standard = (features - features.mean(0)) / features.std(0, correction=0)
    oracle = LogisticRegression(C=1 / (probe.strength * 90), tol=1e-10, max_iter=10_000).fit(standard, labels)
    assert_close(scores.softmax(1).double().numpy(), oracle.predict_proba(standard).astype(float), rtol=0, atol=2e-3)


def test_noisier_features_get_a_stronger_penalty() -> None:
    clear, noisy = (fit_linear_probe(*clouds(60, spread=spread), 3).strength for spread in (0.3, 20.0))
    assert clear < noisy == 1.0


def test_one_image_of_a_class_is_enough_and_a_constant_feature_does_no_harm() -> None:
    features, labels = clouds(31, classes=3)
    features[:, 3] = 7.0
    few = torch.cat([torch.nonzero(labels == 2).flatten()[:1], torch.nonzero(labels != 2).flatten()])
    probe = fit_linear_probe(features[few], labels[few], 3)
    assert probe.strength == 0.1
    assert probe.weight.isfinite().all()
    assert np.isfinite(probe.bias.numpy()).all()


def test_of_many_images_a_fifth_is_judged_once() -> None:
    features, labels = clouds(2100, spread=4.0)
    first, second = (fit_linear_probe(features, labels, 3) for _ in range(2))
    assert torch.equal(first.weight, second.weight)
    held = clouds(900, spread=4.0, seed=1)
    accuracy = ((held[0] @ first.weight.T + first.bias).argmax(1) == held[1]).double().mean()
    oracle = LogisticRegression(max_iter=1000).fit(features / features.std(0), labels)
    assert accuracy > oracle.score(held[0] / features.std(0), held[1]) - 0.02
