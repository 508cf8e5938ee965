"""`assay study` from the command line: what it prints, what it refuses."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest

from assay.cli import main
from assay.studies.named import STUDIES
from in_line import run_in_line
from killing import Warm
from warm_programs import ask

YAML = """
base: digits
changes: {train.epochs: 1, train.batch_size: 100, train.threads: 1}
factors: {optim.lr: [0.001, 0.01]}
"""


@pytest.fixture
def study(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A study's file in the current folder."""
    monkeypatch.chdir(tmp_path)
    file = Path("rates.yaml")
    file.write_text(YAML)
    return file


@pytest.fixture
def without_processes(monkeypatch: pytest.MonkeyPatch) -> None:
    """Runs are done in this process, and figures are not drawn: both take seconds."""
    monkeypatch.setattr("assay.studies.execution.local.run_here", run_in_line)
    monkeypatch.setattr("assay.studies.folder.figure_as", lambda kind, figure: f"{kind} {figure!r}".encode())


SGD = "train.epochs: 3, optim.name: sgd, schedule.name: constant,"


def refusal(capsys: pytest.CaptureFixture[str], *words: str) -> str:
    """The one line that is printed when the words are refused."""
    try:
        status = main(["study", *words])
    except SystemExit as left:
        status = int(str(left.code))
    assert status == 2
    printed = capsys.readouterr()
    assert printed.out == ""
    assert printed.err.count("\n") == 1
    return printed.err


def test_list_names_every_study(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["study", "list"]) == 0
    printed = capsys.readouterr().out
    for name in STUDIES:
        assert f"\n{name} " in printed


@pytest.mark.usefixtures("without_processes")
def test_a_study_is_run_shown_and_not_run_again(study: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["study", "run", str(study), "--seeds", "2", "--margin", "3"]
    assert main(words) == 0
    printed = capsys.readouterr().out
    assert "rates: 4 runs, 0 of them done before" in printed
    assert "4 of 4 runs done" in printed
    assert "lr 0.01" in printed
    assert "assay study run rates.yaml --seeds 2 --margin 3" in printed
    assert "studies/rates-full: cost.png" in printed
    assert main(words) == 0
    assert "rates: 4 runs, 4 of them done before" in capsys.readouterr().out
    assert main(["study", "show", "rates", "--format", "csv"]) == 0
    rows = list(csv.DictReader(capsys.readouterr().out.splitlines()))
    assert [row["row"] for row in rows] == ["lr 0.001", "lr 0.01"]
    for form, sign in (("markdown", "| lr 0.01 "), ("latex", r"\begin{table}")):
        assert main(["study", "show", "rates", "--format", form]) == 0
        assert sign in capsys.readouterr().out


@pytest.mark.usefixtures("without_processes")
def test_a_row_that_fails_is_told_by_the_exit_status(study: Path, capsys: pytest.CaptureFixture[str]) -> None:
    study.write_text(YAML.replace("[0.001, 0.01]", "[0.001, 100.0], optim.lr_batch: [1]"))
    study.write_text(study.read_text().replace("train.epochs: 1,", SGD))
    assert main(["study", "run", str(study), "--seeds", "1"]) == 1
    printed = " ".join(capsys.readouterr().out.split())
    assert "diverged in epoch" in printed
    assert "Failed: lr 100.0, lr_batch 1: seed 0: diverged" in printed


@pytest.mark.slow
@pytest.mark.xdist_group("programs")  # one worker starts the warm one
def test_each_run_is_a_process_of_its_own(study: Path, tmp_path: Path, warm_runs: Warm) -> None:
    asked = ask(tmp_path / "asked", ["-m", "assay", "study", "run", study.resolve(), "--seeds", "1", "--cpus", "1"])
    assert warm_runs.do(asked) == 0, (asked / "stderr").read_text()
    assert "2 of 2 runs done" in (asked / "stdout").read_text()
    pictures = {path.name for path in (asked / "studies" / "rates-full").glob("*.png")}
    assert pictures == {"forest.png", "cost.png"}


@pytest.mark.parametrize(
    ("words", "complaint"),
    [
        (["run", "stm"], "assay: unknown study 'stm': did you mean stem?"),
        (["run", "rates.yml"], "assay: rates.yml: no such study file"),
        (["run", "stem", "--budget", "quik"], "unknown --budget 'quik': did you mean quick?"),
        (["run", "stem", "--seeds", "0"], "--seeds: expected a number from 1 on, or several between commas, not '0'"),
        (["run", "stem", "--optim.rl", "1"], "unknown option --optim.rl: did you mean --optim.lr?"),
        (["run", "stem", "--optim.lr", "-1"], "optim.lr: -1 is not a number above 0"),
        (["run", "stem", "--margin", "0"], "margin: 0 is not a number of percentage points above 0"),
        (["run", "stem", "--margin", "nan"], "margin: nan is not"),
        (["run", "stem", "--cpus", "0"], "train.threads: 0 is not a whole number at least 1"),
        (["run", "stem", "--cpus", "2", "--train.threads", "4"], "--cpus and --train.threads say the same"),
        (["run", "stem", "--train.seed", "7"], "train.seed: a study sets it for its rows; choose --seeds"),
        (["run", "stem", "--train.select", "last"], "train.select: a study sets it for its rows; choose --protocol"),
        (["run", "stem", "--seeds", "1000000"], "seeds: 1000000 are more than 1000"),
        (["run", "stem", "--data.name", "folder:/nowhere"], "row '3x3, stride 1': folder:/nowhere: no such folder"),
        (["run", "optimizer", "--data.name", "digits", "--optim.momentum", "0.5"], "has no option 'momentum'"),
        (["run", "weight-decay", "--optim.weight_decay", "0.5"], "'L2 1e-5' and 'L2 1e-4' are one and the same run"),
        (["run", "stem", "--gpus", "1"], "--address, --gpus and --autoscaling are for --on ray"),
        (["run", "stem", "--on", "ray", "--autoscaling"], "--autoscaling is for a cluster: give its --address"),
        (["show", "stem"], "stem: nothing has been run of it in studies"),
        (["show", "stem", "--formt", "csv"], "unknown option --formt: did you mean --format?"),
        (["rnu", "stem"], "unknown action 'rnu': did you mean run?"),
    ],
)
def test_mistakes_are_one_line(
    words: list[str],
    complaint: str,
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    assert complaint in refusal(capsys, *words)
    assert list(tmp_path.iterdir()) == []
