"""The loss's surface in a study's folder, from probed runs on digits."""

from pathlib import Path

import pytest

import assay
from in_line import run_in_line

STUDY = """
purpose: Which rate is smoother?
base: digits
changes: {train.epochs: 1, train.threads: 1, train.batch_size: 200, probe.every: 3}
design: list
rows:
  "relu, lr 0.001": {optim.lr: 0.001}
  "relu, lr 0.002": {optim.lr: 0.002}
  "tanh, lr 0.001": {model.activation: tanh, optim.lr: 0.001}
  "tanh, lr 0.002": {model.activation: tanh, optim.lr: 0.002}
"""
FILES = {
    "surface.md",
    "surface.csv",
    *(f"{name}.{kind}" for name in ("along-gradient", "over-rates") for kind in ("png", "svg")),
}


def test_a_probed_study_reports_the_surface(tmp_path: Path) -> None:
    file = tmp_path / "smooth.yaml"
    file.write_text(STUDY)
    report = assay.run_study(file, seeds=1, out=tmp_path / "out", execute=run_in_line, progress=False)
    assert report.surface is not None
    assert [network.name for network in report.surface.networks] == ["relu", "tanh"]
    assert [sorted(runs) for network in report.surface.networks for runs in network.runs.values()] == 2 * [
        [0.001, 0.002]
    ]
    assert {path.name for path in report.folder.iterdir()} >= FILES
    shown = assay.show_study("smooth", out=tmp_path / "out").surface
    assert shown is not None
    assert repr(shown.claims) == repr(report.surface.claims)


def test_other_studies_have_no_surface(tmp_path: Path) -> None:
    file = tmp_path / "plain.yaml"
    file.write_text(STUDY.replace(", probe.every: 3", ""))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("assay.studies.folder.figure_as", lambda kind, figure: f"{kind} {figure!r}".encode())
        report = assay.run_study(file, seeds=1, out=tmp_path / "out", execute=run_in_line, progress=False)
    assert report.surface is None
    assert not FILES & {path.name for path in report.folder.iterdir()}
