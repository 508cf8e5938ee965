"""The commands from end to end: what they print, what they write, how they stop and go on."""

import contextlib
import io
import json
import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from statsmodels.stats.proportion import proportion_confint

import assay
from assay.analysis.figures import style
from assay.cli import main
from assay.recipe.fields import field_names
from assay.recipe.named import RECIPES
from assay.recipe.recipe import Recipe
from assay.run.record import RunRecord
from assay.run.run import InterruptedRunError
from assay.studies.execution.processes import RunProcess
from killing import Warm
from warm_programs import ask

COMMAND = Path(sys.executable).with_name("assay")
PICTURES = {"mistakes.png", "confusion.png", "samples.png", "curves.png"}


@pytest.fixture(scope="module")
def trained(finished_run: Path, tmp_path_factory: pytest.TempPathFactory) -> RunRecord:
    return RunRecord.read(shutil.copytree(finished_run, tmp_path_factory.mktemp("runs") / "digits"))


@pytest.fixture(scope="module")
def evaluated(trained: RunRecord) -> tuple[Path, str]:
    """The folder that `assay evaluate RUN --print-log` writes, and what it prints."""
    with contextlib.redirect_stdout(io.StringIO()) as printed:
        assert main(["evaluate", str(trained.folder), "--print-log"]) == 0
    return trained.folder / "evaluation-test", printed.getvalue()


@pytest.fixture
def quick_figures(monkeypatch: pytest.MonkeyPatch) -> None:
    """Figures are made, but not drawn, which takes seconds."""
    monkeypatch.setattr(style, "figure_as", lambda kind, figure: f"{kind} {figure!r}".encode())


def test_a_training_sums_up_what_it_did(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["train", "digits", "--train.epochs=1", "--optim.lr", "1e-3", "--out", str(tmp_path / "new")]) == 0
    printed = capsys.readouterr().out
    record = RunRecord.read(tmp_path / "new")
    assert record.recipe == RECIPES["digits"].recipe.but({"train.epochs": 1, "optim.lr": 0.001})
    figures = record.summary["test"]
    ends = proportion_confint(round(355 * figures["accuracy"]), 355, method="wilson")
    assert figures["interval"] == pytest.approx(ends)
    assert f"  test      accuracy {figures['accuracy']:.2%} [{100 * ends[0]:.1f}, {100 * ends[1]:.1f}], loss" in printed
    assert "top-5" not in printed  # of 10 classes
    assert "note" not in printed  # the last epoch is kept, whatever the held-out images say
    assert "epoch   1/1  train" in printed
    assert printed.splitlines()[-1].startswith(f"next: assay evaluate {tmp_path / 'new'} ")


def test_a_cross_validation_sums_up_its_folds(
    folded_run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "x"
    shutil.copytree(folded_run, folder)
    assert main(["train", str(folder), "--resume"]) == 0
    printed = capsys.readouterr().out
    summary = RunRecord.read(folder).summary
    assert f"out-of-fold accuracy {summary['out_of_fold']['accuracy']:.2%}" in printed
    one, other = (f"{figures['accuracy']:.2%}" for figures in summary["folds"])
    assert f"{one}, {other}: mean " in printed
    assert "kept epochs 1, 1; each learned from the other 1 folds" in printed
    assert "the final one: learned from all 100 images, none held out" in printed
    assert printed.splitlines()[-1].startswith(f"next: assay evaluate {folder} ")


def test_runs_are_numbered_where_no_folder_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for _ in range(2):
        assert main(["train", "digits", "--train.epochs", "1"]) == 0
    assert sorted(path.name for path in Path("runs").iterdir()) == ["digits", "digits-2"]


def test_a_diverged_training_gives_status_1(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["train", "digits", "--optim.name", "sgd", "--optim.lr", "100", "--out", str(tmp_path / "new")]) == 1
    assert re.fullmatch(r"assay: training diverged in epoch \d.*\n", capsys.readouterr().err)


def test_an_evaluation_writes_its_results(trained: RunRecord, evaluated: tuple[Path, str]) -> None:
    folder, _ = evaluated
    assert {path.name for path in folder.iterdir()} == {"summary.json", "log.csv", *PICTURES}
    for name in PICTURES:
        assert (folder / name).read_bytes().startswith(b"\x89PNG")
    expected = assay.evaluate(trained.folder)
    assert json.loads((folder / "summary.json").read_text()) == expected.summary()
    rows = [line.split(",") for line in (folder / "log.csv").read_text().splitlines()]
    assert rows[0] == ["name", "predicted", "label", "correct", "probability"]
    log = [{**row, "probability": f"{row['probability']:.6g}"} for row in expected.log()]
    assert rows[1:] == [[str(value) for value in row.values()] for row in log]


def test_an_evaluation_gives_the_figures_of_the_run(trained: RunRecord, evaluated: tuple[Path, str]) -> None:
    summary = json.loads((evaluated[0] / "summary.json").read_text())
    assert {name: summary[name] for name in trained.summary["test"]} == trained.summary["test"]


@pytest.mark.parametrize("split", ["held-out", "train"])
@pytest.mark.usefixtures("quick_figures")
def test_the_other_splits_are_those_of_the_training(trained: RunRecord, split: str, tmp_path: Path) -> None:
    assert main(["evaluate", str(trained.folder), "--split", split, "--out", str(tmp_path)]) == 0
    summary = json.loads((tmp_path / "summary.json").read_text())
    assert summary["accuracy"] == assay.evaluate(trained.folder, split=split).accuracy
    if split == "held-out":
        assert {name: summary[name] for name in trained.summary["held_out"]} == trained.summary["held_out"]
    else:
        assert summary["images"] == trained.summary["train_images"]


def test_the_log_is_printed_on_request(trained: RunRecord, evaluated: tuple[Path, str]) -> None:
    printed = [line for line in evaluated[1].splitlines() if line.startswith("[")]
    log = assay.evaluate(trained.folder).log()
    assert printed == [f"[{row['predicted']}][{row['label']}][{row['correct']}] {row['name']}" for row in log]
    assert {line.split("]")[2] for line in printed} == {"[True", "[False"}


@pytest.mark.usefixtures("quick_figures")
def test_a_model_file_needs_nothing_beside_it(
    trained: RunRecord, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copy(trained.folder / "model.safetensors", tmp_path / "copy.safetensors")
    monkeypatch.chdir(tmp_path)
    assert main(["evaluate", "copy.safetensors"]) == 0
    written = {path.name for path in Path("evaluation-test").iterdir()}
    assert written == {"summary.json", "log.csv", *PICTURES} - {"curves.png"}
    assert (
        json.loads(Path("evaluation-test/summary.json").read_text())["accuracy"] == trained.summary["test"]["accuracy"]
    )


@pytest.mark.usefixtures("quick_figures")
def test_class_names_in_brackets_reach_the_tables(
    make_folder: Callable[..., Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data = make_folder(tmp_path / "data", {"[dog]": 12, ":cat:": 12})
    small = ["--data.size", "16", "--train.epochs", "1", "--train.batch_size", "8"]
    assert main(["train", "digits", "--data.name", f"folder:{data}", *small, "--out", str(tmp_path / "run")]) == 0
    capsys.readouterr()
    assert main(["evaluate", str(tmp_path / "run")]) == 0
    assert main(["check", f"folder:{data}"]) == 0
    evaluated, checked = capsys.readouterr().out.split("pictures and log")
    assert re.search(r"note +\d images: .* between models are noise", evaluated)
    for name in ("[dog]", ":cat:"):
        assert re.search(rf"│ {re.escape(name)} +│", evaluated)
        assert re.search(rf"^ {re.escape(name)} +12 $", checked, re.MULTILINE)


def test_the_list_of_recipes_names_them_all(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["recipes"]) == 0
    first_words = [line.split()[0] for line in capsys.readouterr().out.splitlines() if line.strip()]
    assert set(RECIPES) <= set(first_words)


@pytest.mark.parametrize("name", RECIPES)
def test_a_shown_recipe_is_itself(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["recipes", "show", name]) == 0
    assert Recipe.from_yaml(capsys.readouterr().out) == RECIPES[name].recipe


def test_a_shown_recipe_can_be_trained(trained: RunRecord, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    main(["recipes", "show", str(trained.folder)])
    (tmp_path / "mine.yaml").write_text(capsys.readouterr().out)
    assert main(["train", str(tmp_path / "mine.yaml"), "--out", str(tmp_path / "new")]) == 0
    assert RunRecord.read(tmp_path / "new").metrics == trained.metrics


def test_help_tells_every_field_and_command(capsys: pytest.CaptureFixture[str]) -> None:
    for arguments in (["--help"], ["train", "--help"]):
        with pytest.raises(SystemExit, match="0"):
            main(arguments)
    printed = capsys.readouterr().out
    options = set(re.findall(r"^  --(\S+)", printed, re.MULTILINE))
    assert set(field_names()) <= options
    for command in ("train", "evaluate", "predict", "recipes", "check"):
        assert re.search(rf"^    {command} ", printed, re.MULTILINE)


def test_a_check_has_a_status_for_sound_unsound_and_absent(
    make_folder: Callable[..., Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data = make_folder(tmp_path / "data", {"cat": 4, "dog": 4})
    found = tmp_path / "found.json"
    assert main(["check", f"folder:{data}", "--out", str(found)]) == 0
    assert json.loads(found.read_text())["problems"] == []
    (data / "dog" / "bad.png").write_text("text")
    assert main(["check", f"folder:{data}", "--out", str(found)]) == 1
    assert [bad["name"] for bad in json.loads(found.read_text())["corrupt"]] == ["dog/bad.png"]
    assert "wrong: corrupt images (1)\n  dog/bad.png: " in capsys.readouterr().out
    assert main(["check", f"folder:{tmp_path / 'absent'}"]) == 2


@pytest.mark.parametrize("module", ["assay", "assay.cli"])
def test_the_module_is_a_command_too(module: str) -> None:
    line = [sys.executable, "-m", module, "--version"]
    done = subprocess.run(line, capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout == f"assay {assay.__version__}\n"


@pytest.mark.parametrize("arguments", [["recipes"], ["recipes", "show", "digits"], ["train", "--help"]])
def test_a_reader_that_leaves_is_no_error(arguments: list[str]) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    done = subprocess.run([COMMAND, *arguments], stdout=writing, stderr=subprocess.PIPE, check=False, timeout=60)
    os.close(writing)
    assert done.stderr == b""


def test_ctrl_c_outside_a_training_is_one_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def interrupted(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("assay.api.check", interrupted)
    assert main(["check", "digits"]) == 130
    assert capsys.readouterr().err == "assay: interrupted\n"


@pytest.mark.parametrize("folder", ["runs/x", "my runs/it's $5", "digits", "-x"])
def test_the_command_that_goes_on_means_the_folder(
    folder: str, trained: RunRecord, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Even where it is called like a recipe, whose fields are not the run's."""

    def stopped(*_: object, **__: object) -> None:
        raise InterruptedRunError("stopped", Path(folder))

    monkeypatch.chdir(tmp_path)
    shutil.copytree(trained.folder, folder)
    with monkeypatch.context() as patch:
        patch.setattr("assay.api.train", stopped)
        assert main(["train", "digits", f"--out={folder}"]) == 130
    line = capsys.readouterr().err.splitlines()[-1].removeprefix("go on with: ")
    program, *arguments = shlex.split(line)
    assert (program, main(arguments)) == ("assay", 0)
    assert "is finished; ask for more with --train.epochs" in capsys.readouterr().out


def stop_after_another_epoch(
    process: RunProcess, asked: Path, folder: Path, signal_number: int
) -> tuple[int | None, str]:
    """Wait for an epoch of a training, send the signal; its status and what it said."""
    log = folder / "metrics.jsonl"
    before = log.stat().st_size if log.exists() else 0
    deadline = time.monotonic() + 100
    while not log.exists() or log.stat().st_size <= before:
        assert process.wait(0.05) is None, (asked / "stderr").read_text()
        assert time.monotonic() < deadline
    os.kill(int((asked / "pid").read_text()), signal_number)
    return process.wait(60), (asked / "stderr").read_text()


@pytest.mark.slow
@pytest.mark.xdist_group("programs")  # one worker starts the warm one
def test_a_stopped_training_goes_on_where_it_stood(tmp_path: Path, warm_runs: Warm) -> None:
    folder = tmp_path / "a run"
    line = ["train", "digits", "--train.epochs", "500", "--out", str(folder)]
    counts = []
    for number in (signal.SIGINT, signal.SIGTERM):
        asked = ask(tmp_path / number.name, ["-m", "assay", *line])
        with (tmp_path / "log").open("wb") as log:
            process = warm_runs(asked, log)
        with process.stdin:
            status, said = stop_after_another_epoch(process, asked, folder, number)
        assert status == 130
        stopped, command = said.splitlines()
        position = torch.load(folder / "last.ckpt", weights_only=True)["position"]
        assert stopped == f"stopped in epoch {position['epoch'] + 1}, after step {position['step']}; all of it is saved"
        assert command == f"go on with: assay train '{folder}' --resume"
        epochs = [row["epoch"] for row in RunRecord.read(folder).metrics]
        assert epochs == list(range(1, position["epoch"] + 1))
        counts.append(len(epochs))
        line = [*shlex.split(command)[4:], "--train.epochs", "400"]
    assert 1 <= counts[0] < counts[1]
    assert not (folder / "summary.json").exists()
