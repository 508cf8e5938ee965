"""Erasing: the same boxes as torchvision's function fills, drawn from the same distributions."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from scipy.stats import chisquare, ks_2samp
from torch import Generator, Tensor
from torchvision.transforms import v2

from assay.data.augment.boxes import Boxes
from assay.data.augment.erase import cut_out, draw_cutouts, draw_erasures, erase_at_random, erased
from quick_suite import rest_slow

Seeded = Callable[..., Generator]
Pictures = Callable[..., Tensor]


@pytest.mark.parametrize(("channels", "fill"), [(3, (0,)), (3, (7, 8, 9)), (1, (3,))])
def test_erasing_is_torchvisions(channels: int, fill: tuple[int, ...], pictures: Pictures, seeded: Seeded) -> None:
    images = pictures(100, channels, 12, 20)
    boxes = draw_erasures(100, 12, 20, seeded(), probability=0.8)
    colour = torch.tensor(fill, dtype=torch.uint8).view(-1, 1, 1)
    expected = [
        v2.functional.erase(image, top, left, height, width, colour)
        for image, top, left, height, width in zip(
            images, *(side.tolist() for side in (boxes.top, boxes.left, boxes.height, boxes.width)), strict=True
        )
    ]
    assert torch.equal(erased(images, boxes, fill), torch.stack(expected))
    assert torch.equal(erase_at_random(images, seeded(), probability=0.8, fill=fill), torch.stack(expected))


@pytest.mark.parametrize(("height", "width"), rest_slow([(12, 60), (32, 32), (8, 8), (5, 5)]))
def test_boxes_are_distributed_as_torchvisions(height: int, width: int, seeded: Seeded) -> None:
    """Of the small and of the flat ones many do not fit; where ten do not, nothing is erased."""
    count = 8000
    ours = draw_erasures(count, height, width, seeded(), probability=1.0)
    theirs = v2.RandomErasing(1.0)
    with torch.random.fork_rng():
        torch.manual_seed(0)
        drawn = [theirs.make_params([torch.empty(3, height, width)]) for _ in range(count)]
    kept = [params for params in drawn if params["v"] is not None]
    found = (ours.height > 0) & (ours.width > 0)
    empty = count - len(kept) + sum(params["h"] * params["w"] == 0 for params in kept)
    assert abs(int((~found).sum()) - empty) <= 5 * (empty + 1) ** 0.5
    for name, key in (("top", "i"), ("left", "j"), ("height", "h"), ("width", "w")):
        expected = [params[key] for params in kept if params["h"] * params["w"]]
        assert ks_2samp(getattr(ours, name)[found], expected).pvalue > 1e-3, name
    area = [params["h"] * params["w"] for params in kept if params["h"] * params["w"]]
    assert ks_2samp((ours.height * ours.width)[found], area).pvalue > 1e-3


@pytest.mark.parametrize("probability", [0.0, 0.25, 1.0])
def test_share_of_erased_images(probability: float, seeded: Seeded) -> None:
    boxes = draw_erasures(20_000, 32, 32, seeded(), probability=probability)
    deviation = (probability * (1 - probability) / 20_000) ** 0.5
    assert abs((boxes.height > 0).double().mean().item() - probability) <= 4 * deviation
    assert torch.equal(boxes.height > 0, boxes.width > 0)


def test_nothing_is_erased_where_no_box_can_fit(seeded: Seeded) -> None:
    images = torch.full((20, 3, 1, 1), 9, dtype=torch.uint8)
    assert torch.equal(erase_at_random(images, seeded(), probability=1.0), images)


def test_a_cutout_is_cut_off_at_the_border() -> None:
    """A hand-worked case: side 4 around pixel (0, 2) of a 5x5 image covers rows 0-1, columns 0-3."""
    images = torch.full((1, 1, 5, 5), 9, dtype=torch.uint8)
    boxes = Boxes(*(torch.tensor([value]) for value in (0 - 2, 2 - 2, 4, 4)))
    expected = images.clone()
    expected[:, :, :2, :4] = 0
    assert torch.equal(erased(images, boxes), expected)


@pytest.mark.parametrize("side", [1, 4, 5])
def test_every_pixel_is_as_likely_a_cutouts_centre(side: int, seeded: Seeded) -> None:
    boxes = draw_cutouts(12_000, 3, 4, seeded(), side=side)
    centres = 4 * (boxes.top + side // 2) + boxes.left + side // 2
    assert chisquare(torch.bincount(centres, minlength=12)).pvalue > 1e-3
    assert (boxes.height == side).all()
    assert (boxes.width == side).all()


def test_a_cutout_draws_its_boxes(pictures: Pictures, seeded: Seeded) -> None:
    images = pictures(30)
    expected = erased(images, draw_cutouts(30, 16, 16, seeded(1), side=6), (5, 6, 7))
    assert torch.equal(cut_out(images, seeded(1), side=6, fill=(5, 6, 7)), expected)
    assert not torch.equal(expected, images)


def test_a_cutout_larger_than_twice_the_image_takes_all(pictures: Pictures, seeded: Seeded) -> None:
    assert not cut_out(pictures(5), seeded(), side=64).any()
