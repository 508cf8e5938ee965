"""Which images a classifier is asked about: those of its training, as they were cut then, or none."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

import assay
from assay.classifier.split_request import SplitRequest
from assay.run.record import RunRecord

MakeFolder = Callable[..., Path]
SMALL = {"data.size": 16, "train.epochs": 1, "train.batch_size": 8, "train.select": "last"}


def trained(images: Path, out: Path, **changes: object) -> RunRecord:
    return assay.train("digits", {**SMALL, "data.name": f"folder:{images}", **changes}, out=out, progress=False)


@pytest.fixture
def pets(make_folder: MakeFolder, tmp_path: Path) -> Path:
    return make_folder(tmp_path / "pets", {"cat": 20, "dog": 20})


def test_bad_images_are_left_out_as_in_the_training(pets: Path, tmp_path: Path) -> None:
    (pets / "cat" / "broken.png").write_bytes(b"not an image")
    run = trained(pets, tmp_path / "run", **{"data.on_bad_image": "skip"})
    measured = assay.evaluate(run.folder)
    assert measured.accuracy == run.summary["test"]["accuracy"]
    assert [error.name for error in measured.left_out] == ["cat/broken.png"]
    with pytest.raises(ValueError, match=r"cat/broken\.png"):
        assay.evaluate(run.folder, on_bad_image="error")
    with pytest.raises(ValueError, match=r"broken\.png"):  # another set is not that of the training
        assay.evaluate(run.folder, f"folder:{shutil.copytree(pets, tmp_path / 'copy')}")


def test_rows_without_a_label_are_left_out_as_in_the_training(
    write_parquet: Callable[..., Path], tmp_path: Path
) -> None:
    labels = [None, *["a", "b"] * 20, None]
    file = write_parquet(tmp_path / "set.parquet", {"label": labels}, side=16)
    changes = {**SMALL, "data.name": f"parquet:{file}"}
    with pytest.raises(ValueError, match=r"row 0: column label: label None: 2 of the 42 rows of train have no label"):
        assay.train("digits", changes, out=tmp_path / "run", progress=False)
    assert not (tmp_path / "run").exists()
    run = assay.train("digits", {**changes, "data.unlabelled": "skip"}, out=tmp_path / "run", progress=False)
    assert assay.evaluate(run.folder).accuracy == run.summary["test"]["accuracy"]
    copy = shutil.copy(file, tmp_path / "copy.parquet")  # another set, which is taken whole
    with pytest.raises(ValueError, match=r"leave them out with data\.unlabelled skip"):
        assay.evaluate(run.folder, f"parquet:{copy}", split="train")
    assert len(assay.evaluate(run.folder, f"parquet:{copy}", split="train", unlabelled="skip").labels) == 40


@pytest.mark.parametrize("kind", ["folder", "parquet"])
def test_what_is_kept_of_images_is_neither_read_nor_written_where_it_is_off(
    kind: str, pets: Path, write_parquet: Callable[..., Path], tmp_path: Path, cache: Path
) -> None:
    file = write_parquet(tmp_path / "set.parquet", {"label": ["a", "b"] * 20}, side=16)
    name = f"folder:{pets}" if kind == "folder" else f"parquet:{file}"
    changes = {**SMALL, "data.name": name, "data.groups": "near-duplicates"}
    run = assay.train("digits", {**changes, "data.cache": "off"}, out=tmp_path / "run", progress=False)
    assay.evaluate(run.folder, cache="off")
    assert not cache.exists()
    assay.evaluate(run.folder)
    kept = set(cache.rglob("*.safetensors"))
    assert kept
    assay.evaluate(run.folder, cache="verify")
    assert set(cache.rglob("*.safetensors")) > kept


@pytest.mark.parametrize("change", ["added", "removed", "renamed"])
@pytest.mark.parametrize("split", ["train", "held-out", "test"])
def test_a_cut_of_other_images_is_refused(pets: Path, tmp_path: Path, change: str, split: str) -> None:
    run = trained(pets, tmp_path / "run")
    assay.evaluate(run.folder, split=split)
    for image in sorted(pets.glob("*/*"))[::2]:
        if change == "added":
            shutil.copy(image, image.with_name(f"new-{image.name}"))
        elif change == "removed":
            image.unlink()
        else:
            image.rename(image.with_name(f"renamed-{image.name}"))
    with pytest.raises(ValueError, match=f"its {split} split is not that of the training and may hold images"):
        assay.evaluate(run.folder, split=split)


def test_a_test_split_of_its_own_may_change(make_folder: MakeFolder, tmp_path: Path) -> None:
    pets = tmp_path / "pets"
    for part in ("train", "test"):
        make_folder(pets / part, {"cat": 10, "dog": 10})
    run = trained(pets, tmp_path / "run")
    shutil.copy(pets / "test" / "dog" / "003.png", pets / "test" / "dog" / "new.png")
    assert len(assay.evaluate(run.folder).labels) == 21
    assert len(assay.evaluate(run.folder, split="held-out").labels) == 2


def test_a_split_without_images_is_refused(pets: Path, tmp_path: Path) -> None:
    run = trained(pets, tmp_path / "run", **{"data.test": 0.0})
    with pytest.raises(ValueError, match="there are no test images"):
        assay.evaluate(run.folder)


def test_another_way_with_bad_images_is_refused() -> None:
    with pytest.raises(ValueError, match=r"unknown on_bad_image 'skp': did you mean skip\?"):
        SplitRequest(on_bad_image="skp")
    with pytest.raises(ValueError, match=r"unknown unlabelled 'skp': did you mean skip\?"):
        SplitRequest(unlabelled="skp")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match=r"unknown cache 'verfy': did you mean verify\?"):
        SplitRequest(cache="verfy")  # type: ignore[arg-type]
