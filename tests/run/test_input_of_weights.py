"""The input of a run that begins with pretrained weights: decided by them, by the recipe, and once."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from test_run import TINY, assert_same_run

from assay.base.json_files import read_json
from assay.classifier.classifier import load
from assay.models import build_model
from assay.models.weights import InputForm
from assay.recipe.recipe import Recipe
from assay.run.build import build
from assay.run.run import InterruptedRunError, run
from stop_after import StopAfter

NAME = "timm:test_resnet"
FORM = InputForm(160, "bilinear", 0.95, (0.5,) * 3, (0.5,) * 3)
FILE_NOTE = (
    "weights.pth does not say its input; that of timm:test_resnet is assumed: data.size 160, data.crop_pct 0.95, "
    "data.interpolation bilinear, data.mean [0.5, 0.5, 0.5], data.std [0.5, 0.5, 0.5]"
)


@pytest.fixture
def recipe(tmp_path: Path, make_folder: Callable[..., Path], monkeypatch: pytest.MonkeyPatch) -> Recipe:
    """Two epochs on noise, with weights out of a file."""
    monkeypatch.chdir(tmp_path)
    make_folder(tmp_path / "photos", {"a": 20, "b": 20}, side=16)
    torch.save(build_model(NAME, classes=7).state_dict(), "weights.pth")
    model = {"model.name": NAME, "model.pretrained": "weights.pth", "train.batch_size": 8, "train.tensorboard": False}
    return TINY.but({"data.name": "folder:photos", "data.size": None, "augment.crop": 0, **model})


def notes(recipe: Recipe) -> list[str]:
    return [note for note in build(recipe, torch.device("cpu")).notes if "input" in note]


def test_a_file_brings_the_input_of_its_network_and_the_run_says_so(recipe: Recipe) -> None:
    how = build(recipe, torch.device("cpu")).data.preprocessing
    assert (how.size, how.crop_pct, how.interpolation, how.mean, how.std) == (160, 0.95, "bilinear", *2 * [(0.5,) * 3])
    assert notes(recipe) == [FILE_NOTE]


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"data.size": 128}, []),
        ({"data.size": 64}, ["data.size 64, not 160"]),
        ({"data.interpolation": "bicubic"}, ["data.interpolation bicubic, not bilinear"]),
        (
            {"data.mean": [0.1, 0.2, 0.3], "data.std": [0.5, 0.5, 0.7]},
            ["data.mean [0.1, 0.2, 0.3], not [0.5, 0.5, 0.5]; data.std [0.5, 0.5, 0.7], not [0.5, 0.5, 0.5]"],
        ),
    ],
)
def test_a_recipe_that_overrides_it_is_told(recipe: Recipe, changes: dict[str, Any], words: list[str]) -> None:
    assert notes(recipe.but(changes)) == [FILE_NOTE, *(f"the input is not that of the weights: {one}" for one in words)]


def test_mean_and_deviation_are_used_in_place_of_measured_ones(recipe: Recipe) -> None:
    given = recipe.but({"model.pretrained": None, "data.size": 16, "data.mean": [0.1, 0.2, 0.3], "data.std": [2, 3, 4]})
    components = build(given, torch.device("cpu"))
    assert components.data.preprocessing.mean == (0.1, 0.2, 0.3)
    (images, _) = next(iter(components.splits["test"]))
    (pixels,) = components.data.splits["test"].read([torch.arange(len(images))])
    expected = (pixels.double() / 255 - torch.tensor([0.1, 0.2, 0.3]).view(3, 1, 1)) / torch.tensor([2, 3, 4]).view(
        3, 1, 1
    )
    torch.testing.assert_close(images.double(), expected, atol=1e-6, rtol=0)
    with pytest.raises(ValueError, match=r"^data\.mean, data\.std: 1 and 1 numbers; channels of the images: 3$"):
        build(given.but({"data.mean": [0.1], "data.std": [0.2]}), torch.device("cpu"))


def test_the_input_is_kept_with_the_run_and_its_model(recipe: Recipe, tmp_path: Path) -> None:
    """Without the file, a resumed run goes on with the input that was decided, and still knows the weights' own."""
    small = recipe.but({"data.size": 16, "data.crop_pct": 1.0})
    run(small, tmp_path / "whole")
    with pytest.raises(InterruptedRunError):
        run(small, tmp_path / "parts", observers=[StopAfter(3)])
    Path("weights.pth").unlink()
    run(small, tmp_path / "parts", resume=True)
    assert_same_run(tmp_path / "whole", tmp_path / "parts")
    assert FILE_NOTE in read_json(tmp_path / "parts" / "env.json")["weights"]
    classifier = load(tmp_path / "parts")
    assert classifier.pretrained_input == FORM
    assert classifier.preprocessing.mean == (0.5, 0.5, 0.5)


def test_a_checkpoint_of_an_earlier_version_goes_on(recipe: Recipe, tmp_path: Path) -> None:
    small = recipe.but({"data.size": 16})
    with pytest.raises(InterruptedRunError):
        run(small, tmp_path / "parts", observers=[StopAfter(3)])
    state = torch.load(tmp_path / "parts" / "last.ckpt", weights_only=True)
    del state["pretrained_input"]
    torch.save(state, tmp_path / "parts" / "last.ckpt")
    run(small, tmp_path / "parts", resume=True)
    assert load(tmp_path / "parts").pretrained_input is None
