"""From strengths to augmentations, of whole batches and of single images: every field does something in both."""

from __future__ import annotations

import pickle
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Generator, Tensor
from torchvision.transforms import v2

from assay.data.augment.build import build_augmentations, build_transform
from assay.data.augment.colour import add_pca_noise, grey_at_random, jitter_colours
from assay.data.augment.draw import Draw
from assay.data.augment.erase import cut_out, erase_at_random
from assay.data.augment.geometry import (
    flip_horizontally,
    pad_and_crop,
    resized_crop_at_random,
    rotate_at_random,
)
from assay.data.augment.policies import rand_augment, trivial_augment
from assay.data.augment.strengths import Strengths
from assay.data.preprocess import Preprocessing

Seeded = Callable[..., Generator]
Pictures = Callable[..., Tensor]

ALONE: dict[str, tuple[dict[str, Any], Callable[[Tensor, Generator], Tensor]]] = {
    "resized_crop": ({"resized_crop": 0.1}, partial(resized_crop_at_random, smallest=0.1)),
    "crop": ({"crop": 2}, partial(pad_and_crop, padding=2)),
    "translate": ({"translate": 2}, partial(pad_and_crop, padding=2)),
    "flip": ({"flip": 0.5}, partial(flip_horizontally, probability=0.5)),
    "rotation": ({"rotation": 30.0}, partial(rotate_at_random, degrees=30.0)),
    "policy": ({"policy": "trivial"}, trivial_augment),
    "policy rand": ({"policy": "rand"}, rand_augment),
    "rand_ops": ({"policy": "rand", "rand_ops": 3}, partial(rand_augment, operations=3)),
    "rand_magnitude": ({"policy": "rand", "rand_magnitude": 20}, partial(rand_augment, magnitude=20)),
    "brightness": ({"brightness": 0.4}, partial(jitter_colours, brightness=0.4)),
    "contrast": ({"contrast": 0.4}, partial(jitter_colours, contrast=0.4)),
    "saturation": ({"saturation": 0.4}, partial(jitter_colours, saturation=0.4)),
    "hue": ({"hue": 0.2}, partial(jitter_colours, hue=0.2)),
    "pca_noise": ({"pca_noise": 0.5}, partial(add_pca_noise, std=0.5)),
    "grayscale": ({"grayscale": 0.5}, partial(grey_at_random, probability=0.5)),
    "erase": ({"erase": 0.5}, partial(erase_at_random, probability=0.5)),
    "cutout": ({"cutout": 6}, partial(cut_out, side=6)),
}
FIELDS = {
    **{name: fields for name, (fields, _) in ALONE.items()},
    "alternate_flip": {"alternate_flip": True},
    "gap": {"crop": 3, "gap": "reflect"},
}
COLOURLESS = {
    name: fields for name, fields in FIELDS.items() if name not in ("saturation", "hue", "pca_noise", "grayscale")
}
STREAMED = {name: fields for name, fields in FIELDS.items() if name != "alternate_flip"}
NOT_OF_PIXELS = {"mixup", "cutmix"}

each_field = pytest.mark.parametrize("fields", FIELDS.values(), ids=FIELDS)


def augmented(images: Tensor, fields: dict[str, Any], generator: Generator) -> Tensor:
    draw = Draw(generator, 0, torch.arange(len(images)))
    for augment in build_augmentations(Strengths(**fields)):
        images = augment(images, draw)
    return images


def photo(width: int = 60, height: int = 40, mode: str = "RGB") -> Image.Image:
    pixels = np.random.default_rng(0).integers(0, 256, (height, width, 3), dtype=np.uint8)
    return Image.fromarray(pixels).convert(mode)


def transformed(transform: Callable[[Image.Image], Tensor], image: Image.Image, seed: int = 0) -> Tensor:
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        return transform(image)


@pytest.mark.parametrize("field", [name for name in Strengths.model_fields if name not in NOT_OF_PIXELS])
def test_every_field_does_something_in_both_or_is_refused(field: str, pictures: Pictures, seeded: Seeded) -> None:
    on = FIELDS[field]
    off = {name: value for name, value in on.items() if name != field}  # a policy without its options
    images = pictures(32)
    assert not torch.equal(augmented(images, on, seeded()), augmented(images, off, seeded()))
    if field not in STREAMED:
        with pytest.raises(ValueError, match=rf"^augment\.{field} needs a set that is held in memory: "):
            build_transform(16, Strengths(**on))
        return
    without = build_transform(16, Strengths(**off))
    different = [
        not torch.equal(
            transformed(build_transform(16, Strengths(**on)), photo(), seed), transformed(without, photo(), seed)
        )
        for seed in range(20)
    ]
    assert any(different)


def test_a_gap_needs_something_that_leaves_one() -> None:
    with pytest.raises(ValueError, match=r"^augment\.gap reflect needs augment\.crop or augment\.translate$"):
        build_augmentations(Strengths(gap="reflect"))
    with pytest.raises(
        ValueError, match=r"^augment\.gap reflect: crop and translate must be below the image's side, 16$"
    ):
        build_transform(16, Strengths(crop=16, gap="reflect"))


def test_strength_zero_leaves_an_augmentation_out() -> None:
    assert build_augmentations(Strengths()) == []
    assert build_augmentations(Strengths(crop=0, flip=0.0, policy=None, hue=0.0, alternate_flip=False)) == []


@pytest.mark.parametrize(("fields", "alone"), ALONE.values(), ids=ALONE)
def test_each_strength_reaches_its_augmentation(
    fields: dict[str, Any], alone: Callable[[Tensor, Generator], Tensor], pictures: Pictures, seeded: Seeded
) -> None:
    assert len(build_augmentations(Strengths(**fields))) == 1
    assert torch.equal(augmented(pictures(64), fields, seeded()), alone(pictures(64), seeded()))


def test_order_of_application(pictures: Pictures, seeded: Seeded) -> None:
    generator, expected = seeded(), pictures(64)
    names = [name for name in ALONE if " " not in name and not name.startswith("rand")]
    names = [name for name in names if name not in ("brightness", "contrast", "saturation", "hue")]
    fields: dict[str, Any] = {"brightness": 0.4, "hue": 0.1}
    for name in names:
        fields |= ALONE[name][0]
        if name == "pca_noise":
            expected = jitter_colours(expected, generator, brightness=0.4, hue=0.1)
        expected = ALONE[name][1](expected, generator)
    backwards = dict(reversed(fields.items()))
    assert torch.equal(augmented(pictures(64), backwards, seeded()), expected)


@each_field
@pytest.mark.parametrize("count", [1, 7])
def test_type_shape_and_input_are_kept(fields: dict[str, Any], count: int, pictures: Pictures, seeded: Seeded) -> None:
    images = pictures(count, 3, 12, 16)
    before = images.clone()
    after = augmented(images, fields, seeded())
    assert (after.shape, after.dtype) == (images.shape, torch.uint8)
    assert after.is_contiguous()
    assert torch.equal(images, before)


@pytest.mark.parametrize("fields", COLOURLESS.values(), ids=COLOURLESS)
def test_one_channel_is_augmented_as_three_equal_ones(
    fields: dict[str, Any], pictures: Pictures, seeded: Seeded
) -> None:
    """But for a rounding: the luma's weights sum to 0.9999."""
    grey = pictures(64, 1)
    one, three = (augmented(images, fields, seeded()) for images in (grey, grey.expand(-1, 3, -1, -1)))
    assert one.shape == grey.shape
    assert (one.int() - three.int()).abs().double().mean() < 0.5


@each_field
def test_same_seed_same_bits(fields: dict[str, Any], pictures: Pictures, seeded: Seeded) -> None:
    images = pictures(64)
    first, again, other = (augmented(images, fields, seeded(seed)) for seed in (5, 5, 6))
    assert torch.equal(first, again)
    assert torch.equal(first, other) == ("alternate_flip" in fields)


@each_field
def test_global_random_state_is_not_touched(fields: dict[str, Any], pictures: Pictures, seeded: Seeded) -> None:
    before = torch.random.get_rng_state()
    augmented(pictures(4), fields, seeded())
    assert torch.equal(before, torch.random.get_rng_state())


@pytest.mark.parametrize("build", [build_augmentations, partial(build_transform, 8)], ids=["batch", "streamed"])
@pytest.mark.parametrize(
    ("fields", "text"),
    [
        ({"flip": 0.5, "alternate_flip": True}, "augment.flip and augment.alternate_flip exclude each other: "),
        ({"rand_ops": 2}, "augment.rand_ops needs augment.policy rand$"),
        ({"policy": "trivial", "rand_magnitude": 9}, "augment.rand_magnitude needs augment.policy rand$"),
    ],
)
def test_contradictions_are_refused(build: Callable[..., object], fields: dict[str, Any], text: str) -> None:
    with pytest.raises(ValueError, match=f"^{text}"):
        build(Strengths(**fields))


@pytest.mark.parametrize(
    ("fields", "text"),
    [
        ({"policy": "rnd"}, "should be 'trivial' or 'rand'"),
        ({"hue": 0.6}, "less than or equal to 0.5"),
        ({"crp": 1}, "crp"),
    ],
)
def test_strengths_out_of_range_are_refused(fields: dict[str, Any], text: str) -> None:
    with pytest.raises(ValueError, match=text):
        Strengths(**fields)


@pytest.mark.parametrize("fields", STREAMED.values(), ids=STREAMED)
def test_a_streamed_transform_can_be_sent_and_repeated(fields: dict[str, Any]) -> None:
    transform = build_transform(16, Strengths(**fields))
    sent = pickle.loads(pickle.dumps(transform))
    first, again = transformed(transform, photo(), 3), transformed(sent, photo(), 3)
    assert (first.shape, first.dtype) == ((3, 16, 16), torch.uint8)
    assert torch.equal(first, again)
    assert any(not torch.equal(transformed(transform, photo(), seed), first) for seed in range(30))


@pytest.mark.parametrize("fields", COLOURLESS.values(), ids=COLOURLESS)
def test_a_streamed_transform_takes_grayscale(fields: dict[str, Any]) -> None:
    if "alternate_flip" not in fields:
        assert transformed(build_transform(16, Strengths(**fields)), photo(mode="L")).shape == (1, 16, 16)


@pytest.mark.parametrize("field", ["saturation", "hue", "pca_noise", "grayscale"])
def test_what_needs_colour_can_be_asked_beforehand(field: str) -> None:
    strengths = Strengths(**FIELDS[field])
    strengths.check_channels(3)
    with pytest.raises(ValueError, match=rf"^augment\.{field} needs colour images, these have 1 channel$"):
        strengths.check_channels(1)


@pytest.mark.parametrize("size", [(60, 40), (16, 16), (9, 30)])
def test_without_augmentation_a_stream_decodes_as_evaluation_does(size: tuple[int, int]) -> None:
    image = photo(*size)
    expected = Preprocessing(3, 16, 16).decode(image, "photo")
    assert np.array_equal(build_transform(16, Strengths())(image).numpy(), expected)


def test_a_stream_s_square_can_be_given() -> None:
    how = Preprocessing(3, 16, 16, crop_pct=0.5)
    expected = how.decode(photo(), "photo")
    assert np.array_equal(build_transform(16, Strengths(), square=how.square)(photo()).numpy(), expected)
    assert not np.array_equal(build_transform(16, Strengths())(photo()).numpy(), expected)


def test_a_streamed_resized_crop_takes_its_part_of_the_original() -> None:
    """The left half is black and the right half white; a small part of 600 pixels is mostly of one colour."""
    wide = Image.fromarray(np.repeat(np.array([[0, 255]], dtype=np.uint8), 300, axis=1).repeat(400, axis=0))
    transform = build_transform(8, Strengths(resized_crop=0.01))
    expected = v2.Compose([v2.RandomResizedCrop(8, scale=(0.01, 1.0)), v2.PILToTensor()])
    for seed in range(10):
        assert torch.equal(transformed(transform, wide, seed), transformed(expected, wide, seed))


@pytest.mark.parametrize("fields", [{"flip": 1.0}, {"grayscale": 1.0}, {"cutout": 64}, {"flip": 1.0, "grayscale": 1.0}])
def test_without_chance_stream_and_batch_agree(fields: dict[str, Any], seeded: Seeded) -> None:
    image = photo(16, 16)
    batch = torch.from_numpy(np.array(image)).permute(2, 0, 1)[None].contiguous()
    assert torch.equal(
        transformed(build_transform(16, Strengths(**fields)), image), augmented(batch, fields, seeded())[0]
    )
