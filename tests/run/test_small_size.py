"""A run that begins with small images: which epochs see them, and which networks can."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from assay.recipe.recipe import Recipe
from assay.run.build import build

CPU = torch.device("cpu")
SMALL = {"data.size": 32, "data.train_images": 64, "train.batch_size": 32, "model.name": "fast", "model.width": 0.125}


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


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"train.small_size": 32}, "train.small_size: 32 is not below the images' own 32 pixels"),
        ({"train.small_size": 8}, "image_size of fast must be a whole number of at least 9, got 8"),
        (
            {"model.name": "simple-cnn", "model.width": None},
            "train.small_size: simple-cnn has other parameters for images of 20 pixels",
        ),
        ({"train.small_size": None, "train.small_share": 0.3}, "train.small_share changes nothing without"),
    ],
)
def test_what_cannot_see_small_images_is_refused(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        build(recipe(**changes), CPU)
