"""Random changes to a batch, against torchvision's own functions and the distributions that they have."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import pytest
import torch
import torchvision.transforms.functional as TF
from scipy.stats import chisquare
from torch import Generator, Tensor
from torchvision.transforms import InterpolationMode

from assay.data.augment import (
    build_augmentations,
    crop_padded,
    flip_horizontally,
    pad_and_crop,
    shift_at_random,
)

RANDOM: dict[str, Callable[[Tensor, Generator], Tensor]] = {
    "crop": partial(pad_and_crop, padding=2),
    "shift": partial(shift_at_random, pixels=2),
    "flip": partial(flip_horizontally, probability=0.5),
}
every_augmentation = pytest.mark.parametrize("augment", RANDOM.values(), ids=RANDOM)
moving = pytest.mark.parametrize("augment", [RANDOM["crop"], RANDOM["shift"]], ids=["crop", "shift"])


def seeded(seed: int = 0) -> Generator:
    return Generator().manual_seed(seed)


def pictures(count: int, height: int = 5, width: int = 7, dtype: torch.dtype = torch.uint8) -> Tensor:
    """No pixel is zero, so that the filling can be told from the picture."""
    return torch.randint(1, 256, (count, 3, height, width), generator=seeded(9)).to(dtype)


def all_offsets(padding: int) -> tuple[Tensor, Tensor]:
    side = torch.arange(2 * padding + 1)
    return side.repeat_interleave(len(side)), side.repeat(len(side))


@pytest.mark.parametrize("dtype", [torch.uint8, torch.float32, torch.float16])
@pytest.mark.parametrize("padding", [0, 1, 3, 9])
def test_crop_is_torchvisions_pad_then_crop(padding: int, dtype: torch.dtype) -> None:
    top, left = all_offsets(padding)
    images = pictures(len(top), dtype=dtype)
    cropped = crop_padded(images, top, left, padding=padding)
    for image, crop, y, x in zip(images, cropped, top.tolist(), left.tolist(), strict=True):
        assert torch.equal(crop, TF.crop(TF.pad(image, [padding] * 4), y, x, 5, 7))


def test_shift_is_torchvisions_translation() -> None:
    top, left = all_offsets(2)
    images = pictures(len(top))
    shifted = crop_padded(images, top, left, padding=2)
    for image, shift, y, x in zip(images, shifted, top.tolist(), left.tolist(), strict=True):
        moved = TF.affine(image, 0.0, [2 - x, 2 - y], 1.0, [0.0, 0.0], InterpolationMode.NEAREST, fill=[0.0])
        assert torch.equal(shift, moved)


def drawn_offsets(augment: Callable[[Tensor, Generator], Tensor], count: int) -> Tensor:
    """The middle pixel of a 5x5 picture of the numbers 0..24 tells which of 25 offsets was drawn."""
    numbers = torch.arange(25, dtype=torch.uint8).view(1, 1, 5, 5).expand(count, 1, 5, 5)
    return augment(numbers, seeded(1))[:, 0, 2, 2].long()


@moving
def test_all_offsets_are_equally_likely(augment: Callable[[Tensor, Generator], Tensor]) -> None:
    counts = torch.bincount(drawn_offsets(augment, 20_000), minlength=25)
    assert chisquare(counts).pvalue > 0.01


@moving
def test_each_image_has_an_offset_of_its_own(augment: Callable[[Tensor, Generator], Tensor]) -> None:
    drawn = drawn_offsets(augment, 20_000)
    pairs = torch.bincount(25 * drawn[0::2] + drawn[1::2], minlength=625)  # of neighbours: independent
    assert chisquare(pairs).pvalue > 0.01


@moving
def test_all_channels_move_together(augment: Callable[[Tensor, Generator], Tensor]) -> None:
    moved = augment(pictures(64)[:, :1].expand(-1, 3, -1, -1), seeded())
    assert torch.equal(moved[:, 0], moved[:, 1])
    assert torch.equal(moved[:, 0], moved[:, 2])


def test_probability_one_flips_all_and_zero_none() -> None:
    images = pictures(100)
    assert torch.equal(flip_horizontally(images, seeded(), probability=1.0), TF.hflip(images))
    assert torch.equal(flip_horizontally(images, seeded(), probability=0.0), images)


@pytest.mark.parametrize("probability", [0.1, 0.5, 0.8])
def test_each_image_is_flipped_or_left(probability: float) -> None:
    images = pictures(10_000, 2, 3)
    flipped = flip_horizontally(images, seeded(), probability=probability)
    is_flipped = (flipped == TF.hflip(images)).flatten(1).all(1)
    is_left = (flipped == images).flatten(1).all(1)
    assert (is_flipped | is_left).all()
    palindromes = (is_flipped & is_left).sum().item()
    assert palindromes < 10
    deviation = (probability * (1 - probability) / 10_000) ** 0.5
    assert abs(is_flipped.double().mean().item() - probability) < 4 * deviation + palindromes / 10_000


def test_neighbours_are_flipped_independently() -> None:
    images = torch.tensor([0, 1], dtype=torch.uint8).expand(20_000, 1, 1, 2)
    drawn = flip_horizontally(images, seeded(), probability=0.5)[:, 0, 0, 0].long()
    assert chisquare(torch.bincount(2 * drawn[0::2] + drawn[1::2], minlength=4)).pvalue > 0.01


@every_augmentation
@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last])
@pytest.mark.parametrize("dtype", [torch.uint8, torch.float32])
def test_shape_type_and_layout_are_kept(
    augment: Callable[[Tensor, Generator], Tensor], layout: torch.memory_format, dtype: torch.dtype
) -> None:
    images = pictures(4, dtype=dtype).contiguous(memory_format=layout)
    before = images.clone()
    after = augment(images, seeded())
    assert (after.shape, after.dtype, after.stride()) == (images.shape, dtype, images.stride())
    assert torch.equal(images, before)


@every_augmentation
def test_same_seed_same_bits(augment: Callable[[Tensor, Generator], Tensor]) -> None:
    images = pictures(64)
    first, again, other = (augment(images, seeded(seed)) for seed in (5, 5, 6))
    assert torch.equal(first, again)
    assert not torch.equal(first, other)


@every_augmentation
def test_global_random_state_is_not_touched(augment: Callable[[Tensor, Generator], Tensor]) -> None:
    before = torch.random.get_rng_state()
    augment(pictures(4), seeded())
    assert torch.equal(before, torch.random.get_rng_state())


def test_strength_zero_leaves_an_augmentation_out() -> None:
    assert build_augmentations() == []
    assert build_augmentations(crop=0, translate=0, flip=0.0) == []


@pytest.mark.parametrize(
    ("options", "alone"),
    [({"crop": 2}, RANDOM["crop"]), ({"translate": 2}, RANDOM["shift"]), ({"flip": 0.5}, RANDOM["flip"])],
)
def test_each_strength_reaches_its_augmentation(
    options: dict[str, int], alone: Callable[[Tensor, Generator], Tensor]
) -> None:
    (built,) = build_augmentations(**options)
    assert torch.equal(built(pictures(64), seeded()), alone(pictures(64), seeded()))


def test_order_is_crop_translate_flip() -> None:
    generator, images = seeded(), pictures(64)
    expected = pad_and_crop(images, generator, padding=1)
    expected = shift_at_random(expected, generator, pixels=3)
    expected = flip_horizontally(expected, generator, probability=0.5)
    generator = seeded()
    for augment in build_augmentations(flip=0.5, translate=3, crop=1):
        images = augment(images, generator)
    assert torch.equal(images, expected)
