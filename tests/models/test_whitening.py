"""The whitening filters, against NumPy's singular vectors and by what they do to patches."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.testing import assert_close

from assay.models.whitening import fit_whitening, whitening_layer


def smooth_images() -> Tensor:
    """Noise whose neighbours and channels are alike, as those of photos are."""
    noise = torch.randn(40, 3, 12, 12, generator=torch.Generator().manual_seed(0))
    return nn.functional.avg_pool2d(noise, 3, stride=1) + 0.3 * noise.mean(1, keepdim=True)[..., 1:-1, 1:-1]


def patches(images: Tensor, side: int) -> np.ndarray:
    """All of them, by hand: float64 ``[N, C x side x side]``."""
    height = images.shape[2] - side + 1
    windows = [images[:, :, y : y + side, x : x + side].flatten(1) for y in range(height) for x in range(height)]
    return torch.cat(windows).double().numpy()


def fitted(filters: int, side: int = 2) -> nn.Conv2d:
    layer = nn.Conv2d(3, filters, side)
    fit_whitening(layer, smooth_images().split(15))
    return layer


def test_filters_are_numpys_singular_vectors() -> None:
    layer, all_patches = fitted(24), patches(smooth_images(), 2)
    _, values, directions = np.linalg.svd(all_patches, full_matrices=False)
    expected = directions / np.sqrt(values**2 / len(all_patches) + 5e-4)[:, None]
    filters = layer.weight.detach().flatten(1).double().numpy()
    assert np.abs(np.abs(filters[:12]) - np.abs(expected)).max() < 1e-3
    assert np.array_equal(filters[12:], -filters[:12])


@torch.no_grad()
def test_outputs_are_white() -> None:
    """Their second moments are the identity, but for the small number that guards against division by zero."""
    layer = fitted(24)
    outputs = nn.functional.conv2d(smooth_images(), layer.weight[:12]).transpose(0, 1).flatten(1)
    moments = outputs @ outputs.T / outputs.shape[1]
    assert_close(moments, torch.diag(moments.diag()), atol=1e-4, rtol=0)
    assert moments.diag().min() > 0.9
    assert moments.diag().max() < 1.0001


def test_fewer_filters_are_the_directions_of_largest_variance() -> None:
    assert_close(fitted(8).weight[:4], fitted(24).weight[:4])


def test_the_bias_stays() -> None:
    layer = nn.Conv2d(3, 6, 2)
    before = layer.bias.detach().clone()  # type: ignore[union-attr]
    fit_whitening(layer, [smooth_images()])
    assert torch.equal(layer.bias, before)  # type: ignore[arg-type]


def test_the_first_convolution_is_taken() -> None:
    network = nn.Sequential(nn.Sequential(nn.Identity(), nn.Conv2d(3, 24, 2)), nn.Conv2d(24, 8, 3))
    assert whitening_layer(network) is network[0][1]


@pytest.mark.parametrize(
    ("layer", "message"),
    [
        (nn.Linear(3, 4), "the network has no convolution"),
        (
            nn.Conv2d(3, 26, 2),
            "the first convolution has 26 filters; expected an even number of at most",
        ),
        (nn.Conv2d(3, 7, 2), "the first convolution has 7 filters; expected an even number"),
    ],
)
def test_a_layer_that_cannot_whiten_is_refused(layer: nn.Module, message: str) -> None:
    with pytest.raises(ValueError, match=rf"^transfer\.whiten: {message}"):
        whitening_layer(nn.Sequential(layer))
