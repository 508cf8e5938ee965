"""Kernels as pictures: which layer, and how they are scaled."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

from assay.models.kernels import Kernels, first_kernels


def test_the_first_convolution_is_taken_wherever_it_stands() -> None:
    network = nn.Sequential(nn.Identity(), nn.Sequential(nn.Conv2d(3, 5, 7), nn.Conv2d(5, 2, 3)))
    found = first_kernels(network)
    assert found.layer == "1.0"
    assert found.weights.shape == (5, 3, 7, 7)
    assert np.array_equal(found.weights, network[1][0].weight.detach().numpy())


def test_a_network_without_convolutions_is_refused() -> None:
    with pytest.raises(ValueError, match="Sequential has no convolution"):
        first_kernels(nn.Sequential(nn.Flatten(), nn.Linear(4, 2)))


def test_weights_that_are_not_finite_count_as_0() -> None:
    weights = np.array([[[[np.nan, 2.0], [np.inf, -1.0]]]], dtype=np.float32)
    assert Kernels("conv", weights).pictures(1).tolist() == [[[0, 1], [0, -0.5]]]


def test_colours_are_scaled_around_mid_grey_by_each_filters_largest_weight() -> None:
    weights = np.zeros((3, 3, 2, 2), dtype=np.float32)
    weights[0, 0, 0, 0], weights[0, 1, 1, 1] = -4, 2  # red above left, green below right
    weights[1, 2] = 0.1
    pictures = Kernels("conv", weights).pictures(64)
    assert pictures.shape == (3, 2, 2, 3)
    assert pictures[0, 0, 0] == pytest.approx([0, 0.5, 0.5])
    assert pictures[0, 1, 1] == pytest.approx([0.5, 0.75, 0.5])
    assert pictures[1, 0, 1] == pytest.approx([0.5, 0.5, 1])
    assert (pictures[2] == 0.5).all()  # a filter that is 0 everywhere


@pytest.mark.parametrize(("channels", "each"), [(1, 1), (2, 2), (16, 4)])
def test_other_channels_become_pictures_of_their_own(channels: int, each: int) -> None:
    weights = torch.randn(6, channels, 3, 3, generator=torch.Generator().manual_seed(0)).numpy()
    pictures = Kernels("conv", weights).pictures(5)
    assert pictures.shape == (5 * each, 3, 3)
    second = weights[1] / abs(weights[1]).max()
    assert np.allclose(pictures[each : 2 * each], second[:each])
