"""The loss's surface in a study's folder, from probed runs on digits."""

import json
import shutil
from dataclasses import replace
from pathlib import Path

import pytest

import assay
from assay.studies.api import StudyReport
from assay.studies.execution.packed import packed, unpacked
from assay.studies.verify import verify_run
from in_line import run_in_line

STUDY = """
purpose: Which rate is smoother?
base: digits
changes: {train.epochs: 1, train.threads: 1, train.batch_size: 200, train.tensorboard: false, probe.every: 3}
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


@pytest.fixture(scope="module")
def probed(tmp_path_factory: pytest.TempPathFactory) -> StudyReport:
    """A probed study that has been run."""
    home = tmp_path_factory.mktemp("probed")
    (home / "smooth.yaml").write_text(STUDY)
    return assay.run_study(home / "smooth.yaml", seeds=1, out=home / "out", execute=run_in_line, progress=False)


@pytest.mark.slow
def test_a_probed_study_reports_the_surface(probed: StudyReport) -> None:
    assert probed.surface is not None
    assert [network.name for network in probed.surface.networks] == ["relu", "tanh"]
    assert [sorted(runs) for network in probed.surface.networks for runs in network.runs.values()] == 2 * [
        [0.001, 0.002]
    ]
    assert {path.name for path in probed.folder.iterdir()} >= FILES
    shown = assay.show_study("smooth", out=probed.folder.parent).surface
    assert shown is not None
    assert repr(shown.claims) == repr(probed.surface.claims)


def test_other_studies_have_no_surface(tmp_path: Path) -> None:
    file = tmp_path / "plain.yaml"
    file.write_text(STUDY.replace(", probe.every: 3", "").partition('  "tanh')[0])
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("assay.studies.folder.figure_as", lambda kind, figure: f"{kind} {figure!r}".encode())
        report = assay.run_study(file, seeds=1, out=tmp_path / "out", execute=run_in_line, progress=False)
    assert report.surface is None
    assert not FILES & {path.name for path in report.folder.iterdir()}


def lines_alone(probed: StudyReport, folder: Path) -> Path:
    """A folder with the study's plan and lines, and nothing else."""
    folder.mkdir()
    for name in ("study.json", "runs.jsonl"):
        shutil.copy(probed.folder / name, folder)
    return folder


@pytest.mark.slow
def test_the_surface_is_rebuilt_from_the_lines_alone(probed: StudyReport, tmp_path: Path) -> None:
    alone = lines_alone(probed, tmp_path / "alone")
    report = assay.show_study("smooth", runs=alone, save=tmp_path / "again")
    assert report.remarks == ()
    assert report.folder == tmp_path / "again"
    assert {path.name for path in report.folder.iterdir()} >= FILES | {"table.md"}
    for name in ("surface.csv", "surface.md", "table.csv", "along-gradient.png"):
        assert (report.folder / name).read_bytes() == (probed.folder / name).read_bytes()
    assert not any("again" in path.name for path in alone.iterdir())


@pytest.mark.slow
def test_lines_of_earlier_versions_are_read_without_a_surface(probed: StudyReport, tmp_path: Path) -> None:
    alone = lines_alone(probed, tmp_path / "alone")
    lines = [json.loads(line) for line in (alone / "runs.jsonl").read_text().splitlines()]
    (alone / "runs.jsonl").write_text("".join(json.dumps(line | {"traces": None}) + "\n" for line in lines[:1]))
    with pytest.raises(ValueError, match=r"runs\.jsonl: line 1: traces: expected a mapping, not None"):
        assay.show_study("smooth", runs=alone)
    for line in lines:
        del line["traces"]
    (alone / "runs.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    report = assay.show_study("smooth", runs=alone)
    assert report.surface is None
    assert [line.runs for line in report.table.lines] == [1, 1, 1, 1]
    assert "the loss's surface of 4 runs is not in it: they are of an earlier version" in report.remarks[0]


@pytest.mark.slow
def test_a_probed_run_that_is_done_again_is_compared_in_its_traces(probed: StudyReport, tmp_path: Path) -> None:
    alone = lines_alone(probed, tmp_path / "alone")
    assert verify_run(alone, execute=run_in_line).differences == ()
    lines = [json.loads(line) for line in (alone / "runs.jsonl").read_text().splitlines()]
    for line in lines:
        traces = unpacked(line["traces"])
        line["traces"] = packed(replace(traces, losses=traces.losses * (1 + 1e-7)))
    (alone / "runs.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    assert verify_run(alone, execute=run_in_line).differences == ("what the probe wrote: other losses",)


@pytest.mark.slow
def test_a_folder_with_other_files_is_not_written_into(probed: StudyReport, tmp_path: Path) -> None:
    (tmp_path / "surface.md").write_text("mine")
    with pytest.raises(ValueError, match=r"has files and no study\.json; expected a new folder, or that of a study$"):
        assay.show_study("smooth", runs=probed.folder, save=tmp_path)
    assert (tmp_path / "surface.md").read_text() == "mine"
