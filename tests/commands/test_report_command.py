"""`assay report` from the command line."""

from __future__ import annotations

from pathlib import Path

import pytest

from assay.cli import main
from assay.pages.report import api


@pytest.fixture(autouse=True)
def quick_page(monkeypatch: pytest.MonkeyPatch) -> None:
    """What a page holds is tested elsewhere."""
    monkeypatch.setattr(api, "render", lambda report: f"{report.title}: {len(report.runs)}; {report.command}")


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A run that has only begun, in the current folder."""
    monkeypatch.chdir(tmp_path)
    Path("runs/one").mkdir(parents=True)
    Path("runs/one/recipe.yaml").write_text("data: {name: digits}\n")
    return Path("runs/one")


def test_a_page_is_written_and_named(run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["report", str(run)]) == 0
    assert Path("report.html").read_text() == "one: 1; assay report runs/one"
    assert capsys.readouterr().out.startswith("report.html: 0.0 MB")
    assert main(["report", "runs", "--title", "My runs", "--out", "my.html"]) == 0
    assert Path("my.html").read_text() == "My runs: 1; assay report runs --title 'My runs' --out my.html"


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["nowhere"], "nowhere: no such folder"),
        (["runs/one/recipe.yaml"], "expected a run"),
        (["runs", "--out", "no/such/page.html"], "no/such: no such folder to write to"),
        (["runs", "--out", "runs"], "runs: a folder"),
    ],
)
@pytest.mark.usefixtures("run")
def test_what_cannot_be_is_refused_in_a_line(capsys: pytest.CaptureFixture[str], words: list[str], said: str) -> None:
    assert main(["report", *words]) == 2
    printed = capsys.readouterr()
    assert said in printed.err
    assert printed.err.count("\n") == 1
    assert not list(Path().glob("**/*.html"))


def test_a_page_needs_a_path(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="2"):
        main(["report"])
    assert "PATH" in capsys.readouterr().err
