"""The command: what it passes on, prints and draws."""

import argparse
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

import assay.api
from assay.commands import find_lr
from assay.training.lr_finder import Sweep

SWEEP = Sweep((1e-3, 1e-2, 1e-1), (2.0, 1.0, 3.0), (2.0, 1.5, 2.5))


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """What the library is asked for."""
    calls: list[Any] = []

    def find(recipe: str, changes: dict[str, Any]) -> Sweep:
        calls.append((recipe, changes))
        return SWEEP

    monkeypatch.setattr(assay.api, "find_lr", find, raising=False)
    return calls


def run(*arguments: str) -> int:
    parser = argparse.ArgumentParser()
    find_lr.add_arguments(parser)
    return find_lr.execute(parser.parse_args(arguments))


def test_fields_are_passed_on_and_the_rates_printed(asked: list[Any], capsys: pytest.CaptureFixture[str]) -> None:
    assert run("digits", "--train.batch_size", "64", "--optim.momentum", "0.5") == 0
    assert asked == [("digits", {"train.batch_size": 64, "optim.momentum": 0.5})]
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "tried 3 rates from 0.001 to 0.1"
    assert lines[2].split()[-1] == "0.001"  # a tenth of 0.01
    assert lines[-1] == "next: --optim.lr 0.001"


def test_remarks_come_first(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(assay.api, "find_lr", lambda *_: replace(SWEEP, notes=("a remark",)), raising=False)
    assert run("digits") == 0
    assert capsys.readouterr().out.splitlines()[0] == "a remark"


def test_the_figure_is_drawn(asked: list[Any], tmp_path: Path) -> None:
    assert run("digits", "--plot", str(tmp_path / "sweep.png")) == 0
    assert (tmp_path / "sweep.png").read_bytes().startswith(b"\x89PNG")
    assert asked == [("digits", {})]


def test_another_kind_of_file_is_refused_before_anything_is_trained(asked: list[Any], tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"sweep\.txt: not a \.png or \.svg file"):
        run("digits", "--plot", str(tmp_path / "sweep.txt"))
    assert asked == []
