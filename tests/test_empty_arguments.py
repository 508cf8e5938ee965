"""An empty text, which a shell makes of a variable that is not set, is no name and no folder: it is refused."""

from __future__ import annotations

from pathlib import Path

import pytest

import assay
from assay.cli import main


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (["train", ""], "train"),
        (["train", "digits", "--out", ""], "--out"),
        (["train", "digits", "--out="], "--out"),
        (["train", "digits", "--data.name="], "--data.name"),
        (["evaluate", "run", "--out", ""], "--out"),
        (["predict", "run", ""], "run"),
        (["report", ""], "report"),
        (["new", ""], "new"),
    ],
)
def test_the_argument_before_it_is_named(
    arguments: list[str],
    named: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit) as leave:
        main(arguments)
    assert leave.value.code == 2
    assert capsys.readouterr().err == f"assay: {named}: followed by an empty text\n"
    assert not list(tmp_path.iterdir())


def test_the_library_does_not_take_it_for_the_working_folder(
    finished_run: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(finished_run)
    with pytest.raises(ValueError, match="unknown recipe ''"):
        assay.train("", progress=False)
    with pytest.raises(ValueError, match=r"^: no such folder, Parquet or tar file"):
        assay.check("")
    with pytest.raises(ValueError, match="an empty text names no image"):
        assay.predict(finished_run, [""])
