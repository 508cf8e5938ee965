"""What is proposed for a set of images, and why."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

import assay
from assay.data.check import Check, SplitCheck
from assay.recipe.recipe import Recipe
from assay.run.propose import choose_base, choose_batch, is_set, propose

MakeFolder = Callable[..., Path]
SMALL = {"model.name": "simple-cnn", "data.size": 16, "model.pretrained": None, "train.epochs": 1, "train.threads": 1}


@pytest.fixture
def pets(tmp_path: Path, make_folder: MakeFolder) -> Path:
    """80 photos of two classes."""
    return make_folder(tmp_path / "pets", {"cat": 40, "dog": 40}, side=20)


def proposed(place: Path | str, **given: Any) -> assay.Proposal:
    return propose(place, {name.replace("__", "."): value for name, value in given.items()}, timed=False)


def test_photos_are_fine_tuned_as_their_number_suggests(pets: Path) -> None:
    proposal = proposed(pets)
    assert (proposal.name, proposal.base) == ("pets", "photos-finetune")
    recipe = proposal.recipe
    assert recipe.data.name == f"folder:{pets}"
    assert (recipe.data.held_out, recipe.train.select, recipe.train.epochs) == (0, "last", 100)  # of 4 steps
    assert recipe.schedule.warmup == pytest.approx(10)
    assert proposal.reasons["data.name"] == "80 images in 2 classes"
    assert proposal.reasons["train.epochs"].startswith("400 steps")
    assert "data.groups" not in proposal.reasons
    assert any(note.startswith("16 test images are few: an accuracy of 80 % would mean 5") for note in proposal.notes)
    assert (proposal.seconds, proposal.obstacle) == (None, "")


def test_what_is_given_stays_and_the_others_suit_it(pets: Path) -> None:
    proposal = proposed(pets, train__batch_size=8, data__size=64, train__epochs=5)
    recipe = proposal.recipe
    assert (recipe.train.batch_size, recipe.data.size, recipe.train.epochs) == (8, 64, 5)
    assert recipe.schedule.warmup == pytest.approx(0.5)
    assert recipe.train.ema == pytest.approx(1 - 1.5 / 40, abs=1e-5)  # 5 epochs of 8 steps
    assert not proposal.reasons.keys() & {"train.batch_size", "data.size", "train.epochs"}


def test_without_weights_it_is_trained_from_scratch(pets: Path) -> None:
    proposal = proposed(pets, model__pretrained=None)
    assert proposal.base == "photos"
    assert proposal.recipe.model.pretrained is None
    assert "model.pretrained" not in proposal.reasons


def test_a_batch_is_no_large_part_of_a_small_set(pets: Path) -> None:
    proposal = proposed(pets, model__pretrained=None)
    assert proposal.recipe.train.batch_size == 8
    assert proposal.reasons["train.batch_size"] == "64 images would be few steps of 64"
    assert dict(choose_batch("photos", 511))["train.batch_size"].value == 32
    assert list(choose_batch("photos", 512)) == []


def test_what_is_wrong_with_the_images_decides_too(pets: Path) -> None:
    (pets / "cat" / "cut.jpg").write_bytes((pets / "cat" / "000.png").read_bytes()[:100])
    shutil.copy(pets / "cat" / "001.png", pets / "cat" / "again.png")
    recipe = proposed(pets).recipe
    assert (recipe.data.on_bad_image, recipe.data.groups) == ("skip", "near-duplicates")
    assert proposed(pets, data__on_bad_image="error").recipe.data.on_bad_image == "error"
    shutil.copytree(pets, pets.parent / "whole" / "train")
    shutil.copytree(pets, pets.parent / "whole" / "test")
    assert proposed(pets.parent / "whole").recipe.data.groups is None  # nothing is cut that could part them


def test_rows_without_a_label_are_left_out(tmp_path: Path, write_parquet: Callable[..., Path]) -> None:
    file = write_parquet(tmp_path / "set.parquet", {"label": [*range(2)] * 30 + [-1] * 4}, names={"label": ["a", "b"]})
    proposal = proposed(file)
    assert proposal.recipe.data.unlabelled == "skip"
    assert proposal.reasons["data.unlabelled"] == "4 of the 64 rows of train have no label"
    assert proposal.found.wrong["images without a label"] == ["4 of the 64 rows of train have no label"]
    with pytest.raises(ValueError, match=r"row 60: column label: label -1: 4 of the 64 rows of train have no label; "):
        proposed(file, data__unlabelled="error")


def check_of(images: int, side: int) -> Check:
    train = SplitCheck(images, {"a": images // 2, "b": images // 2}, ((side, side),) * 3, 1, {"RGB": images})
    return Check({"train": train}, (), (), (), (), (), ())


@pytest.mark.parametrize(
    ("name", "images", "side", "given", "base"),
    [
        ("digits", 1442, 8, {}, "digits"),
        ("cifar10", 50_000, 32, {}, "resnet18-cifar"),
        ("cifar100", 50_000, 32, {}, "resnet18-cifar"),
        ("folder:x", 10_000, 64, {}, "resnet18-cifar"),
        ("folder:x", 9_999, 64, {}, "photos-finetune"),
        ("folder:x", 10_000, 65, {}, "photos-finetune"),
        ("folder:x", 100, 500, {"model.pretrained": False}, "photos"),
        ("folder:x", 100, 500, {"model.pretrained": "w.pth"}, "photos-finetune"),
    ],
)
def test_the_kind_of_set_decides_the_recipe(
    name: str, images: int, side: int, given: Mapping[str, Any], base: str
) -> None:
    assert choose_base(name, check_of(images, side), given) == base


def test_small_images_of_several_sizes_get_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, make_folder: MakeFolder
) -> None:
    make_folder(tmp_path, {"a": 20, "b": 20}, side=20)
    monkeypatch.setattr("assay.run.propose._MANY", 40)
    assert proposed(tmp_path).recipe.data.size is None
    make_folder(tmp_path, {"c": 20}, side=24)
    assert proposed(tmp_path).recipe.data.size == 32


def test_what_may_stand_in_place_of_a_recipe(pets: Path, finished_run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(pets.parent)
    sets: list[object] = ["pets", "pets/", Path("pets"), "cifar10", "folder:absent", "a.parquet"]
    recipes: list[object] = ["digits", "photos", "absent", "pets.yaml", str(finished_run), Recipe()]
    Path("photos").mkdir()  # the named recipe comes first, and the slash says that the folder is meant
    assert all(map(is_set, [*sets, "photos/"]))
    assert not any(map(is_set, recipes))


def test_a_set_is_trained_by_its_proposal(pets: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    record = assay.train(pets, SMALL, progress=False)
    assert record.folder == Path("runs/pets")
    assert record.recipe == proposed(pets, **{name.replace(".", "__"): value for name, value in SMALL.items()}).recipe
    assert assay.train(propose(pets, SMALL), out="again", progress=False).metrics == record.metrics


def test_a_short_training_says_how_long_the_whole_one_takes(pets: Path) -> None:
    short, long = (propose(pets, {**SMALL, "train.epochs": epochs}).seconds for epochs in (1, 100_000))
    assert short is not None
    assert long is not None
    assert 0 < short < 120 < long


def test_what_stands_in_the_way_is_told_and_the_proposal_holds(pets: Path) -> None:
    proposal = propose(pets, {"model.pretrained": "absent.pth"})
    assert proposal.obstacle == "model.pretrained: no such file or run folder: absent.pth"
    assert proposal.recipe.model.pretrained == "absent.pth"
    assert proposal.seconds is None


def test_the_look_counts_as_time_of_the_training(pets: Path) -> None:
    with pytest.raises(ValueError, match="time: expected more than 0 seconds"):
        assay.train(pets, SMALL, time=1e-9, progress=False)
