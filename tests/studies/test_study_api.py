"""The front door of studies: folders, files, and what is shown later."""

from __future__ import annotations

import csv
import json
import shutil
from collections.abc import Iterator, Sequence
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

import assay
from assay.studies.conduct import InterruptedStudyError
from assay.studies.execution import on_ray, ray_share
from assay.studies.execution import store as store_module
from assay.studies.execution.local import Watch
from assay.studies.execution.store import Job, Outcome, Store
from in_line import run_in_line, write_study

FILES = {"study.json", "runs.jsonl", "table.md", "table.csv", "table.tex", "next.md"}
PICTURES = {"forest.png", "forest.svg", "cost.png", "cost.svg"}


@pytest.fixture(autouse=True)
def quick_figures(monkeypatch: pytest.MonkeyPatch) -> None:
    """Figures are made, but not drawn, which takes seconds."""
    monkeypatch.setattr("assay.studies.folder.figure_as", lambda kind, figure: f"{kind} {figure!r}".encode())


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the study's file lies, by which a study that was run is found again."""
    return tmp_path_factory.mktemp("study")


@pytest.fixture
def study_file(home: Path) -> Path:
    return write_study(home)


@pytest.fixture(scope="module")
def conducted(home: Path) -> assay.StudyReport:
    """The study, run once for all tests."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("ASSAY_CACHE", str(home / "cache"))
        return assay.run_study(write_study(home), seeds=2, out=home / "out", execute=run_in_line, progress=False)


@pytest.fixture
def report(conducted: assay.StudyReport, study_file: Path, tmp_path: Path) -> assay.StudyReport:  # noqa: ARG001
    """Its report, in a folder of the test's own."""
    shutil.copytree(conducted.folder.parent, tmp_path / "out")
    return replace(conducted, folder=tmp_path / "out" / conducted.folder.name)


def test_a_study_leaves_table_pictures_and_advice(report: assay.StudyReport, tmp_path: Path) -> None:
    assert report.folder == tmp_path / "out" / "rates-full"
    assert {path.name for path in report.folder.iterdir()} == FILES | PICTURES
    rows = list(csv.DictReader((report.folder / "table.csv").read_text().splitlines()))
    assert [row["row"] for row in rows] == ["slow", "fast"]
    assert float(rows[1]["accuracy_percent"]) == pytest.approx(report.table.lines[1].estimate.mean)
    assert "rates" in (report.folder / "table.md").read_text()
    assert report.failures == 0


def test_it_is_shown_again_without_running(report: assay.StudyReport, tmp_path: Path, study_file: Path) -> None:
    for name in ("rates", study_file, report.folder):
        shown = assay.show_study(name, out=tmp_path / "out")
        assert repr(shown.table) == repr(report.table)  # nan is not equal to itself


def test_it_is_shown_after_the_code_has_changed(
    report: assay.StudyReport, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(store_module, "code_version", lambda: "another")
    assert repr(assay.show_study("rates", out=tmp_path / "out").table) == repr(report.table)


def test_studies_at_other_settings_have_folders_of_their_own(
    report: assay.StudyReport, study_file: Path, tmp_path: Path
) -> None:
    other = assay.run_study(
        study_file, seeds=1, selection="held-out", out=tmp_path / "out", execute=run_in_line, progress=False
    )
    assert other.folder.name == "rates-full-held-out"
    with pytest.raises(ValueError, match="rates: which one"):
        assay.show_study("rates", out=tmp_path / "out")
    assert repr(assay.show_study(report.folder).table) == repr(report.table)


def test_an_interrupted_study_leaves_its_table(study_file: Path, tmp_path: Path) -> None:
    def interrupted(jobs: Sequence[Job], store: Store, watch: Watch) -> Iterator[tuple[Job, Outcome]]:
        yield from run_in_line(jobs[:1], store, watch)
        yield jobs[1], Outcome("interrupted")

    with pytest.raises(InterruptedStudyError):
        assay.run_study(study_file, seeds=1, out=tmp_path / "out", execute=interrupted, progress=False)
    lines = assay.show_study("rates", out=tmp_path / "out").table.lines
    assert [line.runs for line in lines] == [1, 0]
    assert lines[1].verdict == "to come"


def test_what_was_never_run_cannot_be_shown(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="stem: nothing has been run of it"):
        assay.show_study("stem", out=tmp_path)
    with pytest.raises(ValueError, match="unknown study 'stm': did you mean stem"):
        assay.run_study("stm", out=tmp_path / "new")
    assert not (tmp_path / "new").exists()


def test_an_edited_study_shows_only_what_was_run(report: assay.StudyReport, study_file: Path, tmp_path: Path) -> None:
    study_file.write_text(study_file.read_text().replace("0.01", "0.5"))
    assert repr(assay.show_study("rates", out=tmp_path / "out").table) == repr(report.table)
    study_file.unlink()
    assert repr(assay.show_study("rates", out=tmp_path / "out").table) == repr(report.table)


def test_to_show_changes_no_file(report: assay.StudyReport, tmp_path: Path) -> None:
    before = {path: path.read_bytes() for path in report.folder.iterdir()}
    assay.show_study("rates", out=tmp_path / "out", margin=0.25)
    assert {path: path.read_bytes() for path in report.folder.iterdir()} == before


def test_changed_settings_and_other_files_do_not_share_a_folder(
    report: assay.StudyReport, study_file: Path, tmp_path: Path
) -> None:
    changed = assay.run_study(
        study_file, {"optim.eps": 1e-6}, seeds=1, out=tmp_path / "out", execute=run_in_line, progress=False
    )
    assert changed.folder.name.startswith("rates-full-altered-")
    other = tmp_path / "sub"
    other.mkdir()
    with pytest.raises(ValueError, match="holds another study"):
        assay.run_study(write_study(other), seeds=1, out=tmp_path / "out", execute=run_in_line, progress=False)
    assert repr(assay.show_study(report.folder).table) == repr(report.table)


@pytest.mark.parametrize("content", ["[1, 2]", "3", "null", "{", '{"source": "a"}', '{"setting": 3, "rows": []}'])
def test_a_damaged_plan_is_named(report: assay.StudyReport, content: str) -> None:
    (report.folder / "study.json").write_text(content)
    with pytest.raises(ValueError, match=r"study\.json"):
        assay.show_study(report.folder)


@pytest.mark.parametrize(
    ("part", "change", "said"),
    [
        ("setting", {"budget": 3}, "setting: budget: expected text, not 3"),
        ("setting", {"seeds": []}, "setting: seeds: expected a list of seeds"),
        ("setting", {"command": None}, "setting: command: expected text, not None"),
        ("row", {"changes": []}, "row 1: changes: expected a mapping of fields"),
        ("row", {"published": "high"}, "row 1: published: expected a number"),
        ("row", {"runs": {}}, "row 1: runs: expected one for each of the seeds"),
        ("row", {"runs": {"0": "../../elsewhere"}}, "row 1: runs: expected keys of 16 hexadecimal digits by seed"),
    ],
)
def test_a_plan_of_another_shape_is_refused(
    report: assay.StudyReport, part: str, change: dict[str, Any], said: str
) -> None:
    file = report.folder / "study.json"
    plan = json.loads(file.read_text())
    (plan["setting"] if part == "setting" else plan["rows"][0]).update(change)
    file.write_text(json.dumps(plan))
    with pytest.raises(ValueError, match=rf"study\.json: damaged, or of another version [(]{said}"):
        assay.show_study(report.folder)


def test_a_study_is_found_beside_a_damaged_one(report: assay.StudyReport, tmp_path: Path) -> None:
    damaged = tmp_path / "out" / "another" / "study.json"
    damaged.parent.mkdir()
    damaged.write_text("[" * 100_000)
    assert repr(assay.show_study("rates", out=tmp_path / "out").table) == repr(report.table)
    with pytest.raises(ValueError, match=r"stem: nothing has been run of it .*another/study\.json: not JSON"):
        assay.show_study("stem", out=tmp_path / "out")


def test_a_row_that_cannot_run_is_refused_before_anything_runs(study_file: Path, tmp_path: Path) -> None:
    study_file.write_text(study_file.read_text().replace("{optim.lr: 0.01}", "{train.batch_size: 5000}"))
    with pytest.raises(ValueError, match=r"study rates, row 'fast': train\.batch_size: 5000 is more than"):
        assay.run_study(study_file, seeds=1, out=tmp_path / "out", execute=run_in_line, progress=False)
    assert not (tmp_path / "out").exists()


def test_a_study_that_no_machine_of_ray_has_room_for_leaves_no_folder(
    study_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("ray", reason="Ray is not installed")
    monkeypatch.setattr(on_ray, "connected", lambda _address: nullcontext())
    monkeypatch.setattr(ray_share, "machines", lambda: [{"CPU": 2.0}])
    for cluster, words in (
        (on_ray.Ray(cpus=64), "a run takes 64 CPU, which no machine"),
        (on_ray.Ray(gpus=1), "all runs have train.device cpu"),
    ):
        with pytest.raises(ValueError, match=words):
            assay.run_study(study_file, out=tmp_path / "studies", execute=cluster, progress=False)
    assert not (tmp_path / "studies").exists()
