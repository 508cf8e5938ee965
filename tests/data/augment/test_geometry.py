"""Moving pixels: against torchvision's own functions and the distributions that they have."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch
import torchvision.transforms.functional as TF
from scipy.stats import chisquare, ks_2samp, kstest
from torch import Generator, Tensor
from torch.nn.functional import interpolate
from torchvision.transforms import InterpolationMode, v2

from assay.data.augment.boxes import Boxes
from assay.data.augment.draw import Draw, uniform, whole_up_to
from assay.data.augment.geometry import (
    coins,
    crop_padded,
    draw_crops,
    flip_alternately,
    flip_horizontally,
    pad_and_crop,
    padded_by_reflection,
    resized,
    resized_crop_at_random,
    rotate_at_random,
    rotated,
)
from quick_suite import rest_slow

Seeded = Callable[..., Generator]
Pictures = Callable[..., Tensor]
Change = Callable[[Tensor, Generator], Tensor]


def bright(count: int, dtype: torch.dtype = torch.uint8) -> Tensor:
    """5x7 pictures in which no pixel is zero, so that the filling can be told from the picture."""
    return torch.randint(1, 256, (count, 3, 5, 7), generator=Generator().manual_seed(9)).to(dtype)


def all_offsets(padding: int) -> tuple[Tensor, Tensor]:
    side = torch.arange(2 * padding + 1)
    return side.repeat_interleave(len(side)), side.repeat(len(side))


@pytest.mark.parametrize("dtype", [torch.uint8, torch.float32, torch.float16])
@pytest.mark.parametrize("padding", [0, 1, 3, 9])
def test_crop_is_torchvisions_pad_then_crop(padding: int, dtype: torch.dtype) -> None:
    top, left = all_offsets(padding)
    images = bright(len(top), dtype)
    cropped = crop_padded(images, top, left, padding=padding)
    for image, crop, y, x in zip(images, cropped, top.tolist(), left.tolist(), strict=True):
        assert torch.equal(crop, TF.crop(TF.pad(image, [padding] * 4), y, x, 5, 7))


@pytest.mark.parametrize("dtype", [torch.uint8, torch.float32])
@pytest.mark.parametrize("padding", [0, 1, 4])
def test_a_gap_is_filled_with_torchvisions_reflection(padding: int, dtype: torch.dtype) -> None:
    top, left = all_offsets(padding)
    images = bright(len(top), dtype)
    cropped = crop_padded(images, top, left, padding=padding, gap="reflect")
    for image, crop, y, x in zip(images, cropped, top.tolist(), left.tolist(), strict=True):
        assert torch.equal(crop, TF.crop(TF.pad(image, [padding] * 4, padding_mode="reflect"), y, x, 5, 7))


def test_a_gap_wider_than_the_image_is_reflected_again() -> None:
    """Against NumPy, which goes to and fro."""
    images = bright(2)
    expected = np.pad(images.numpy(), ((0, 0), (0, 0), (13, 13), (13, 13)), mode="reflect")
    assert np.array_equal(padded_by_reflection(images, 13).numpy(), expected)
    assert torch.equal(padded_by_reflection(images[..., :1], 3)[..., 3:-3, :], images[..., :1].expand(-1, -1, -1, 7))


def test_shift_is_torchvisions_translation() -> None:
    top, left = all_offsets(2)
    images = bright(len(top))
    shifted = crop_padded(images, top, left, padding=2)
    for image, shift, y, x in zip(images, shifted, top.tolist(), left.tolist(), strict=True):
        moved = TF.affine(image, 0.0, [2 - x, 2 - y], 1.0, [0.0, 0.0], InterpolationMode.NEAREST, fill=[0.0])
        assert torch.equal(shift, moved)


def drawn_offsets(count: int) -> Tensor:
    """The middle pixel of a 5x5 picture of the numbers 0..24 tells which of 25 offsets was drawn."""
    numbers = torch.arange(25, dtype=torch.uint8).view(1, 1, 5, 5).expand(count, 1, 5, 5)
    return pad_and_crop(numbers, Generator().manual_seed(1), padding=2)[:, 0, 2, 2].long()


def test_all_offsets_are_equally_likely() -> None:
    counts = torch.bincount(drawn_offsets(20_000), minlength=25)
    assert chisquare(counts).pvalue > 0.01


def test_each_image_has_an_offset_of_its_own() -> None:
    drawn = drawn_offsets(20_000)
    pairs = torch.bincount(25 * drawn[0::2] + drawn[1::2], minlength=625)  # of neighbours: independent
    assert chisquare(pairs).pvalue > 0.01


def test_all_channels_move_together(seeded: Seeded) -> None:
    moved = pad_and_crop(bright(64)[:, :1].expand(-1, 3, -1, -1), seeded(), padding=2)
    assert torch.equal(moved[:, 0], moved[:, 1])
    assert torch.equal(moved[:, 0], moved[:, 2])


def test_probability_one_flips_all_and_zero_none(seeded: Seeded) -> None:
    images = bright(100)
    assert torch.equal(flip_horizontally(images, seeded(), probability=1.0), TF.hflip(images))
    assert torch.equal(flip_horizontally(images, seeded(), probability=0.0), images)


@pytest.mark.parametrize("probability", [0.1, 0.5, 0.8])
def test_each_image_is_flipped_or_left(probability: float, seeded: Seeded) -> None:
    images = bright(10_000)
    flipped = flip_horizontally(images, seeded(), probability=probability)
    is_flipped = (flipped == TF.hflip(images)).flatten(1).all(1)
    is_left = (flipped == images).flatten(1).all(1)
    assert (is_flipped ^ is_left).all()
    deviation = (probability * (1 - probability) / 10_000) ** 0.5
    assert abs(is_flipped.double().mean().item() - probability) < 4 * deviation


def test_neighbours_are_flipped_independently(seeded: Seeded) -> None:
    images = torch.tensor([0, 1], dtype=torch.uint8).expand(20_000, 1, 1, 2)
    drawn = flip_horizontally(images, seeded(), probability=0.5)[:, 0, 0, 0].long()
    assert chisquare(torch.bincount(2 * drawn[0::2] + drawn[1::2], minlength=4)).pvalue > 0.01


def flipped_rows(rows: Tensor, epoch: int, generator: Generator) -> list[bool]:
    images = torch.tensor([0, 1], dtype=torch.uint8).expand(len(rows), 1, 1, 2)
    return flip_alternately(images, Draw(generator, epoch, rows))[:, 0, 0, 0].bool().tolist()


def test_alternate_flip_shows_both_sides_in_any_two_epochs(seeded: Seeded) -> None:
    rows = torch.arange(1000)
    shown = [flipped_rows(rows, epoch, seeded(epoch)) for epoch in range(4)]
    assert all(before != after for before, after in zip(shown[0], shown[1], strict=True))
    assert shown[2] == shown[0]
    assert shown[3] == shown[1]


def test_alternate_flip_goes_by_the_row_and_not_by_its_place_in_the_batch(seeded: Seeded) -> None:
    order = torch.randperm(1000, generator=seeded())
    straight, mixed = (flipped_rows(rows, 0, seeded()) for rows in (torch.arange(1000), order))
    assert [straight[row] for row in order.tolist()] == mixed


def test_first_flips_are_like_fair_independent_coins() -> None:
    drawn = coins(torch.arange(60_000))
    for step in (1, 2, 3, 8, 100, 1000, 4096):
        pairs = torch.bincount(2 * drawn[:-step] + drawn[step:], minlength=4)
        assert chisquare(pairs).pvalue > 1e-3
    threes = 4 * drawn[0::3] + 2 * drawn[1::3] + drawn[2::3]
    assert chisquare(torch.bincount(threes, minlength=8)).pvalue > 1e-3


@pytest.mark.parametrize(("channels", "height", "width"), [(3, 32, 32), (1, 9, 16)])
def test_rotation_is_torchvisions(channels: int, height: int, width: int, pictures: Pictures) -> None:
    """Where a source lies in the middle of two pixels the roundings may differ: one pixel in 2000 at most."""
    angles = torch.cat([torch.tensor([0.0, 180.0, -180.0]), torch.linspace(-179, 179, 197)])
    images = pictures(200, channels, height, width)
    turned = rotated(images, angles)
    expected = [v2.functional.rotate(image, angle) for image, angle in zip(images, angles.tolist(), strict=True)]
    assert (turned != torch.stack(expected)).double().mean() < 5e-4


def test_quarter_turns_are_exact(pictures: Pictures) -> None:
    images = pictures(3)
    turned = rotated(images, torch.tensor([90.0, -90.0, 0.0]))
    assert torch.equal(turned[0], torch.rot90(images[0], 1, (1, 2)))
    assert torch.equal(turned[1], torch.rot90(images[1], -1, (1, 2)))
    assert torch.equal(turned[2], images[2])


def test_angles_are_even_between_the_limits(seeded: Seeded, pictures: Pictures) -> None:
    angles = uniform(-15, 15, 20_000, generator=seeded())
    assert kstest(angles, "uniform", (-15, 30)).pvalue > 1e-3
    images = pictures(50)
    expected = rotated(images, uniform(-15, 15, 50, generator=seeded(3)))
    assert torch.equal(rotate_at_random(images, seeded(3), degrees=15), expected)


def test_whole_numbers_are_even_up_to_their_largest(seeded: Seeded) -> None:
    drawn = whole_up_to(torch.tensor([0, 4]).repeat(10_000), seeded()).view(-1, 2)
    assert not drawn[:, 0].any()
    assert chisquare(torch.bincount(drawn[:, 1], minlength=5)).pvalue > 1e-3


@pytest.mark.parametrize(
    ("height", "width", "smallest"),
    rest_slow([(24, 64, 0.3), (32, 32, 0.08), (8, 8, 0.3), (64, 24, 0.6), (32, 64, 0.7)]),
)
def test_crops_are_distributed_as_torchvisions(height: int, width: int, smallest: float, seeded: Seeded) -> None:
    """The elongated ones have the central fallback in them."""
    count = 4000
    ours = draw_crops(count, height, width, seeded(), smallest=smallest)
    theirs = v2.RandomResizedCrop(8, scale=(smallest, 1.0))
    with torch.random.fork_rng():
        torch.manual_seed(0)
        expected = [theirs.make_params([torch.empty(3, height, width)]) for _ in range(count)]
    for name in ("top", "left", "height", "width"):
        assert ks_2samp(getattr(ours, name), [params[name] for params in expected]).pvalue > 1e-3, name
    area = [params["height"] * params["width"] for params in expected]
    aspect = [params["height"] / params["width"] for params in expected]
    assert ks_2samp(ours.height * ours.width, area).pvalue > 1e-3
    assert ks_2samp(ours.height.double() / ours.width, aspect).pvalue > 1e-3


@pytest.mark.parametrize(("channels", "height", "width"), [(3, 32, 32), (1, 9, 20)])
def test_resized_crop_is_torchvisions(channels: int, height: int, width: int, pictures: Pictures) -> None:
    """Within one grey level of torchvision's uint8 way, and the nearest level to the float64 value (but for ties)."""
    images = pictures(300, channels, height, width)
    boxes = draw_crops(300, height, width, Generator().manual_seed(1), smallest=0.05)
    enlarged = resized(images, boxes)
    for number, image in enumerate(images):
        top, left, h, w = (int(side[number]) for side in (boxes.top, boxes.left, boxes.height, boxes.width))
        expected = v2.functional.resized_crop(image, top, left, h, w, [height, width], antialias=True)
        assert (enlarged[number].int() - expected.int()).abs().max() <= 1
        part = image[None, :, top : top + h, left : left + w].double()
        exact = interpolate(part, (height, width), mode="bilinear", antialias=True)[0]
        assert (enlarged[number] - exact).abs().max() < 0.5001


def test_the_whole_image_as_its_crop_stays(pictures: Pictures) -> None:
    images = pictures(4)
    zero, side = torch.zeros(4, dtype=torch.int64), torch.full((4,), 16)
    assert torch.equal(resized(images, Boxes(zero, zero, side, side)), images)


def test_a_resized_crop_draws_its_boxes(pictures: Pictures, seeded: Seeded) -> None:
    images = pictures(20)
    expected = resized(images, draw_crops(20, 16, 16, seeded(2), smallest=0.2))
    assert torch.equal(resized_crop_at_random(images, seeded(2), smallest=0.2), expected)
