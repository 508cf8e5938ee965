"""A run that trains on images smaller than the test's: which epochs see which size, and which networks can."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor
from torchvision.transforms import v2

import assay
from assay.classifier.classifier import load
from assay.data.batches import _image_seeds, derived_seed
from assay.data.sides import scaled_down
from assay.recipe.recipe import Recipe
from assay.run.build import build
from assay.run.record import read_scores
from assay.run.run import InterruptedRunError, run
from stop_after import StopAfter

SWIN = "timm:swinv2_tiny_window8_256"
CPU = torch.device("cpu")
SMALL = {"data.size": 32, "data.train_images": 64, "train.batch_size": 32, "model.name": "fast", "model.width": 0.125}
RAMP = {"train.size": 96, "train.small_size": 32, "train.small_share": 0.25, "train.small_ramp": 0.5}
RESNET = {"data.size": 128, "model.name": "resnet18", "model.width": 0.125}


def recipe(**changes: Any) -> Recipe:
    return Recipe().but({**SMALL, "train.epochs": 5, "train.small_size": 20, **changes})


@pytest.mark.parametrize(("share", "sides"), [(None, [20, 20, 20, 32, 32]), (0.2, [20, 32, 32, 32, 32])])
def test_a_share_of_the_epochs_sees_small_images(share: float | None, sides: list[int]) -> None:
    components = build(recipe(**{"train.small_share": share}), CPU)
    for epoch, side in enumerate(sides):
        batches = list(components.batches.epoch(epoch))
        assert [images.shape[-1] for images, _ in batches] == 2 * [side]
    assert components.network(batches[0][0]).shape == (32, 10)
    assert {images.shape[-1] for images, _ in components.splits["test"]} == {32}


def streamed(photos: Path, **changes: Any) -> Recipe:
    """Photos that are cropped as they are decoded; of 8 epochs 2 are small, and in 4 the side grows."""
    stream = {"data.name": f"folder:{photos}", "data.memory": 0.0, "data.workers": 0, "augment.resized_crop": 0.3}
    learning = {"train.epochs": 8, "train.batch_size": 8, "optim.lr": 0.01, "train.tensorboard": False}
    return Recipe().but({**RESNET, **RAMP, **stream, **learning, **changes})


@pytest.fixture
def photos(make_folder: Callable[..., Path], tmp_path: Path) -> Path:
    return make_folder(tmp_path / "photos", {"train/a": 12, "train/b": 12, "test/a": 4, "test/b": 5}, side=140)


@pytest.mark.parametrize("memory", [0.0, 4.0])
def test_the_side_grows_to_that_of_the_training_and_the_test_has_its_own(photos: Path, memory: float) -> None:
    """On the line 32, 48, 64, 80, 96 in epochs 2 to 6; over 32 that is 1, 1.5, 2, 2.5, 3, and halves go even."""
    components = build(streamed(photos, **{"data.memory": memory, "data.workers": 0}), CPU)
    seen = [{images.shape[1:] for images, _ in components.batches.epoch(epoch)} for epoch in range(8)]
    assert seen == [{(3, side, side)} for side in (32, 32, 32, 64, 64, 64, 96, 96)]
    assert {images.shape[-1] for images, _ in components.splits["test"]} == {128}
    assert components.data.preprocessing.size == 128


def pixels_seen(one: Recipe, epoch: int) -> tuple[Tensor, list[int]]:
    """The first batch of an epoch in levels of pixels, and its images' rows."""
    batches, how = (components := build(one, CPU)).batches, components.data.preprocessing
    mean, std = (torch.tensor(values).view(1, -1, 1, 1) for values in (how.mean, how.std))
    order = batches.dataset.shuffled(torch.Generator().manual_seed(derived_seed(0, epoch)))
    return (next(batches.epoch(epoch))[0] * std + mean) * 255, order[:8].tolist()


def test_a_random_part_of_a_photo_is_scaled_to_the_epochs_side_at_once(photos: Path) -> None:
    """Torchvision's crop of the stored photo, drawn with the image's seed."""
    one = streamed(photos)
    images = build(one, CPU).data.splits["train"].images
    for epoch, side in ((0, 32), (3, 64), (7, 96)):
        seen, rows = pixels_seen(one, epoch)
        crop = v2.Compose([v2.RandomResizedCrop(side, (0.3, 1.0)), v2.PILToTensor()])
        expected = []
        for row, seed in zip(rows, _image_seeds(8, 0, epoch, 0).tolist(), strict=True):
            torch.manual_seed(seed)
            expected.append(crop(images.open(row).convert("RGB")))
        torch.testing.assert_close(seen, torch.stack(expected).float(), atol=1e-3, rtol=0)


def test_changes_that_count_in_pixels_are_made_to_the_whole_size(photos: Path) -> None:
    for pixels in ({"augment.cutout": 40}, {"augment.translate": 9}, {"augment.crop": 9}):
        small, _ = pixels_seen(streamed(photos, **pixels), 0)
        whole, _ = pixels_seen(streamed(photos, **pixels, **dict.fromkeys(RAMP)), 0)
        torch.testing.assert_close(small, scaled_down(whole, 32), atol=1e-3, rtol=0)


def test_a_run_that_is_stopped_on_the_ramp_goes_on_to_the_same_bytes(photos: Path, tmp_path: Path) -> None:
    one = streamed(photos)
    whole = run(one, tmp_path / "whole")
    with pytest.raises(InterruptedRunError):
        run(one, tmp_path / "parts", observers=[StopAfter(7)])  # 2 steps an epoch: in the fourth, of 64 pixels
    run(one, tmp_path / "parts", resume=True)
    for name in ("model.safetensors", "metrics.jsonl"):
        assert (tmp_path / "parts" / name).read_bytes() == (whole.folder / name).read_bytes()


def test_a_model_of_a_smaller_training_predicts_at_the_tests_size_as_it_was_evaluated(
    photos: Path, tmp_path: Path
) -> None:
    record = run(streamed(photos, **{"train.epochs": 1, "train.small_ramp": None}), tmp_path / "run")
    assert load(record.folder).preprocessing.size == 128
    evaluation = assay.evaluate(record.folder)
    assert torch.from_numpy(read_scores(record.folder)[0]).equal(evaluation.scores)
    answers = assay.predict(record.folder, photos / "test", top=2)
    expected = evaluation.scores.softmax(1).sort(descending=True).values
    assert [answer.probabilities for answer in answers] == [tuple(row) for row in expected.tolist()]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"train.small_size": 32}, "train.small_size: 32 is not below the images' own 32 pixels"),
        ({"train.size": 32}, "train.size: 32 is not below the images' own 32 pixels"),
        ({"train.size": 20}, "train.small_size: 20 is not below train.size 20 pixels"),
        ({"train.small_size": 8}, "image_size of fast must be a whole number of at least 9, got 8"),
        (
            {"model.name": "simple-cnn", "model.width": None},
            "train.small_size: simple-cnn has other parameters for images of 20 pixels",
        ),
        (
            {"model.name": "simple-cnn", "model.width": None, "train.small_size": None, "train.size": 24},
            "train.size: simple-cnn has other parameters for images of 24 pixels",
        ),
        (
            {
                "model.name": "timm:swinv2_tiny_window8_256",
                "model.width": None,
                "data.size": 224,
                "train.small_size": 192,
            },
            f"train.small_size: {SWIN} for images of 224 pixels takes none of 192",
        ),
        ({"train.small_ramp": 0.2}, "train.small_ramp: the side grows by 32 pixels, but 20 or 32 is no multiple"),
        ({"train.small_ramp": 0.6}, "train.small_share 0.5 and small_ramp 0.6: more than all of the epochs"),
        ({"train.small_size": None, "train.small_share": 0.3}, "train.small_share changes nothing without"),
        ({"train.small_size": None, "train.small_ramp": 0.3}, "train.small_ramp changes nothing without"),
    ],
)
def test_what_cannot_see_small_images_is_refused(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        build(recipe(**changes), CPU)
