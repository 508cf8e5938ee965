"""Which runs and studies lie where."""

from __future__ import annotations

from pathlib import Path

import pytest

from assay.pages.report import find
from assay.pages.report.find import find_folders, name_runs, shortest_names
from assay.recipe.recipe import Recipe
from assay.studies.folder import store_of, write_plan
from assay.studies.plan import plan_study
from assay.studies.study import Row, Study


def make(folder: Path, file: str) -> Path:
    folder.mkdir(parents=True)
    (folder / file).write_text("")
    return folder


def test_runs_and_studies_are_found_at_any_of_their_levels(tmp_path: Path) -> None:
    run = make(tmp_path / "studies" / "runs" / "abc", "recipe.yaml")
    make(tmp_path / "studies" / ".hidden", "recipe.yaml")
    study = make(tmp_path / "studies" / "stem", "study.json")
    for path in (tmp_path / "studies", tmp_path):
        found = find_folders([path, run])
        assert found.studies == (study,)
        assert [one.resolve() for one in found.runs] == [run]
    assert find_folders([study]).runs == ()


@pytest.mark.parametrize("place", ["", "nowhere", "file.txt"])
def test_what_is_neither_is_refused_in_a_line(tmp_path: Path, place: str) -> None:
    (tmp_path / "file.txt").write_text("")
    with pytest.raises(ValueError, match=r"holds neither a run|expected a run") as refused:
        find_folders([tmp_path / place])
    assert "\n" not in str(refused.value)


def test_the_runs_of_a_large_study_are_left_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    study = plan_study(Study("rates", "Which?", Recipe(), (Row("plain"), Row("fast", {"optim.lr": 0.2}))), seeds=(0, 1))
    folder = tmp_path / "rates"
    write_plan(study, folder, "rates")
    for job in study.order()[:3]:
        make(store_of(tmp_path).folder(job), "recipe.yaml")
    other = make(tmp_path / "runs" / "other", "recipe.yaml")
    found = find_folders([tmp_path])
    assert sorted(name_runs(found).values()) == ["fast, seed 0", "other", "plain, seed 0", "plain, seed 1"]
    monkeypatch.setattr(find, "MOST_RUNS", 2)
    assert name_runs(found) == {other: "other"}


def test_no_path_is_refused() -> None:
    with pytest.raises(ValueError, match="name a run folder"):
        find_folders([])


def test_names_are_as_long_as_they_must_be(tmp_path: Path) -> None:
    folders = [tmp_path / name for name in ("a/x", "b/x", "b/y")]
    assert list(shortest_names(folders).values()) == ["a/x", "b/x", "y"]
