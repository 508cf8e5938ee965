"""No name and no link leads out of the served folder."""

import json
import os
import shutil
from pathlib import Path

import pytest
from starlette.exceptions import HTTPException
from starlette.testclient import TestClient

from assay.pages.server.folder import ServedFolder, look_up
from assay.pages.server.overview_reader import Overviews


def test_runs_are_found_at_any_depth_and_sorted(runs: Path) -> None:
    shutil.copytree(runs / "digits", runs / "a" / "b" / "c")
    found = ServedFolder.open(runs).find("run")
    assert list(found) == ["a/b/c", "digits", "group/second"]
    assert found["a/b/c"] == runs / "a" / "b" / "c"


def test_a_run_folder_itself_can_be_served(runs: Path) -> None:
    assert ServedFolder.open(runs / "digits").find("run") == {"digits": runs / "digits"}


@pytest.mark.parametrize(
    "name", ["", ".", "..", "../served/digits", "digits/../digits", "/digits", "digits/", "//digits", "group"]
)
def test_only_names_of_the_list_are_looked_up(runs: Path, name: str) -> None:
    with pytest.raises(HTTPException, match=r"404: .*no run"):
        look_up("run", name, ServedFolder.open(runs).find("run"))


def test_the_nearest_name_is_told(runs: Path) -> None:
    with pytest.raises(HTTPException, match=r"404: .*did you mean digits"):
        look_up("run", "digit", ServedFolder.open(runs).find("run"))


def test_a_linked_folder_is_not_entered(runs: Path, trained: Path) -> None:
    (runs / "link").symlink_to(trained)
    (runs / "up").symlink_to(runs.parent)
    assert list(ServedFolder.open(runs).find("run")) == ["digits", "group/second"]


@pytest.mark.parametrize("file", ["summary.json", "metrics.jsonl", "model.safetensors", "inspection/new.png"])
def test_a_run_with_a_link_to_the_outside_is_left_out(runs: Path, file: str) -> None:
    link = runs / "digits" / file
    link.parent.mkdir(exist_ok=True)
    link.unlink(missing_ok=True)
    link.symlink_to(runs.parent / "secret.txt")
    assert list(ServedFolder.open(runs).find("run")) == ["group/second"]


def test_a_link_to_the_inside_is_no_harm(runs: Path) -> None:
    (runs / "digits" / "summary.json").rename(runs / "summary.json")
    (runs / "digits" / "summary.json").symlink_to(runs / "summary.json")
    assert "digits" in ServedFolder.open(runs).find("run")


def test_hidden_folders_and_names_without_an_address_are_passed_over(runs: Path) -> None:
    shutil.copytree(runs / "digits", runs / ".hidden")
    shutil.copytree(runs / "digits", runs / "two\nlines")
    assert list(ServedFolder.open(runs).find("run")) == ["digits", "group/second"]


def test_a_name_that_is_not_utf_8_is_passed_over(runs: Path) -> None:
    try:
        shutil.copytree(runs / "digits", os.fsdecode(os.fsencode(runs) + b"/\xff"))
    except OSError as error:
        pytest.skip(f"this file system has no such names ({type(error).__name__})")
    assert list(ServedFolder.open(runs).find("run")) == ["digits", "group/second"]


@pytest.mark.parametrize("file", ["loop", "recipe.yaml", "inspection/loop"])
def test_a_run_with_a_link_in_a_circle_is_left_out(client: TestClient, runs: Path, file: str) -> None:
    link = runs / "digits" / file
    link.parent.mkdir(exist_ok=True)
    link.unlink(missing_ok=True)
    link.symlink_to(link.name)
    assert list(ServedFolder.open(runs).find("run")) == ["group/second"]
    assert [client.get(page).status_code for page in ("/", "/predict", "/api/runs", "/runs/digits")] == [200] * 3 + [
        404
    ]


def test_a_folder_that_is_a_link_in_a_circle_is_refused(tmp_path: Path) -> None:
    (tmp_path / "loop").symlink_to("loop")
    with pytest.raises(ValueError, match="no such folder"):
        ServedFolder.open(tmp_path / "loop")


def study(folder: Path, *keys: str) -> None:
    folder.mkdir(parents=True)
    rows = [{"runs": {str(seed): key}} for seed, key in enumerate(keys)]
    (folder / "study.json").write_text(json.dumps({"rows": rows}))


KEY = "0123456789abcdef"


def test_a_study_is_found_where_its_runs_are_beside_it(runs: Path) -> None:
    study(runs / "stem-quick", KEY)
    assert list(ServedFolder.open(runs).find("study")) == ["stem-quick"]


@pytest.mark.parametrize("key", ["../../outside", "/etc", "..", "", "0123456789ABCDEF", KEY + "0"])
def test_a_study_that_names_runs_elsewhere_is_left_out(runs: Path, key: str) -> None:
    study(runs / "stem-quick", KEY, key)
    assert not ServedFolder.open(runs).find("study")


def test_a_study_whose_runs_are_linked_from_the_outside_is_left_out(runs: Path, trained: Path) -> None:
    study(runs / "stem-quick", KEY)
    (runs / "runs").mkdir()
    (runs / "runs" / KEY).symlink_to(trained)
    assert not ServedFolder.open(runs).find("study")


def test_a_study_whose_run_is_a_link_in_a_circle_is_left_out(runs: Path) -> None:
    study(runs / "stem-quick", KEY)
    (runs / "runs").mkdir()
    (runs / "runs" / KEY).symlink_to(KEY)
    assert not ServedFolder.open(runs).find("study")


def test_a_study_that_is_served_without_its_runs_is_left_out(runs: Path) -> None:
    study(runs / "stem-quick", KEY)
    assert not ServedFolder.open(runs / "stem-quick").find("study")


@pytest.mark.parametrize("content", ["{", "[]", "{}", '{"rows": 1}', '{"rows": [1]}', '{"rows": [{"runs": []}]}'])
def test_a_damaged_study_names_no_runs(runs: Path, content: str) -> None:
    study(runs / "stem-quick")
    (runs / "stem-quick" / "study.json").write_text(content)
    folder = ServedFolder.open(runs).find("study")["stem-quick"]
    assert Overviews(str).read_study("stem-quick", folder).problem


def test_messages_do_not_say_where_the_folder_lies(runs: Path) -> None:
    folder = ServedFolder.open(runs)
    assert folder.hide(f"{runs}/digits/metrics.jsonl:\n broken in {runs}") == "digits/metrics.jsonl: broken in served"


def test_a_missing_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"nowhere: no such folder of runs"):
        ServedFolder.open(tmp_path / "nowhere")
