"""`assay errors`: what it passes on, prints and writes."""

import json
import re
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.numpy import save_file

from assay.classifier.classifier import Classifier, build_network
from assay.cli import main
from assay.data.preprocess import Preprocessing
from assay.data.sources import digits

CLASSES = tuple("0123456789")


def make_run(folder: Path, seed: int, name: str = "digits") -> Path:
    """A finished run on digits that is right for about three images in four; its network has learned nothing."""
    torch.manual_seed(0)
    how = Preprocessing(1, 8, 16, (0.3,), (0.4,))
    network = build_network({"name": "simple-cnn"}, CLASSES, how).eval()
    data = {"name": name, "held_out": 0.1, "test": 0.2, "split_seed": 0}
    labels = digits(Path()).splits["test"].labels
    scores = np.random.default_rng(seed).normal(size=(len(labels), 10)).astype(np.float32)
    scores[np.arange(len(labels)), labels] += 2.5
    folder.mkdir(parents=True)
    Classifier(network, {"name": "simple-cnn"}, CLASSES, how, data).save(folder / "model.safetensors")
    save_file({"test.scores": scores, "test.labels": labels}, folder / "scores.safetensors")
    (folder / "summary.json").write_text(json.dumps({"status": "finished"}))
    return folder


@pytest.fixture
def runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, undrawn: None) -> None:  # noqa: ARG001 - for its effect
    """Three of them in the working folder, called runs/a, runs/b and runs/c."""
    monkeypatch.chdir(tmp_path)
    for seed, name in enumerate(("a", "b", "c")):
        make_run(Path("runs") / name, seed)


def call(*arguments: str) -> int:
    try:
        return main(["errors", *arguments])
    except SystemExit as leave:
        return int(leave.code or 0)


@pytest.mark.usefixtures("runs")
def test_one_run(capsys: pytest.CaptureFixture[str]) -> None:
    assert call("runs/a", "--format", "png", "--limit", "2") == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("runs/a, test: ")
    assert re.search(r" images wrong \(\d+\.\d\d% \[\d+\.\d, \d+\.\d\]\), calibration error", lines[0])
    assert lines[1].startswith("most confused (first 10 of ")
    assert "digits/" in "\n".join(lines)
    assert "runs wrong" not in "\n".join(lines)
    files = ["mistakes (.png, .csv)", "calibration (.png, .csv)", "confusions (.csv)"]
    assert lines[-4:] == ["in runs/a/errors:", *(f"  {file}" for file in files)]
    assert (Path("runs/a/errors") / "mistakes.csv").is_file()


@pytest.mark.usefixtures("runs")
def test_several_runs_against_another(capsys: pytest.CaptureFixture[str]) -> None:
    assert call("runs/a", "runs/b", "--against", "runs/c", "--out", "out", "--format", "svg", "--limit", "3") == 0
    text = capsys.readouterr().out
    assert "images by how many runs are wrong" in " ".join(text.split())
    assert "wrong in all 2 runs" in text
    assert "against runs/c: " in text
    assert "McNemar's exact test p = " in text
    assert (Path("out") / "flips-lost.svg").is_file()


@pytest.mark.usefixtures("runs")
def test_label_errors_and_a_pair(capsys: pytest.CaptureFixture[str]) -> None:
    assert call("runs/a", "--label-errors", "--label-split", "test", "--out", "out", "--limit", "2") == 0
    text = capsys.readouterr().out
    assert "label errors: cleanlab doubts " in text
    assert (Path("out") / "label-errors.csv").is_file()
    label, answer = text.splitlines()[5].split()[:2]
    assert call("runs/a", "--pair", label, answer, "--out", "pair", "--limit", "1") == 0
    assert (Path("pair") / f"mistakes-{label}-{answer}.png").is_file()


def test_without_data_there_are_remarks(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run = make_run(tmp_path / "run", 0, "folder:/nowhere/pets")
    assert call(str(run), "--format", "png") == 0
    text = capsys.readouterr().out
    assert "remark: no names and no pictures: folder:/nowhere/pets: no such folder" in text
    assert "test/00" in text


@pytest.mark.usefixtures("runs")
def test_images_that_are_left_out_give_status_1(
    make_folder, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = make_folder(tmp_path / "set", {"1": 3, "2": 3}, channels=1)
    (folder / "2" / "broken.png").write_bytes(b"no picture")
    assert call("runs/a", "--data.name", f"folder:{folder}", "--out", "out") == 2
    assert "broken.png" in capsys.readouterr().err
    assert not Path("out").exists()
    assert call("runs/a", "--data.name", f"folder:{folder}", "--on-bad-image", "skip", "--format", "png") == 1
    assert "assay: left out: 2/broken.png" in capsys.readouterr().err


@pytest.mark.usefixtures("runs")
@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (["nowhere"], "assay: nowhere: no such run folder or model file"),
        (["runs/a", "--format", "pgn"], "assay: unknown format 'pgn': did you mean png?"),
        (["runs/a", "--limit", "0"], "assay: limit: 0 is not from 1 to 200"),
        (["runs/a", "--split", "tset"], "assay: unknown split 'tset': did you mean test?"),
        (["runs/a", "--pair", "1", "x"], "assay: unknown class 'x': choose from 0, 1, 2, 3, 4, 5, 6, 7, 8, 9"),
        (["runs/a", "--agianst", "runs/b"], "assay: unknown option --agianst: did you mean --against?"),
    ],
)
def test_bad_input_is_one_line_and_nothing_is_written(
    arguments: list[str], complaint: str, capsys: pytest.CaptureFixture[str]
) -> None:
    before = sorted(Path().rglob("*"))
    assert call(*arguments) == 2
    assert capsys.readouterr().err == f"{complaint}\n"
    assert sorted(Path().rglob("*")) == before
