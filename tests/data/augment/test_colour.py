"""Colours: against torchvision's own functions with the same factors, formulas in float64, and its distributions."""

from __future__ import annotations

from collections.abc import Callable
from itertools import permutations

import numpy as np
import pytest
import torch
from scipy.stats import chisquare, ks_2samp, kstest
from torch import Generator, Tensor
from torchvision.transforms import v2

from assay.data.augment.colour import (
    IMAGENET_EIGENVALUES,
    IMAGENET_EIGENVECTORS,
    add_colours,
    add_pca_noise,
    adjust_brightness,
    adjust_contrast,
    adjust_hue,
    adjust_saturation,
    draw_factors,
    draw_orders,
    grey_at_random,
    grey_levels,
    greyed,
    jitter_colours,
    jittered,
)

Seeded = Callable[..., Generator]
Pictures = Callable[..., Tensor]
Function = Callable[[Tensor, float], Tensor]

OURS = [adjust_brightness, adjust_contrast, adjust_saturation, adjust_hue]
THEIRS: list[Function] = [
    v2.functional.adjust_brightness,
    v2.functional.adjust_contrast,
    v2.functional.adjust_saturation,
    v2.functional.adjust_hue,
]
FACTORS = torch.cat([torch.tensor([0.0, 1.0]), torch.linspace(0.1, 3.0, 118)])
TURNS = torch.cat([torch.tensor([0.0, -0.5, 0.5]), torch.linspace(-0.49, 0.49, 117)])
JITTERS = pytest.mark.parametrize(
    ("ours", "theirs", "values"),
    list(zip(OURS, THEIRS, [FACTORS, FACTORS, FACTORS, TURNS], strict=True)),
    ids=["brightness", "contrast", "saturation", "hue"],
)


@JITTERS
@pytest.mark.parametrize("channels", [3, 1])
def test_jitter_is_torchvisions(
    ours: Callable[[Tensor, Tensor], Tensor], theirs: Function, values: Tensor, channels: int, pictures: Pictures
) -> None:
    """Equal, but for one grey level in one value of 1000 where the sums are rounded otherwise."""
    if channels == 1 and ours is adjust_hue:
        pytest.skip("needs colour")
    images = pictures(120, channels)
    changed = ours(images, values)
    expected = torch.stack([theirs(image, value) for image, value in zip(images, values.tolist(), strict=True)])
    difference = (changed.int() - expected.int()).abs()
    assert changed.dtype == torch.uint8
    assert difference.max() <= 1
    assert difference.double().mean() < 1e-3


@JITTERS
def test_neutral_jitter_changes_nothing(
    ours: Callable[[Tensor, Tensor], Tensor],
    theirs: Function,  # noqa: ARG001
    values: Tensor,
    pictures: Pictures,
) -> None:
    neutral = torch.zeros(8) if values is TURNS else torch.ones(8)
    images = pictures(8)
    assert torch.equal(ours(images, neutral), images)


def test_jitters_follow_each_image_s_own_order(pictures: Pictures, seeded: Seeded) -> None:
    """All 24 orders; a rounding may differ early and be amplified by what follows, in a few values."""
    orders = torch.tensor(list(permutations(range(4)))).repeat(5, 1)
    images = pictures(120)
    factors = draw_factors(120, seeded(), (0.4, 0.4, 0.4, 0.3))
    changed = jittered(images, factors, orders, OURS)
    expected = images.clone()
    for number, order in enumerate(orders.tolist()):
        for kind in order:
            expected[number] = THEIRS[kind](expected[number], factors[number, kind].item())
    difference = (changed.int() - expected.int()).abs()
    assert (difference > 0).double().mean() < 2e-3
    assert (difference > 1).double().mean() < 2e-4


def test_an_image_is_jittered_as_if_it_were_alone(pictures: Pictures, seeded: Seeded) -> None:
    images, factors = pictures(40), draw_factors(40, seeded(), (0.4, 0.4, 0.4, 0.3))
    orders = draw_orders(40, 4, seeded(1))
    together = jittered(images, factors, orders, OURS)
    for number in range(40):
        alone = slice(number, number + 1)
        assert torch.equal(jittered(images[alone], factors[alone], orders[alone], OURS), together[alone])


@pytest.mark.parametrize("width", [0.2, 0.4, 1.5])
def test_factors_are_distributed_as_torchvisions(width: float, seeded: Seeded) -> None:
    ours = draw_factors(10_000, seeded(), (width, width, width, width / 3))
    theirs = v2.ColorJitter(width, width, width, width / 3)
    with torch.random.fork_rng():
        torch.manual_seed(0)
        drawn = [theirs.make_params([]) for _ in range(10_000)]
    for column, name in enumerate(("brightness", "contrast", "saturation", "hue")):
        assert ks_2samp(ours[:, column], [params[f"{name}_factor"] for params in drawn]).pvalue > 1e-3, name
    correlations = torch.corrcoef(ours.T) - torch.eye(4)
    assert correlations.abs().max() < 0.05


def test_jitters_of_width_zero_draw_nothing(seeded: Seeded) -> None:
    factors = draw_factors(5000, seeded(), (0.0, 0.5, 0.0, 0.1))
    assert factors.shape == (5000, 2)
    assert kstest(factors[:, 0], "uniform", (0.5, 1.0)).pvalue > 1e-3
    assert kstest(factors[:, 1], "uniform", (-0.1, 0.2)).pvalue > 1e-3


def test_all_orders_are_equally_likely(seeded: Seeded) -> None:
    orders = draw_orders(24_000, 4, seeded())
    assert torch.equal(orders.sort(1).values, torch.arange(4).expand(24_000, 4))
    codes = (orders * torch.tensor([64, 16, 4, 1])).sum(1)
    counts = torch.bincount(codes, minlength=256)
    assert chisquare(counts[counts > 0]).pvalue > 1e-3
    assert (counts > 0).sum() == 24


@pytest.mark.parametrize(
    ("widths", "changes"),
    [
        ({"hue": 0.2}, [adjust_hue]),
        ({"saturation": 0.4, "brightness": 0.4, "hue": 0.4}, [adjust_brightness, adjust_saturation, adjust_hue]),
        ({"contrast": 0.3, "brightness": 0.3}, [adjust_brightness, adjust_contrast]),
    ],
)
def test_jitter_draws_factors_and_then_orders(
    widths: dict[str, float],
    changes: list[Callable[[Tensor, Tensor], Tensor]],
    pictures: Pictures,
    seeded: Seeded,
) -> None:
    images, generator = pictures(50), seeded(4)
    in_order = [widths.get(name, 0.0) for name in ("brightness", "contrast", "saturation", "hue")]
    factors = draw_factors(50, generator, in_order)
    expected = jittered(images, factors, draw_orders(50, len(changes), generator), changes)
    assert torch.equal(jitter_colours(images, seeded(4), **widths), expected)


def test_grey_levels_are_torchvisions(pictures: Pictures) -> None:
    images = pictures(40)
    expected = v2.functional.rgb_to_grayscale(images, num_output_channels=3)
    assert torch.equal(greyed(images, torch.ones(40, dtype=torch.bool)), expected)
    assert torch.equal(grey_levels(images)[:, 0].to(torch.uint8), expected[:, 1])


@pytest.mark.parametrize("probability", [0.0, 0.1, 0.7, 1.0])
def test_each_image_loses_its_colour_or_stays(probability: float, seeded: Seeded) -> None:
    images = torch.tensor([200, 100, 50], dtype=torch.uint8).view(1, 3, 1, 1).expand(20_000, 3, 1, 1)
    after = grey_at_random(images, seeded(), probability=probability).flatten(1)
    grey = (after == 124).all(1)  # 0.299 * 200 + 0.587 * 100 + 0.114 * 50 = 124.2
    assert (grey | (after == images.flatten(1)).all(1)).all()
    deviation = (probability * (1 - probability) / 20_000) ** 0.5
    assert abs(grey.double().mean().item() - probability) <= 4 * deviation


def test_added_colours_are_rounded_and_cut_off() -> None:
    images = torch.tensor([[0, 128, 255], [10, 128, 250]], dtype=torch.uint8).view(2, 3, 1, 1)
    colours = torch.tensor([[-3.0, 2.4, 0.6], [-300.0, -2.6, 4.6]])
    assert add_colours(images, colours).flatten(1).tolist() == [[0, 130, 255], [0, 125, 255]]


@pytest.mark.parametrize("std", [0.1, 0.5])
def test_pca_noise_has_the_covariance_of_its_axes(std: float, seeded: Seeded) -> None:
    """Krizhevsky et al. 2012: [p1 p2 p3] [a1 l1, a2 l2, a3 l3], so the covariance is P diag(std l)^2 P'."""
    grey = torch.full((40_000, 3, 1, 1), 128, dtype=torch.uint8)
    noise = add_pca_noise(grey, seeded(), std=std).flatten(1).double().numpy() - 128
    axes, scales = np.array(IMAGENET_EIGENVECTORS), 255 * std * np.array(IMAGENET_EIGENVALUES)
    expected = axes @ np.diag(scales**2) @ axes.T + np.eye(3) / 12  # rounding to whole levels adds 1/12
    assert np.abs(noise.mean(0)).max() < 5 * np.sqrt(expected[0, 0] / 40_000)
    assert np.abs(np.cov(noise.T) - expected).max() < 0.05 * expected.max()


def test_pca_noise_of_given_axes_is_the_formula(seeded: Seeded) -> None:
    values, vectors = (0.5, 0.25, 0.125), ((1.0, 0.0, 0.0), (0.0, 0.0, 2.0), (0.0, -1.0, 0.0))
    grey = torch.full((100, 3, 2, 2), 128, dtype=torch.uint8)
    noisy = add_pca_noise(grey, seeded(), std=0.1, eigenvalues=values, eigenvectors=vectors)
    weights = 0.1 * torch.randn(100, 3, generator=seeded()).double().numpy()
    colours = 255 * np.stack([0.5 * weights[:, 0], 2 * 0.125 * weights[:, 2], -0.25 * weights[:, 1]], 1)
    expected = np.clip(np.round(128 + colours), 0, 255)
    assert np.array_equal(noisy.numpy(), np.broadcast_to(expected[:, :, None, None], (100, 3, 2, 2)))


def test_pca_axes_are_orthonormal() -> None:
    axes = np.array(IMAGENET_EIGENVECTORS)
    np.testing.assert_allclose(axes.T @ axes, np.eye(3), atol=1e-3)


@pytest.mark.parametrize(
    ("field", "change"),
    [
        ("saturation", lambda images, generator: jitter_colours(images, generator, saturation=0.1, hue=0.1)),
        ("hue", lambda images, generator: jitter_colours(images, generator, brightness=0.1, hue=0.1)),
        ("pca_noise", lambda images, generator: add_pca_noise(images, generator, std=0.1)),
        ("grayscale", lambda images, generator: grey_at_random(images, generator, probability=0.1)),
    ],
)
def test_what_needs_colour_says_so(
    field: str, change: Callable[[Tensor, Generator], Tensor], pictures: Pictures, seeded: Seeded
) -> None:
    with pytest.raises(ValueError, match=rf"^augment\.{field} needs colour images, these have 1 channel$"):
        change(pictures(2, 1), seeded())
