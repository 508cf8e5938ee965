"""From a folder to predictions in three commands."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from assay.cli import main
from assay.recipe.recipe import Recipe

# Small enough to be trained in a second.
QUICK = ("--model.pretrained=null", "--model.name=simple-cnn", "--data.size=16", "--train.epochs=1")


@pytest.fixture
def _here(tmp_path: Path, make_folder: Callable[..., Path], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    make_folder(Path("photos"), {"cat": 40, "dog": 41}, side=20)
    Path("photos/notes.txt").write_text("text")


@pytest.mark.usefixtures("_here")
def test_three_commands(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["new", "photos/", *QUICK]) == 0
    printed = capsys.readouterr().out
    assert "81 images in 2 classes" in printed
    assert "photos/notes.txt" not in printed
    assert "notes.txt: not an image by its name" in printed
    assert "\ntime: about " in printed
    assert printed.endswith("next: assay train photos.yaml\n")
    text = Path("photos.yaml").read_text()
    assert text.startswith("# assay new photos/ --model.pretrained=null")
    assert "  name: folder:photos  # 81 images in 2 classes\n" in text
    assert Recipe.from_yaml(text).train.epochs == 1

    assert main(["train", "photos.yaml"]) == 0
    assert main(["predict", "runs/photos", "photos/cat", "--top", "1"]) == 0
    assert capsys.readouterr().out.count("photos/cat/") == 40


@pytest.mark.usefixtures("_here")
def test_an_existing_file_is_not_replaced(capsys: pytest.CaptureFixture[str]) -> None:
    Path("photos.yaml").write_text("mine")
    assert main(["new", "photos/"]) == 2
    assert capsys.readouterr().err == "assay: photos.yaml is there already; choose another --out, or remove it\n"
    assert Path("photos.yaml").read_text() == "mine"


@pytest.mark.usefixtures("_here")
def test_a_recipe_that_cannot_be_trained_yet_is_written_and_said(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["new", "photos/", "--model.pretrained", "absent.pth", "--out", "a.yaml"]) == 1
    assert "cannot be trained yet: model.pretrained: no such file or run folder: absent.pth" in capsys.readouterr().out
    assert Recipe.from_yaml(Path("a.yaml").read_text()).model.pretrained == "absent.pth"


@pytest.mark.usefixtures("_here")
def test_training_a_folder_shows_the_proposal_and_goes_on(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["train", "photos/", *QUICK, "--train.seed", "3"]) == 0
    printed = capsys.readouterr().out
    assert (
        printed.index("recipe: photos, with these fields")
        < printed.index("epoch   1/1")
        < printed.index("runs/photos:")
    )
    assert Recipe.from_yaml(Path("runs/photos/recipe.yaml").read_text()).train.seed == 3


@pytest.mark.usefixtures("_here")
def test_a_folder_called_like_a_recipe_is_pointed_out(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["train", "photos", *QUICK, "--train.batch_size", "8"]) == 0
    assert capsys.readouterr().out.startswith(
        "photos is the named recipe; assay train photos/ takes the folder of that name\n"
    )


@pytest.mark.usefixtures("_here")
def test_many_classes_are_shown_from_the_smallest_on(
    capsys: pytest.CaptureFixture[str], make_folder: Callable[..., Path]
) -> None:
    make_folder(Path("many"), {f"class {number:02d}": 40 - number for number in range(30)})
    assert main(["new", "many", *QUICK]) == 0
    printed = capsys.readouterr().out
    assert "(first 20 of 30)" in " ".join(printed.split())
    assert "class 29" in printed
    assert "class 05" not in printed
