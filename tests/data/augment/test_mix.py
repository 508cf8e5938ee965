"""Mixup and CutMix: against torchvision's with the same weight, box and partners; Beta against scipy's."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from scipy.stats import beta, ks_2samp, kstest
from torch import Generator, Tensor
from torchvision.transforms import v2

from assay.data.augment.mix import (
    box_weights,
    build_mixes,
    draw_beta,
    draw_box_weights,
    draw_even_weights,
    mix,
    mixed,
    one_hot,
)
from quick_suite import rest_slow

Seeded = Callable[..., Generator]

COUNT, CLASSES, HEIGHT, WIDTH = 6, 5, 12, 20
NEIGHBOURS = torch.arange(COUNT).roll(1)  # torchvision's partners


@pytest.fixture
def batch() -> tuple[Tensor, Tensor]:
    generator = Generator().manual_seed(0)
    images = torch.randn(COUNT, 3, HEIGHT, WIDTH, generator=generator)
    return images, one_hot(torch.tensor([0, 1, 2, 3, 4, 0]), CLASSES)


def drawn_by(weights: Callable[..., Tensor], alpha: float) -> NDArray[np.float64]:
    generator = Generator().manual_seed(3)
    shares = [weights(HEIGHT, WIDTH, generator, alpha=alpha).mean().item() for _ in range(1500)]
    return np.round(shares, 4)


@pytest.mark.parametrize("share", [0.0, 0.3, 0.9, 1.0])
def test_mixup_is_torchvisions(share: float, batch: tuple[Tensor, Tensor]) -> None:
    images, targets = batch
    theirs, params = v2.MixUp(num_classes=CLASSES), {"labels": targets, "batch_size": COUNT, "lam": share}
    ours = mixed(images, targets, torch.full((HEIGHT, WIDTH), share), NEIGHBOURS)
    torch.testing.assert_close(ours[0], theirs.transform(images, params), atol=1e-6, rtol=1e-6)
    torch.testing.assert_close(ours[1], theirs.transform(targets, params), atol=1e-6, rtol=1e-6)


@pytest.mark.parametrize("share", [0.0, 0.2, 0.61, 1.0])
@pytest.mark.parametrize(("y", "x"), [(0, 0), (5, 19), (11, 3), (6, 10)])
def test_cutmix_is_torchvisions(share: float, y: int, x: int, batch: tuple[Tensor, Tensor]) -> None:
    """The box around pixel (y, x) from CutMix's equation 2 in whole numbers."""
    images, targets = batch
    half_height = int(HEIGHT * math.sqrt(1 - share) / 2)
    half_width = int(WIDTH * math.sqrt(1 - share) / 2)
    top, bottom = max(0, y - half_height), min(HEIGHT, y + half_height)
    left, right = max(0, x - half_width), min(WIDTH, x + half_width)
    params = {
        "labels": targets,
        "batch_size": COUNT,
        "box": (left, top, right, bottom),
        "lam_adjusted": 1 - (bottom - top) * (right - left) / (HEIGHT * WIDTH),
    }
    centre = torch.tensor([(y + 0.5) / HEIGHT, (x + 0.5) / WIDTH])
    ours = mixed(images, targets, box_weights(HEIGHT, WIDTH, torch.tensor(share), centre), NEIGHBOURS)
    theirs = v2.CutMix(num_classes=CLASSES)
    assert torch.equal(ours[0], theirs.transform(images, params))
    torch.testing.assert_close(ours[1], theirs.transform(targets, params), atol=1e-6, rtol=1e-6)


@pytest.mark.parametrize("alpha", [0.1, 0.2, 0.5, 1.0, 2.0, 8.0])
def test_beta_is_scipys(alpha: float, seeded: Seeded) -> None:
    """To five digits: below alpha 0.5 much of the mass is nearer to 0 and 1 than float32 can tell."""
    generator = seeded(1)
    drawn = torch.stack([draw_beta(alpha, generator) for _ in range(6000)]).double()
    assert ((drawn >= 0) & (drawn <= 1)).all()
    expected = beta(alpha, alpha).rvs(6000, random_state=1).round(5)
    assert ks_2samp(drawn.numpy().round(5), expected).pvalue > 1e-3
    if alpha >= 0.5:
        assert kstest(drawn, beta(alpha, alpha).cdf).pvalue > 1e-3


@pytest.mark.parametrize("alpha", [0.01, 100.0])
def test_beta_of_extreme_alphas_has_its_variance(alpha: float, seeded: Seeded) -> None:
    generator = seeded(1)
    drawn = torch.stack([draw_beta(alpha, generator) for _ in range(5000)]).double()
    assert drawn.isfinite().all()
    assert abs(drawn.var().item() / beta(alpha, alpha).var() - 1) < 0.1


@pytest.mark.parametrize("alpha", rest_slow([0.2, 1.0]))
def test_shares_are_distributed_as_torchvisions(alpha: float) -> None:
    empty = torch.empty(1, HEIGHT, WIDTH)
    with torch.random.fork_rng():
        torch.manual_seed(0)
        boxes = [v2.CutMix(alpha=alpha, num_classes=2).make_params([empty])["lam_adjusted"] for _ in range(1500)]
        evens = [v2.MixUp(alpha=alpha, num_classes=2).make_params([empty])["lam"] for _ in range(1500)]
    assert ks_2samp(drawn_by(draw_box_weights, alpha), np.round(boxes, 4)).pvalue > 1e-3
    assert ks_2samp(drawn_by(draw_even_weights, alpha), np.round(evens, 4)).pvalue > 1e-3


def test_partners_are_a_permutation_of_the_batch(batch: tuple[Tensor, Tensor], seeded: Seeded) -> None:
    """With all weights at zero each image becomes its partner."""
    images, targets = batch
    partners = set()
    for seed in range(60):
        _, labels = mix(images, targets, seeded(seed), draw_weights=lambda height, width, _: torch.zeros(height, width))
        assert torch.equal(labels.sum(0), targets.sum(0))
        partners.add(tuple(labels.argmax(1).tolist()))
    assert len(partners) > 50


@pytest.mark.parametrize("alphas", [{"mixup": 0.2}, {"cutmix": 1.0}, {"mixup": 0.2, "cutmix": 1.0}])
@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last])
def test_mixes_keep_shape_layout_and_input(
    alphas: dict[str, float], layout: torch.memory_format, batch: tuple[Tensor, Tensor], seeded: Seeded
) -> None:
    images, targets = batch[0].contiguous(memory_format=layout), batch[1]
    before = images.clone(), targets.clone()
    mixing = build_mixes(**alphas)
    assert mixing is not None
    mixed_images, mixed_targets = mixing(images, targets, seeded(2))
    assert (mixed_images.shape, mixed_images.stride()) == (images.shape, images.stride())
    assert (mixed_targets.shape, mixed_targets.dtype) == (targets.shape, torch.float32)
    torch.testing.assert_close(mixed_targets.sum(1), torch.ones(COUNT))
    assert torch.equal(images, before[0])
    assert torch.equal(targets, before[1])
    assert torch.equal(mixing(images, targets, seeded(2))[0], mixed_images)
    assert not torch.equal(mixing(images, targets, seeded(3))[0], mixed_images)


def test_no_alpha_no_mix() -> None:
    assert build_mixes() is None
    assert build_mixes(mixup=0.0, cutmix=0.0) is None


def test_one_alpha_is_that_mix(batch: tuple[Tensor, Tensor], seeded: Seeded) -> None:
    """Targets tell the kind: CutMix's shares are whole numbers of pixels, and its pixels come from one image."""
    images = torch.zeros(COUNT, 1, HEIGHT, WIDTH)
    images[0] = 1
    for alphas, levels in (({"mixup": 1.0}, 3), ({"cutmix": 1.0}, 2)):
        mixing = build_mixes(**alphas)
        assert mixing is not None
        kinds = {len(mixing(images, batch[1], seeded(seed))[0].unique()) for seed in range(30)}
        assert max(kinds) == levels


def test_a_coin_chooses_between_both(batch: tuple[Tensor, Tensor]) -> None:
    images = torch.zeros(COUNT, 1, HEIGHT, WIDTH)
    images[0] = 1
    mixing, generator = build_mixes(mixup=1.0, cutmix=1.0), Generator().manual_seed(0)
    assert mixing is not None
    blended = 0
    for _ in range(600):
        pixels, _ = mixing(images, batch[1], generator)
        blended += bool(((pixels > 0) & (pixels < 1)).any())
    share = (1 - 1 / COUNT) / 2  # of batches with mixup, those in which the bright image does not meet itself
    assert abs(blended / 600 - share) < 4 * (share * (1 - share) / 600) ** 0.5


def test_one_hot_is_all_of_the_row_in_the_class() -> None:
    assert one_hot(torch.tensor([2, 0]), 3).tolist() == [[0.0, 0.0, 1.0], [1.0, 0.0, 0.0]]
