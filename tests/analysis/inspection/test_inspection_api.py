"""`assay inspect` and the function behind it, from a small trained classifier to files."""

from __future__ import annotations

import argparse
import csv
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from assay.analysis.inspection.api import Inspection, inspect
from assay.classifier.classifier import Classifier, build_network, load
from assay.classifier.split_request import SplitRequest
from assay.commands import inspect as command
from assay.data.preprocess import Preprocessing
from assay.models.weights import InputForm

FIGURES = ["kernels", "weights", "features-features.1", "activation-maps", "receptive-fields"]
DIGITS = {"name": "digits", "held_out": 0.1, "test": 0.2, "split_seed": 0}


def save_classifier(folder: Path, seed: int) -> Path:
    torch.manual_seed(seed)
    how = Preprocessing(1, 8, 16, (0.3,), (0.4,))
    classes = tuple("0123456789")
    network = build_network({"name": "simple-cnn"}, classes, how).eval()
    folder.mkdir()
    Classifier(network, {"name": "simple-cnn"}, classes, how, DIGITS).save(folder / "model.safetensors")
    return folder


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run folder with a classifier of digits that has learned nothing."""
    return save_classifier(tmp_path_factory.mktemp("runs") / "run", 0)


@pytest.fixture
def photo(tmp_path: Path) -> Path:
    path = tmp_path / "photo.png"
    Image.fromarray(np.random.default_rng(0).integers(0, 256, (30, 40, 3), dtype=np.uint8)).save(path)
    return path


@pytest.fixture(scope="module")
def found(model: Path) -> Inspection:
    return inspect(model)


@pytest.mark.slow
def test_everything_is_written_beside_the_model_in_both_formats(found: Inspection, model: Path) -> None:
    assert found.folder == model / "inspection"
    names = [f"{name}.{kind}" for name in FIGURES for kind in ("png", "svg")] + ["weights.csv", "layers.csv"]
    assert [file.name for file in found.files] == names
    assert sorted(file.name for file in found.folder.iterdir()) == sorted(names)
    assert (found.folder / "kernels.png").read_bytes().startswith(b"\x89PNG")
    assert b"<svg" in (found.folder / "kernels.svg").read_bytes()


def test_the_tables_hold_every_layer(found: Inspection) -> None:
    rows = list(csv.DictReader((found.folder / "layers.csv").read_text().splitlines()))
    assert [row["name"] for row in rows] == ["features.0", "features.3", "classifier.0", "classifier.2", "classifier.4"]
    assert rows[0]["shape"] == "x".join(map(str, found.layers[0].shape))
    assert int(rows[0]["parameters"]) == found.layers[0].parameters == 6 * 25 + 6
    weights = list(csv.DictReader((found.folder / "weights.csv").read_text().splitlines()))
    assert weights[1]["std"] == f"{found.weights[1].std:.6g}"


@pytest.mark.usefixtures("undrawn")
def test_own_pictures_and_layers_and_another_model(model: Path, photo: Path, tmp_path: Path) -> None:
    other = save_classifier(tmp_path / "other", 1)
    made = inspect(
        model,
        against=other,
        images=[photo],
        layers=["features.4", "classifier.1"],
        out=tmp_path / "deep" / "out",
        formats=["png"],
    )
    stems = [file.name for file in made.files]
    assert "features-features.4.png" in stems
    assert "features-classifier.1.png" in stems
    assert {row.model for row in made.weights} == {str(model), str(other)}
    own = load(model).network.get_parameter("features.0.weight")
    assert made.weights[0].std == pytest.approx(own.std(correction=0).item(), rel=1e-5)
    assert made.weights[1].std != made.weights[0].std


@pytest.mark.usefixtures("undrawn")
def test_a_classifier_in_memory_against_itself(model: Path, photo: Path, tmp_path: Path) -> None:
    classifier = load(model)
    made = inspect(classifier, against=classifier, images=[photo], out=tmp_path / "out", formats=["svg"])
    assert [row.model for row in made.weights[:2]] == ["simple-cnn", "simple-cnn (the other)"]
    with pytest.raises(ValueError, match="out: name a folder"):
        inspect(classifier, images=[photo])


@pytest.mark.parametrize(
    ("options", "complaint"),
    [
        ({"layers": ["feature.1"]}, r"unknown layer 'feature\.1': did you mean features\.1"),
        ({"layers": ["features"], "images": ["nowhere.png"]}, r"nowhere\.png: no such file"),
        ({"formats": ["pgn"]}, "unknown format 'pgn': did you mean png"),
        ({"mistakes": 99}, "mistakes: 99 is not from 0 to 15"),
        ({"mistakes": -1}, "mistakes: -1 is not from 0 to 15"),
        ({"against": "nowhere"}, "nowhere: no such run folder or model file"),
        ({"data": "digitz"}, "digits"),
        ({"data": SplitRequest("tset")}, "unknown split 'tset': did you mean test"),
        ({"data": SplitRequest(device="gpu")}, "no 'gpu' on this machine"),
    ],
)
def test_bad_input_is_one_line_and_nothing_is_written(
    model: Path, tmp_path: Path, options: dict[str, object], complaint: str
) -> None:
    with pytest.raises(ValueError, match=complaint) as caught:
        inspect(model, out=tmp_path / "out", **options)  # type: ignore[arg-type]
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "out").exists()


def test_a_bad_picture_and_too_many_are_refused(model: Path, photo: Path, tmp_path: Path) -> None:
    broken = tmp_path / "broken.png"
    broken.write_bytes(photo.read_bytes()[:60])
    with pytest.raises(ValueError, match=r"broken\.png"):
        inspect(model, images=[photo, broken], out=tmp_path / "out")
    with pytest.raises(ValueError, match="images: 17 are too many to look at; name at most 16"):
        inspect(model, images=[photo] * 17, out=tmp_path / "out")
    with pytest.raises(ValueError, match="a file, not a folder"):
        inspect(model, images=[photo], out=photo)
    assert not (tmp_path / "out").exists()


@pytest.mark.usefixtures("undrawn")
def test_the_command_prints_the_costs_and_the_files(
    model: Path, photo: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    parser = argparse.ArgumentParser()
    command.add_arguments(parser)
    given = [
        str(model),
        "--image",
        str(photo),
        "--layer",
        "features.0",
        "--out",
        str(tmp_path / "out"),
        "--format",
        "png",
    ]
    assert command.execute(parser.parse_args(given)) == 0
    out = capsys.readouterr().out
    total = sum(weight.numel() for weight in load(model).network.parameters())
    assert f"{total:,}" in out
    assert "features.0 Conv2d 6x12x12 156 1.0% 0.04 49.0%" in " ".join(out.split())
    assert out.splitlines()[-7:] == [
        f"in {tmp_path / 'out'}:",
        "  kernels (.png)",
        "  weights (.png, .csv)",
        "  features-features.0 (.png)",
        "  activation-maps (.png)",
        "  receptive-fields (.png)",
        "  layers (.csv)",
    ]


@pytest.mark.usefixtures("undrawn")
def test_the_input_of_the_weights_stands_beside_that_of_the_model(
    found: Inspection, model: Path, photo: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert found.inputs == ()
    form = InputForm(16, "bicubic", None, (0.3,), (0.4,))
    replace(load(model), pretrained_input=form).save(tmp_path / "model.safetensors")
    parser = argparse.ArgumentParser()
    command.add_arguments(parser)
    given = [str(tmp_path), "--image", str(photo), "--format", "png"]
    assert command.execute(parser.parse_args(given)) == 0
    lines = [" ".join(line.split()) for line in capsys.readouterr().out.splitlines()]
    assert "data.size 16 16" in lines
    assert "data.crop_pct - -" in lines
    assert "data.interpolation bicubic bilinear differs" in lines
    assert "data.mean [0.3] [0.3]" in lines
    (row,) = [
        row
        for row in csv.DictReader((tmp_path / "inspection" / "input.csv").read_text().splitlines())
        if row["name"] == "data.interpolation"
    ]
    assert row == {"name": "data.interpolation", "wanted": "bicubic", "used": "bilinear", "differs": "True"}
