"""Distributions of weights: which layers, which bins, which figures."""

from __future__ import annotations

from dataclasses import asdict

import numpy as np
import pytest
from torch import nn

from assay.analysis.inspection.weights import NEAR_ZERO, distributions, layer_weights, shared_bins, shares


def test_convolutions_and_linear_layers_are_taken_without_norms_and_biases() -> None:
    network = nn.Sequential(nn.Conv2d(2, 3, 3), nn.BatchNorm2d(3), nn.Flatten(), nn.Linear(3, 4))
    found = layer_weights(network)
    assert {name: values.shape for name, values in found.items()} == {"0": (54,), "3": (12,)}
    assert np.array_equal(found["3"], network[3].weight.detach().numpy().ravel())


def test_figures_of_a_hand_worked_layer_and_one_that_only_one_model_has() -> None:
    first = {"a": np.array([-1, 1, 0, NEAR_ZERO / 2], dtype=np.float32)}
    second = {"b": np.array([3.0, 5.0], dtype=np.float32), "a": np.array([2.0, 2.0], dtype=np.float32)}
    rows = distributions({"one": first, "two": second})
    assert [(row.layer, row.model) for row in rows] == [("a", "one"), ("a", "two"), ("b", "two")]
    assert rows[0].near_zero == 0.5
    assert asdict(rows[2]) == {"layer": "b", "model": "two", "count": 2, "mean": 4.0, "std": 1.0, "near_zero": 0.0}


def test_bins_are_symmetric_and_shared_and_hold_all_but_the_outermost() -> None:
    narrow = np.linspace(-1, 1, 2001, dtype=np.float32)
    wide = 3 * narrow
    edges = shared_bins([narrow, wide])
    assert edges == pytest.approx(-edges[::-1])
    assert edges[-1] == pytest.approx(3, rel=2e-3)
    assert len(edges) % 2 == 0  # the middle bin is centred on 0
    assert shares(narrow, edges).sum() == pytest.approx(100)
    assert 99.8 <= shares(wide, edges).sum() < 100


def test_a_layer_of_zeros_has_bins_too() -> None:
    zeros = np.zeros(10, dtype=np.float32)
    assert shares(zeros, shared_bins([zeros])).max() == 100
