"""A named recipe takes from the set what depends on its size; what the user gives stays."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from assay.recipe.named import find_recipe
from assay.run.suited import suited


@pytest.fixture
def photos(tmp_path: Path, make_folder: Callable[..., Path]) -> str:
    """50 images of two classes, of which ten are cut off to test by."""
    return f"folder:{make_folder(tmp_path / 'photos', {'cat': 25, 'dog': 25})}"


def test_a_small_set_is_not_held_out_and_is_passed_often(photos: str) -> None:
    found = suited(*find_recipe("photos-finetune"), {"data.name": photos})
    recipe = found.recipe
    assert (recipe.data.held_out, recipe.train.select, recipe.train.batch_size) == (0, "last", 16)
    assert recipe.train.epochs == 200  # of 2 steps
    assert recipe.schedule.warmup == pytest.approx(20)  # a tenth of the run, as in the recipe itself
    assert recipe.train.ema == pytest.approx(1 - 1.5 / 400, abs=1e-5)
    assert "data.held_out: 0.0, for 40 images, too few to hold some out" in found.notes


def test_given_fields_stay_and_the_others_suit_them(photos: str) -> None:
    given = {"data.name": photos, "train.epochs": 1, "train.batch_size": 4, "data.held_out": 0.2}
    recipe = suited(*find_recipe("photos-finetune"), given).recipe
    assert all(recipe.get(name) == value for name, value in given.items())
    assert recipe.train.select == "last"
    assert recipe.schedule.warmup == pytest.approx(0.1)
    assert recipe.train.ema == pytest.approx(1 - 1.5 / 8, abs=1e-5)  # 8 steps on 32 images


def test_a_set_of_its_own_held_out_split_keeps_it(tmp_path: Path, make_folder: Callable[..., Path]) -> None:
    name = f"folder:{make_folder(tmp_path / 'photos', {'train/cat': 9, 'train/dog': 9, 'val/cat': 30, 'val/dog': 30})}"
    recipe = suited(*find_recipe("photos-finetune"), {"data.name": name}).recipe
    assert (recipe.data.held_out, recipe.train.select) == (0.1, "held-out")


def test_folds_are_suited_to_the_images_of_the_others(tmp_path: Path, make_folder: Callable[..., Path]) -> None:
    """Whose held-out images, cut from these, are too few to select by, although the set brings enough."""
    split = {"train/cat": 60, "train/dog": 60, "val/cat": 30, "val/dog": 30, "test/cat": 3, "test/dog": 3}
    given = {"data.name": f"folder:{make_folder(tmp_path, split)}"}
    alone, folded = (
        suited(*find_recipe("photos-finetune"), {**given, **more}).recipe for more in ({}, {"data.folds": 3})
    )
    assert (alone.data.held_out, alone.train.select) == (0.1, "held-out")
    assert (folded.data.held_out, folded.train.select) == (0, "last")
    assert folded.train.epochs == 58  # of 7 steps: 120 images in batches of 16


def test_other_recipes_are_changed_as_told_and_no_more(tmp_path: Path, photos: str) -> None:
    found = suited(*find_recipe("photos"), {"data.name": photos})
    assert found.recipe == find_recipe("photos")[1].but({"data.name": photos})
    file = tmp_path / "photos-finetune.yaml"
    file.write_text(find_recipe("photos-finetune")[1].to_yaml())
    assert suited(*find_recipe(file), {"data.name": photos}).recipe.train.epochs == 8


def test_a_set_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="nothing"):
        suited(*find_recipe("photos-finetune"), {"data.name": f"folder:{tmp_path / 'nothing'}"})
