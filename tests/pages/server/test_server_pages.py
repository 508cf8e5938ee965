"""The pages, and how they follow runs."""

import json
import re
import shutil
from collections.abc import Callable
from html.parser import HTMLParser
from pathlib import Path

import pytest
from starlette.testclient import TestClient
from visits import age, visit

from assay.base.json_files import LineLog
from assay.pages.server import pages
from assay.pages.server.kept import Kept
from assay.pages.server.overview import Overview
from assay.pages.server.overview_reader import Overviews
from assay.run.folder import RunFolder
from assay.run.record import RunRecord
from assay.studies.api import run_study
from in_line import run_in_line, write_study
from quick_suite import rest_slow


def overview(name: str, folder: Path) -> Overview:
    return Overviews(str).read(name, folder)


def test_the_list_names_all_runs_and_how_they_stand(client: TestClient, runs: Path) -> None:
    page = client.get("/").text
    assert page.index('href="/runs/digits"') < page.index('href="/runs/group/second"')
    figures = RunRecord.read(runs / "digits").summary["test"]
    low, high = figures["interval"]
    assert f"{100 * figures['accuracy']:.2f} % [{100 * low:.1f}, {100 * high:.1f}]" in page
    first, second = client.get("/api/runs").json()
    assert (first["interval"], second["interval"]) == ([low, high], None)  # an epoch's figures lack the images
    assert "1 of 2" in page


def test_an_empty_folder_says_how_to_fill_it(tmp_path: Path) -> None:
    assert "assay train digits" in visit(tmp_path).get("/").text
    assert "no finished run" in visit(tmp_path).get("/predict").text
    assert visit(tmp_path).get("/api/runs").json() == []


def test_how_a_run_stands(runs: Path) -> None:
    finished, running = (overview(name, runs / name) for name in ("digits", "group/second"))
    assert (finished.status, finished.epoch, finished.epochs, finished.split) == ("finished", 2, 2, "test")
    assert (running.status, running.epoch, running.epochs, running.split) == ("running", 1, 2, "held-out")
    assert running.accuracy == RunRecord.read(runs / "group" / "second").metrics[0]["held_out_accuracy"]
    assert finished.protocol == RunRecord.read(runs / "digits").summary["selection"]


def test_a_run_that_changes_nothing_any_more_has_stopped(runs: Path) -> None:
    folder = runs / "group" / "second"
    seconds = RunFolder(folder).timings.rows()[-1]["seconds"]
    age(folder, 30)
    assert overview("second", folder).status == "running"
    age(folder, 61 + 2 * seconds)
    assert overview("second", folder).status == "stopped"


def test_a_run_in_its_first_epoch_has_until_its_second_checkpoint(runs: Path) -> None:
    folder = runs / "group" / "second"
    for name in ("metrics.jsonl", "timings.jsonl"):
        (folder / name).unlink()
    age(folder, 9 * 60)
    assert (overview("second", folder).status, overview("second", folder).accuracy) == ("running", None)
    age(folder, 12 * 60)
    assert overview("second", folder).status == "stopped"


def test_the_runs_of_folds_are_listed_and_their_run_stands_as_they_do(folded_run: Path, tmp_path: Path) -> None:
    shutil.copytree(folded_run, tmp_path / "x")
    for name in ("summary.json", "metrics.jsonl", "timings.jsonl", "model.safetensors", "last.ckpt"):
        (tmp_path / "x" / name).unlink()
    for folder in (tmp_path / "x", tmp_path / "x" / "folds" / "1"):
        age(folder, 60 * 60)
    age(tmp_path / "x" / "folds" / "2", 0)
    views = {one["name"]: one for one in visit(tmp_path).get("/api/runs").json()}
    assert {name: one["status"] for name, one in views.items()} == {
        "x": "running",
        "x/folds/1": "finished",
        "x/folds/2": "finished",
    }
    age(tmp_path / "x" / "folds" / "2", 60 * 60)
    assert overview("x", tmp_path / "x").status == "stopped"
    assert visit(tmp_path).get("/runs/x").status_code == 200
    assert visit(tmp_path).get("/runs/x/folds/2").status_code == 200


def test_a_cross_validated_run_shows_its_out_of_fold_accuracy(folded_run: Path, tmp_path: Path) -> None:
    shutil.copytree(folded_run, tmp_path / "x")
    summary = RunRecord.read(folded_run).summary
    assert overview("x", tmp_path / "x").split == "test"
    del summary["test"]
    (tmp_path / "x" / "summary.json").write_text(json.dumps(summary))
    view = overview("x", tmp_path / "x")
    assert (view.split, view.accuracy, view.select) == ("out-of-fold", summary["out_of_fold"]["accuracy"], "last")


def test_a_diverged_run(runs: Path) -> None:
    (runs / "group" / "second" / "summary.json").write_text('{"status": "diverged", "epoch": 2}')
    assert overview("second", runs / "group" / "second").status == "diverged"


DAMAGE = {
    "recipe.yaml": "model: \0",
    "metrics.jsonl": "[]\n",
    "summary.json": '{"status": "finished", "test": {"accuracy": NaN}}',
    "timings.jsonl": "{\n",
    "env.json": "[" * 100_000,
}


@pytest.mark.parametrize("file", DAMAGE)
def test_a_damaged_run_is_listed_as_such_and_harms_no_other(client: TestClient, runs: Path, file: str) -> None:
    (runs / "digits" / file).write_text(DAMAGE[file])
    one, other = client.get("/api/runs").json()
    assert (one["status"], other["status"]) == ("damaged", "running")
    assert "damaged" in client.get("/").text
    assert client.get("/predict").status_code == 200
    for page in ("/", "/predict", "/api/runs"):
        assert str(runs) not in client.get(page).text


@pytest.mark.parametrize("file", DAMAGE)
@pytest.mark.parametrize("page", ["/runs/digits", "/compare?run=digits&run=group/second"])
def test_the_page_of_a_damaged_run_says_so_and_not_where_it_lies(
    client: TestClient, runs: Path, page: str, file: str
) -> None:
    (runs / "digits" / file).write_text(DAMAGE[file])
    answer = client.get(page)
    assert answer.status_code == 200
    assert f"The record cannot be read: digits/{file}" in answer.text
    assert str(runs) not in answer.text


@pytest.mark.parametrize("file", DAMAGE)
def test_a_damaged_run_has_no_curve_and_the_others_have_theirs(client: TestClient, runs: Path, file: str) -> None:
    (runs / "digits" / file).write_text(DAMAGE[file])
    answer = client.get("/api/curves?run=digits&run=group/second")
    assert answer.status_code == 200
    assert [run["epochs"] for run in answer.json()["curves"]["runs"]] == [[], [1]]
    assert answer.json()["training"] == ["group/second"]


@pytest.fixture(scope="session")
def studied(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a study of two runs; to be copied, not changed."""
    folder = tmp_path_factory.mktemp("studied")
    out = folder / "studies"
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("ASSAY_CACHE", str(folder / "cache"))
        run_study(write_study(folder), seeds=1, out=out, execute=run_in_line, progress=False, command="again")
    return out


@pytest.mark.parametrize("file", rest_slow(DAMAGE))
def test_the_page_of_a_study_outlives_a_damaged_run(studied: Path, tmp_path: Path, file: str) -> None:
    root = Path(shutil.copytree(studied, tmp_path / "studies"))
    damaged = next((root / "runs").glob("*/recipe.yaml")).parent
    (damaged / file).write_text(DAMAGE[file])
    visitor = visit(root)
    (name,) = re.findall(r'href="/studies/([^"]*)"', visitor.get("/").text)
    answer = visitor.get(f"/studies/{name}")
    assert answer.status_code == 200
    assert f"The record cannot be read: runs/{damaged.name}/{file}" in answer.text
    assert str(root) not in answer.text


def test_a_study_that_cannot_be_read_does_not_say_where_it_lies(client: TestClient, runs: Path) -> None:
    (runs / "odd").mkdir()
    (runs / "odd" / "study.json").write_text('{"rows": []}')
    assert "damaged: odd/study.json" in client.get("/").text
    assert "The study cannot be read: odd/study.json" in client.get("/studies/odd").text
    for page in ("/", "/studies/odd"):
        assert str(runs) not in client.get(page).text


def test_the_curves_grow_with_the_record(client: TestClient, runs: Path) -> None:
    before = client.get("/api/curves?run=group/second").json()
    row = json.loads((runs / "digits" / "metrics.jsonl").read_text().splitlines()[1])
    LineLog(runs / "group" / "second" / "metrics.jsonl").append({**row, "held_out_accuracy": 0.5})
    after = client.get("/api/curves?run=group/second").json()
    assert before["standing"] == "group/second trains, epoch 1 of 2"
    assert after["standing"] == "group/second trains, epoch 2 of 2"
    assert before["training"] == after["training"] == ["group/second"]
    assert before["curves"]["runs"][0]["epochs"] == [1]
    assert after["curves"]["runs"][0]["epochs"] == [1, 2]
    assert after["curves"]["runs"][0]["held_out_accuracy"][1] == 50.0


def test_the_end_of_a_run_is_told(client: TestClient, runs: Path) -> None:
    shutil.copy(runs / "digits" / "summary.json", runs / "group" / "second")
    shutil.copytree(runs / "group" / "second", runs / "third", ignore=shutil.ignore_patterns("summary*"))
    (runs / "third" / "metrics.jsonl").touch()
    answer = client.get("/api/curves?run=group/second&run=third").json()
    assert (answer["training"], answer["standing"]) == (["third"], "third trains, epoch 1 of 2")
    assert client.get("/api/curves?run=group/second").json()["standing"] == ""


def curves_in(page: str) -> list[dict[str, object]]:
    found = re.search(r'<script type="application/json" id="curve-data">(.*?)</script>', page, re.DOTALL)
    assert found
    return json.loads(found[1])["runs"]


def test_the_page_and_what_it_asks_for_agree(client: TestClient) -> None:
    for page, question in (("/runs/group/second", "run=group/second"), ("/compare?run=group/second&run=digits",) * 2):
        asked = client.get(f"/api/curves?{question.removeprefix('/compare?')}").json()
        assert curves_in(client.get(page).text) == asked["curves"]["runs"]


def test_only_a_page_of_a_run_that_trains_follows_it(client: TestClient) -> None:
    assert 'data-runs="run=group%2Fsecond"' in client.get("/runs/group/second").text
    assert 'data-training="[&#34;group/second&#34;]"' in client.get("/compare?run=digits&run=group/second").text
    assert "data-runs" not in client.get("/runs/digits").text


def test_a_finished_run_leads_to_its_model(client: TestClient) -> None:
    assert 'href="/predict?model=digits"' in client.get("/runs/digits").text
    assert "/predict?model" not in client.get("/runs/group/second").text
    assert '<option value="digits" selected>' in client.get("/predict?model=digits").text
    assert "second" not in client.get("/predict").text


def test_too_many_runs_are_not_compared(client: TestClient) -> None:
    many = "&".join(f"run=r{number}" for number in range(21))
    for page in ("/compare", f"/compare?{many}", "/api/curves"):
        assert client.get(page).status_code == 400


class Scripts(HTMLParser):
    """What would run in a page: scripts, handlers, and addresses that are scripts."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag in ("script", "iframe", "object", "embed", "img") and dict(attrs).get("src", "").startswith("x"):
            self.found.append(tag)
        self.found += [name for name, value in attrs if name.startswith("on") or "javascript:" in (value or "")]


HOSTILE = "<img src=x onerror=alert(1)> \"'&$_{{ 7 * 7 }}"


@pytest.fixture
def hostile(runs: Path) -> Path:
    folder = runs / HOSTILE
    (runs / "digits").rename(folder)
    return folder


def test_a_hostile_name_is_only_a_name(client: TestClient, hostile: Path) -> None:
    pages = [client.get("/").text, client.get("/predict").text]
    links = [link for page in pages for link in re.findall(r'href="(/runs/[^"]*)"', page)]
    answers = [client.get(link) for link in links]
    assert [answer.status_code for answer in answers] == [200, 200]
    compared = client.get("/compare", params={"run": [hostile.name, "group/second"]})
    for page in (*pages, compared.text, *(answer.text for answer in answers)):
        parser = Scripts()
        parser.feed(page)
        assert not parser.found
    assert all("{{ 7 * 7 }}" in page for page in (*pages, compared.text, answers[0].text))


def test_a_report_runs_the_programs_own_scripts_only(client: TestClient) -> None:
    answer = client.get("/runs/digits")
    scripts = re.search(r"script-src ([^;]*)", answer.headers["content-security-policy"])
    assert scripts
    assert all(source.startswith("'sha256-") for source in scripts[1].split())
    assert len(scripts[1].split()) == 4


def test_the_server_reads_a_record_again_only_when_it_has_changed(
    client: TestClient, runs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    reads: list[Path] = []
    read: Callable[[Path], RunRecord] = RunRecord.read
    monkeypatch.setattr(RunRecord, "read", lambda folder: (reads.append(folder), read(folder))[1])
    (runs / "digits" / "recipe.yaml").touch()
    for _ in range(3):
        client.get("/api/runs")
    assert reads.count(runs / "digits") == 1


def test_of_each_run_one_state_is_kept_and_none_of_those_that_are_gone(runs: Path) -> None:
    overviews = Overviews(str)
    folders = {"digits": runs / "digits", "second": runs / "group" / "second"}
    log = LineLog(folders["second"] / "metrics.jsonl")
    for epoch in range(2, 6):
        log.append({"epoch": epoch, "held_out_accuracy": 0.1})
        assert [one.epoch for one in overviews.read_all(folders)] == [2, epoch]
    assert set(overviews._known) == set(folders.values())
    overviews.read_all({"second": folders["second"]})
    assert set(overviews._known) == {folders["second"]}


def test_overviews_are_kept_for_the_next_server(trained: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("assay.pages.server.kept._WORTH", 2)
    for name in ("a", "b", "c"):
        age(shutil.copytree(trained, tmp_path / name), 1)
    folders, kept = {name: tmp_path / name for name in "abc"}, tmp_path / "kept.json"
    before = Overviews(str, Kept(kept)).read_all(folders)
    with monkeypatch.context() as patch:
        patch.setattr(RunRecord, "read", lambda _: pytest.fail("a record is read again"))
        assert Overviews(str, Kept(kept)).read_all(folders) == before
    (tmp_path / "b" / "summary.json").unlink()
    after = Overviews(str, Kept(kept)).read_all(folders)
    assert [one.status for one in after] == ["finished", "running", "finished"]
    kept.write_text('{"runs": {"a": [1]}}')  # damaged: it is as if nothing were kept
    assert Overviews(str, Kept(kept)).read_all(folders) == after


def test_a_page_is_made_again_only_after_a_change(
    client: TestClient, runs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made: list[str] = []
    monkeypatch.setattr(pages, "report_page", lambda _, title, *_a, **_b: made.append(title) or f"page {len(made)}")
    assert [client.get("/runs/digits").text for _ in range(2)] == ["page 1", "page 1"]
    assert client.get("/compare?run=digits&run=group/second").text == "page 2"
    (runs / "digits" / "summary.json").unlink()
    assert client.get("/runs/digits").text == "page 3"
    assert made == ["digits", "digits, group/second", "digits"]
