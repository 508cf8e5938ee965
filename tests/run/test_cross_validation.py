"""Cross-validation: what each model learns from and answers for, and that a stopped one goes on to the same end."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.numpy import load_file
from statsmodels.stats.proportion import proportion_confint

import assay
from assay.base.json_files import read_json
from assay.classifier.classifier import load
from assay.classifier.split_request import SplitRequest
from assay.recipe.recipe import Recipe, read_recipe
from assay.run.cross_validation import cross_validate
from assay.run.folder import RunFolder
from assay.run.run import DivergedError, InterruptedRunError, run
from assay.training import losses
from stop_after import StopAfter

CPU = torch.device("cpu")
FOLDS = 3
COUNTS = {"train/a": 18, "train/b": 24, "val/a": 3, "val/b": 3, "test/a": 4, "test/b": 4}
POOL = 48
CHANGES: dict[str, Any] = {
    "data.folds": FOLDS,
    "data.size": 16,
    "augment.flip": 0.5,
    "model.activation": "rrelu",
    "train.epochs": 2,
    "train.batch_size": 8,
    "train.threads": 1,
    "train.tensorboard": False,
}


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Noise, but for its brightness, which tells the classes apart a little; with splits of its own."""
    from PIL import Image

    root, generator = tmp_path_factory.mktemp("photos"), np.random.default_rng(0)
    for folder, count in COUNTS.items():
        (root / folder).mkdir(parents=True)
        for number in range(count):
            pixels = generator.integers(0, 200, (16, 16, 3)) + 20 * folder.endswith("b")
            Image.fromarray(pixels.astype(np.uint8)).save(root / folder / f"{number:02d}.png")
    return root


@pytest.fixture(scope="module")
def recipe(photos: Path) -> Recipe:
    return Recipe().but({"data.name": f"folder:{photos}", **CHANGES})


@pytest.fixture(scope="module")
def finished(recipe: Recipe, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A cross-validation that nothing disturbed."""
    folder = tmp_path_factory.mktemp("runs") / "x"
    cross_validate(recipe, folder)
    return folder


def names(run: Path, split: str) -> list[str]:
    return list(SplitRequest(split).open(load(run), CPU).dataset.names)


def results(folder: Path) -> dict[str, bytes]:
    """What must not differ between equal cross-validations."""
    runs = [folder, *(RunFolder(folder).fold(number) for number in range(1, FOLDS + 1))]
    files = {f"{run.name}/{name}": run / name for run in runs for name in ("model.safetensors", "metrics.jsonl")}
    files["answers"] = folder / "out-of-fold.safetensors"
    return {name: path.read_bytes() for name, path in files.items()}


def test_each_model_answers_for_images_that_it_has_not_seen(finished: Path) -> None:
    pool, tested = names(finished, "out-of-fold"), []
    assert pool[0] == "train/a/00.png"
    assert pool[-1] == "val/b/02.png"
    for number in range(1, FOLDS + 1):
        fold = RunFolder(finished).fold(number)
        parts = [names(fold, split) for split in ("train", "held-out", "test")]
        assert sorted(name for part in parts for name in part) == sorted(pool)
        assert min(map(len, parts)) > 2
        tested += parts[2]
    assert sorted(tested) == sorted(pool)
    assert names(finished, "train") == pool
    assert len(names(finished, "test")) == 8


def test_the_answers_are_those_of_the_folds_models_in_the_order_of_the_images(finished: Path) -> None:
    tensors = load_file(finished / "out-of-fold.safetensors")
    scores, labels, folds = (tensors[f"out_of_fold.{name}"] for name in ("scores", "labels", "folds"))
    row = {name: place for place, name in enumerate(names(finished, "out-of-fold"))}
    assert scores.shape == (POOL, 2)
    for number in range(1, FOLDS + 1):
        answered = assay.evaluate(RunFolder(finished).fold(number))
        rows = [row[name] for name in answered.names]
        assert rows == np.flatnonzero(folds == number).tolist()
        assert labels[rows].tolist() == answered.labels.tolist()
        np.testing.assert_allclose(scores[rows], answered.scores.numpy(), atol=1e-6)


def test_the_summary_measures_all_answers_and_each_fold(finished: Path) -> None:
    tensors, summary = load_file(finished / "out-of-fold.safetensors"), read_json(finished / "summary.json")
    right = tensors["out_of_fold.scores"].argmax(axis=1) == tensors["out_of_fold.labels"]
    each = [right[tensors["out_of_fold.folds"] == number].mean() for number in range(1, FOLDS + 1)]
    overall = summary["out_of_fold"]
    assert overall["images"] == POOL
    assert overall["accuracy"] == pytest.approx(right.mean())
    assert overall["interval"] == pytest.approx(proportion_confint(right.sum(), POOL, method="wilson"))
    assert [figures["accuracy"] for figures in summary["folds"]] == pytest.approx(each)
    assert overall["fold_mean"] == pytest.approx(np.mean(each))
    assert overall["fold_std"] == pytest.approx(np.std(each, ddof=1))
    folds = [read_json(RunFolder(finished).fold(number).joinpath("summary.json")) for number in range(1, FOLDS + 1)]
    assert [fold["test"]["accuracy"] for fold in folds] == pytest.approx(each)
    assert [figures["epoch"] for figures in summary["folds"]] == [fold["epoch"] for fold in folds]
    assert {fold["selection"] for fold in folds} == {"the epoch that was best on the held-out split"}


def test_the_final_model_is_that_of_a_run_on_all_images(
    recipe: Recipe, write_parquet: Callable[..., Path], picture: Callable[..., np.ndarray], as_png: Any, tmp_path: Path
) -> None:
    """One without folds, of a set that has all these images in its train split."""

    def write(file: str, rows: range) -> None:
        images = [{"bytes": as_png(picture(row, 16, 16)), "path": None} for row in rows]
        write_parquet(tmp_path / file, {"label": [row % 2 for row in rows]}, images=images)

    for file, rows in (("set/train.parquet", range(30)), ("set/validation.parquet", range(30, 40))):
        write(file, rows)
    write("whole/train.parquet", range(40))
    for folder in ("set", "whole"):
        write(f"{folder}/test.parquet", range(40, 50))
    final = cross_validate(recipe.but({"data.name": f"parquet:{tmp_path / 'set'}", "data.folds": 2}), tmp_path / "x")
    alone = {"data.name": f"parquet:{tmp_path / 'whole'}", "data.folds": None, "data.held_out": 0}
    straight = run(recipe.but({**alone, "train.select": "last"}), tmp_path / "straight")
    assert final.metrics == straight.metrics
    assert final.summary["test"] == straight.summary["test"]
    assert final.summary["selection"] == "the last epoch"
    assert final.summary["train_images"] == 40
    weights, others = (load(run.folder).network.state_dict() for run in (final, straight))
    assert all(torch.equal(weights[name], others[name]) for name in others)


def test_a_fold_can_be_repeated_by_itself(finished: Path, tmp_path: Path) -> None:
    fold = RunFolder(finished).fold(2)
    assert read_recipe(fold / "recipe.yaml").data.fold == 2
    again = assay.train(fold / "recipe.yaml", out=tmp_path / "again", progress=False).folder
    assert (again / "model.safetensors").read_bytes() == (fold / "model.safetensors").read_bytes()


def test_a_finished_one_is_not_done_again(recipe: Recipe, finished: Path) -> None:
    before = {path: path.stat().st_mtime_ns for path in finished.rglob("*")}
    cross_validate(recipe, finished, resume=True)
    assert {path: path.stat().st_mtime_ns for path in finished.rglob("*")} == before


@pytest.mark.slow
@pytest.mark.parametrize("steps", [2, 6, 9, 21, 27], ids=["fold 1", "its end", "fold 2", "the last", "final model"])
def test_a_stopped_one_goes_on_to_the_same_end(steps: int, recipe: Recipe, finished: Path, tmp_path: Path) -> None:
    with pytest.raises(InterruptedRunError) as stopped:
        cross_validate(recipe, tmp_path / "x", observers=[StopAfter(steps)])
    assert stopped.value.folder == tmp_path / "x"
    assert not (tmp_path / "x" / "summary.json").exists()
    assay.train(tmp_path / "x", resume=True, progress=False)
    assert results(tmp_path / "x") == results(finished)


@pytest.fixture
def dies(monkeypatch: pytest.MonkeyPatch) -> Callable[[int], None]:
    """A function that lets the process end, as far as it can be seen, at so many writes from now."""

    class Killed(BaseException):
        pass

    fsync = os.fsync

    def at(writes: int) -> None:
        def count(file: int) -> None:
            nonlocal writes
            writes -= 1
            if writes <= 0:
                raise Killed
            fsync(file)

        monkeypatch.setattr(os, "fsync", count)

    at.error = Killed  # type: ignore[attr-defined]
    return at


@pytest.mark.slow
def test_one_that_dies_at_any_write_goes_on_to_the_same_end(
    recipe: Recipe, finished: Path, tmp_path: Path, dies: Any
) -> None:
    """The first write is the recipe; later ones are made so that each process gets a little further."""
    ends = 0
    while not (tmp_path / "x" / "summary.json").exists():
        dies(1 + 2 * ends)
        with contextlib.suppress(dies.error):
            cross_validate(recipe, tmp_path / "x", resume=(tmp_path / "x" / "recipe.yaml").exists())
        ends += 1
    assert ends > 4
    assert results(tmp_path / "x") == results(finished)


def test_more_epochs_go_on_in_each_fold(recipe: Recipe, finished: Path, tmp_path: Path) -> None:
    short = recipe.but({"train.epochs": 1})
    cross_validate(short, tmp_path / "x")
    with pytest.raises(InterruptedRunError):
        cross_validate(recipe, tmp_path / "x", resume=True, observers=[StopAfter(5)])
    assert read_recipe(tmp_path / "x" / "recipe.yaml").train.epochs == 2  # for a resume that gives no epochs
    assert not (tmp_path / "x" / "summary.json").exists()
    assay.train(tmp_path / "x", resume=True, progress=False)
    assert results(tmp_path / "x") == results(finished)
    with pytest.raises(ValueError, match=r"train\.epochs: 1 is fewer than the 2 epochs that are done"):
        cross_validate(short, tmp_path / "x", resume=True)


@pytest.mark.parametrize(("name", "value"), [("data.folds", 4), ("data.split_seed", 1), ("train.select", "last")])
def test_another_recipe_does_not_resume(name: str, value: Any, recipe: Recipe, finished: Path) -> None:
    with pytest.raises(ValueError, match=rf"cannot resume with another recipe: {name} was .*, now {value}"):
        cross_validate(recipe.but({name: value}), finished, resume=True)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"data.folds": 22}, r"^data\.folds: 22 folds need as many images of each class; 'a' has 21$"),
        ({"data.groups": "patient"}, r"^data\.groups: columns are those of parquet:PATH sets"),
        ({"data.held_out": 0.01}, r"^cannot cut off 0\.01 of 32 images"),
        ({"train.batch_size": 500}, r"batch"),
        ({"model.stem_kernel": 3}, r"has no option 'stem_kernel'"),
    ],
)
def test_what_cannot_work_leaves_nothing_behind(
    changes: dict[str, Any], said: str, recipe: Recipe, tmp_path: Path
) -> None:
    with pytest.raises(ValueError, match=said) as caught:
        cross_validate(recipe.but(changes), tmp_path / "x")
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "x").exists()


def test_a_folder_that_is_taken_is_left_alone(recipe: Recipe, finished: Path, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="holds a run already"):
        cross_validate(recipe, finished)
    with pytest.raises(ValueError, match="no run to resume"):
        cross_validate(recipe, tmp_path / "absent", resume=True)


def test_a_fold_that_diverges_is_named(recipe: Recipe, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(losses.F, "cross_entropy", lambda scores, _labels, **_options: scores.sum() * float("nan"))
    with pytest.raises(DivergedError, match=r"^fold 1: training diverged in epoch 1"):
        cross_validate(recipe, tmp_path / "x")


def test_without_a_test_split_the_answers_take_its_place(
    make_folder: Callable[..., Path], recipe: Recipe, tmp_path: Path
) -> None:
    photos = make_folder(tmp_path / "photos", {"a": 12, "b": 12}, side=16)
    (photos / "b" / "003.png").write_bytes(b"no image")
    changes = {"data.name": f"folder:{photos}", "data.on_bad_image": "skip", "train.epochs": 1, "train.select": "last"}
    record = cross_validate(recipe.but({**changes, "data.folds": 2}), tmp_path / "x")
    assert record.summary["out_of_fold"]["images"] == record.summary["train_images"] == 23
    assert "test" not in record.summary
    assert len(record.summary["left_out"]) == 1
    for split in ("test", "held-out"):
        with pytest.raises(
            ValueError, match=r"learned from all of them; for the fold models' answers take out-of-fold$"
        ):
            assay.evaluate(record.folder, split=split)


def test_groups_stay_together_and_are_found_again(
    recipe: Recipe, write_parquet: Callable[..., Path], tmp_path: Path
) -> None:
    patients = [f"patient {row // 3}" for row in range(48)]
    file = write_parquet(tmp_path / "set.parquet", {"label": [row // 3 % 2 for row in range(48)], "patient": patients})
    changes = {"data.name": f"parquet:{file}", "data.label": "label", "data.groups": "patient", "train.epochs": 1}
    record = cross_validate(recipe.but({**changes, "data.folds": 2}), tmp_path / "x")
    assert record.summary["out_of_fold"]["images"] == 48
    for number in (1, 2):
        fold = RunFolder(record.folder).fold(number)
        whose = [
            {patients[int(name.removeprefix("train/"))] for name in names(fold, split)}
            for split in ("train", "held-out", "test")
        ]
        assert sum(map(len, whose)) == 16


def test_answers_for_other_images_are_not_put_together(
    recipe: Recipe, make_folder: Callable[..., Path], tmp_path: Path
) -> None:
    photos = make_folder(tmp_path / "photos", {"a": 12, "b": 12}, side=16)
    changes = {"data.name": f"folder:{photos}", "train.epochs": 1, "train.select": "last", "data.folds": 2}
    with pytest.raises(InterruptedRunError):
        cross_validate(recipe.but(changes), tmp_path / "x", observers=[StopAfter(3)])  # in the final model's first step
    (photos / "a" / "000.png").rename(photos / "a" / "renamed.png")
    with pytest.raises(ValueError, match="'train names' are not those of the checkpoint"):
        assay.train(tmp_path / "x", resume=True, progress=False)
    RunFolder(tmp_path / "x").checkpoint.unlink()  # as if the final model had not been begun
    with pytest.raises(ValueError, match="the images of this fold have changed since it was trained"):
        assay.train(tmp_path / "x", resume=True, progress=False)
