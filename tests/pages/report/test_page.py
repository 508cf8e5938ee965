"""The page: whole, closed to the outside, and honest about what is missing."""

from __future__ import annotations

import itertools
import json
import os
import re
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from reading import Page
from safetensors.numpy import save_file

import assay
from assay.pages.report import origin
from assay.pages.report.api import build_page
from assay.pages.report.collect import collect
from assay.pages.report.content import RunPart
from assay.pages.report.page import json_script, render, runtime
from assay.run.record import RunRecord, read_scores
from assay.studies.api import run_study
from in_line import run_in_line, write_study

HOSTILE = """<script>alert(1)</script>"'&amp;</script><!--"""
CopyRun = Callable[..., Path]


@pytest.fixture(scope="session")
def whole(trained: Path) -> Page:
    """The page of one finished run."""
    return Page(build_page([trained], command="assay report digits"))


def check_structure(page: Page) -> None:
    """What every page keeps to, for browsers and for screen readers."""
    ids = [element.attributes["id"] for element in page.elements if "id" in element.attributes]
    assert len(ids) == len(set(ids))
    links = [one.attributes["href"] for one in page.all("a")]
    assert {link.removeprefix("#") for link in links} <= set(ids)
    assert all(image.attributes["alt"] for image in page.all("img"))
    for table in page.all("table"):
        assert table.all("caption")[0].text.strip()
        heads = table.all("thead")[0].all("th")
        assert heads
        assert all(head.attributes["scope"] == "col" for head in heads)
        assert {len(row.children) for row in table.all("tbody")[0].all("tr")} <= {len(heads)}
    for chart in (one for one in page.all("figure") if "chart" in one.attributes.get("class", "")):
        (plot,) = (one for one in chart.all("div") if one.attributes.get("class") == "plot")
        is_curves = "curves" in chart.attributes["class"]
        assert plot.attributes["role"] == ("application" if is_curves else "img")  # the former takes keys
        assert len(plot.attributes["aria-label"]) > 20
        assert chart.all("details")

    levels = [int(element.name[1]) for element in page.elements if re.fullmatch("h[1-6]", element.name)]
    assert all(below <= above + 1 for above, below in itertools.pairwise(levels)), levels


def check_closed(text: str) -> None:
    """Nothing in it is loaded from outside: no address, in no attribute, style or script of ours."""
    page = Page(text)
    for element in page.elements:
        for name in ("src", "href", "srcset", "action", "data", "poster"):
            assert re.match(r"$|#|data:", element.attributes.get(name, "")), (element.name, element.attributes)
    (policy,) = (one for one in page.all("meta") if one.attributes.get("http-equiv") == "Content-Security-Policy")
    assert policy.attributes["content"].startswith("default-src 'none'; img-src data:;")
    assert "unsafe-eval" not in policy.attributes["content"]
    ours = text.replace(str(runtime()), "")
    assert not re.search(r"https?://|url\(|@import|\bfetch\(|import\(", ours)


def test_a_page_is_whole_and_closed(whole: Page, trained: Path) -> None:
    check_structure(whole)
    check_closed(build_page([trained]))


def test_it_says_what_the_run_did(whole: Page, trained: Path) -> None:
    summary = json.loads((trained / "summary.json").read_text())
    text = whole.root.text
    for said in (f"{100 * summary['test']['accuracy']:.2f} %", "simple-cnn on digits", "the last epoch", "61.7 k"):
        assert said in text
    assert "assay report digits" in whole.all("footer")[0].text
    assert "batch_size: 32" in whole.by_id("run-1").text
    parts = {one.attributes.get("class") for one in whole.by_id("run-1").all("table")}
    assert "confusion" in parts
    wrong = 355 - round(355 * summary["test"]["accuracy"])
    assert f"{min(wrong, 24)} of {wrong} wrong answers to 355 test images" in whole.by_id("run-1").text
    pictures = [one for one in whole.all("img") if "gallery" not in one.inside and "answered" in one.attributes["alt"]]
    assert len(pictures) == min(wrong, 24)


def test_a_summary_of_an_earlier_version_has_its_intervals_too(copy_run: CopyRun) -> None:
    """It holds accuracy and images alone; which classes there were it does not say."""
    figures = {"images": 49, "accuracy": 40 / 49, "top5": 1.0, "loss": 0.5}
    folder = copy_run("old", test=figures, held_out=figures, classes=None)
    page = Page(build_page([folder]))
    assert page.by_id("summary").text.count("81.63 % [68.6, 90.0]") == 2
    assert "81.63 % [68.6, 90.0]" in page.by_id("run-1").all("summary")[0].text
    assert "top-5" not in page.by_id("run-1").text


@pytest.mark.parametrize(("classes", "shown"), [(10, False), (11, True)])
def test_top5_is_shown_of_more_than_ten_classes(copy_run: CopyRun, classes: int, shown: bool) -> None:
    page = Page(build_page([copy_run("many", classes=classes)]))
    assert ("top-5" in page.by_id("run-1").text) is shown


def test_the_confusion_matrix_holds_every_answer(whole: Page) -> None:
    (matrix,) = (one for one in whole.all("table") if one.attributes["class"] == "confusion")
    rows = [[int(cell.text or 0) for cell in row.all("td")] for row in matrix.all("tbody")[0].all("tr")]
    assert sum(map(sum, rows)) == 355
    assert [len(row) for row in rows] == [10] * 10
    summary = whole.by_id("summary").all("tr")[1]
    shown = next(float(cell.text.split()[0]) for cell in summary.all("td") if " % [" in cell.text)
    assert sum(row[place] for place, row in enumerate(rows)) / 3.55 == pytest.approx(shown, abs=0.01)


def test_names_from_data_stay_text(trained: Path) -> None:
    report = collect([trained], title=HOSTILE, command=HOSTILE)
    run = report.runs[0]
    assert run.errors is not None
    errors = replace(
        run.errors,
        classes=(HOSTILE, *run.errors.classes[1:]),
        mistakes=tuple(replace(one, name=HOSTILE, label=HOSTILE, predicted=HOSTILE) for one in run.errors.mistakes),
    )
    text = render(replace(report, runs=(replace(run, name=HOSTILE, errors=errors, remarks=(HOSTILE,)),)))
    page = Page(text)
    check_structure(page)
    check_closed(text)
    assert len(page.all("script")) == len(Page(build_page([trained])).all("script"))
    assert page.all("title")[0].text == HOSTILE
    assert page.by_id("run-1").all("h3")[0].text == HOSTILE
    curves = json.loads(page.by_id("curve-data").text)
    assert curves["runs"][0]["name"] == HOSTILE


def test_values_of_a_script_cannot_end_it() -> None:
    text = json_script({"name": HOSTILE, "nothing": None})
    assert not set("<>&") & set(text)
    assert json.loads(text) == {"name": HOSTILE, "nothing": None}


def test_a_run_chosen_on_the_test_split_says_so_everywhere(copy_run: CopyRun) -> None:
    folder = copy_run("tuned", recipe={"select: last": "select: test"})
    page = Page(build_page([folder]))
    for place in ("summary", "curves", "run-1"):
        assert "on test" in page.by_id(place).text
    warned = [one for one in page.all("abbr") if "optimistic" in one.attributes["title"]]
    assert len(warned) >= 6  # accuracy and loss above, the legend, the run's heading, its measures
    assert json.loads(page.by_id("curve-data").text)["runs"][0]["note"]


@pytest.mark.parametrize(
    ("without", "summary", "said"),
    [
        (("summary.json", "model.safetensors", "scores.safetensors"), {}, "Not finished: 2 of 2 epochs"),
        (("scores.safetensors",), {}, "left no answers"),
        (("model.safetensors",), {}, "no model.safetensors"),
        ((), {"status": "diverged", "epoch": 2}, "Diverged in epoch 2"),
        (("env.json", "timings.jsonl"), {}, ""),
        (("metrics.jsonl",), {}, ""),
    ],
)
def test_what_is_missing_is_said(
    copy_run: CopyRun, without: tuple[str, ...], summary: dict[str, object], said: str
) -> None:
    page = Page(build_page([copy_run("partial", without, **summary)]))
    check_structure(page)
    assert said in page.by_id("run-1").text
    assert "simple-cnn on digits" in page.by_id("summary").text


def test_a_record_that_cannot_be_read_takes_nothing_from_the_others(copy_run: CopyRun) -> None:
    copy_run("good")
    bad = copy_run("worse")
    (bad / "recipe.yaml").write_text("optim: {lr: [")
    (bad / "model.safetensors").write_text("no weights")
    page = Page(build_page([bad.parent]))
    check_structure(page)
    assert "The record cannot be read" in page.by_id("run-2").text
    assert page.by_id("run-1").all("img")


@pytest.mark.parametrize(
    ("file", "text", "said"),
    [
        ("metrics.jsonl", "[]\n", "metrics.jsonl: line 1: expected a mapping, not list"),
        ("metrics.jsonl", '{"train_loss": 1}\n', "metrics.jsonl: line 1: epoch: expected a whole number"),
        ("metrics.jsonl", '{"epoch": 1.5}\n', "metrics.jsonl: line 1: epoch: expected a whole number"),
        ("metrics.jsonl", '{"epoch": 1, "lr": "low"}\n', "metrics.jsonl: line 1: lr: expected a number, not str"),
        (
            "metrics.jsonl",
            f'{{"epoch": 1, "lr": 1{"0" * 400}}}\n',
            "metrics.jsonl: line 1: lr: a whole number too large",
        ),
        ("metrics.jsonl", "[" * 100_000 + "\n", "metrics.jsonl: "),
        ("timings.jsonl", '{"epoch": 1, "seconds": {}}\n', "timings.jsonl: line 1: seconds: expected a number"),
        ("summary.json", '{"status": "finished", "test": 3}', "summary.json: test: expected a mapping, not int"),
        ("summary.json", '{"status": "finished", "held_out": null}', "summary.json: held_out: expected a mapping"),
        ("summary.json", '{"test": {"accuracy": "high"}}', "summary.json: test: accuracy: expected a number"),
        ("summary.json", '{"epoch": 0.5}', "summary.json: epoch: expected a whole number"),
        ("summary.json", '{"parameters": []}', "summary.json: parameters: expected a number"),
        ("env.json", '{"a":' * 100_000, "env.json: "),
        ("env.json", '{"command": 3}', "env.json: command: expected a list"),
        ("recipe.yaml", "[" * 10_000, "recipe.yaml: "),
    ],
)
def test_a_damaged_record_is_named_and_the_good_one_stays_whole(
    copy_run: CopyRun, file: str, text: str, said: str
) -> None:
    copy_run("good")
    bad = copy_run("worse")
    (bad / file).write_text(text)
    page = Page(build_page([bad.parent]))
    check_structure(page)
    assert f"The record cannot be read: {bad / said}" in page.by_id("run-2").text
    good = page.by_id("run-1")
    assert good.all("img")
    assert "Not finished" not in good.text
    assert [one for one in good.all("table") if one.attributes["class"] == "confusion"]


def test_names_that_are_not_utf_8_are_written_with_question_marks(copy_run: CopyRun, tmp_path: Path) -> None:
    folder = copy_run("plain")
    odd = folder.rename(folder.with_name(os.fsdecode(b"caf\xe9")))
    (odd / "env.json").write_text(json.dumps({"command": ["python", os.fsdecode(b"\xff.py")]}))
    file = assay.report([odd], tmp_path / "page.html", command=f"assay report {odd}")
    page = Page(file.read_text(encoding="utf-8"))
    check_structure(page)
    assert page.by_id("run-1").all("h3")[0].text == "caf?"
    assert "?.py" in page.by_id("run-1").text
    assert json.loads(page.by_id("curve-data").text)["runs"][0]["name"] == "caf?"


@pytest.mark.parametrize(
    ("program", "said"),
    [
        ("/usr/lib/python3/site-packages/assay/cli.py", "assay train digits"),
        ("assay/__main__.py", "assay train digits"),
        (r"C:\Python\Scripts\assay.exe", "assay train digits"),
        ("/usr/bin/assay", "assay train digits"),
        ("/home/u/proj/my_cli.py", "/home/u/proj/my_cli.py train digits"),
        ("/home/u/proj/cli.py", "/home/u/proj/cli.py train digits"),
        ("/home/u/proj/child.py", "/home/u/proj/child.py train digits"),
        (r"C:\assay\execution\child.py", ""),
        ("/usr/lib/python3/site-packages/assay/studies/execution/child.py", ""),
        ("/x/ray/_private/workers/default_worker.py", ""),
    ],
)
def test_what_made_a_run(trained: Path, program: str, said: str) -> None:
    record = replace(RunRecord.read(trained), environment={"command": [program, "train", "digits"]})
    assert origin.command(record) == said
    assert origin.is_of_study(record) is (not said)


def test_without_the_images_there_are_no_galleries(copy_run: CopyRun, tmp_path: Path) -> None:
    folder = copy_run("away", recipe={"name: digits": "name: cifar10"})
    model = folder / "model.safetensors"
    model.write_bytes(model.read_bytes().replace(b'\\"digits\\"', b'\\"absent\\"'))
    page = Page(build_page([folder], root=tmp_path / "nowhere"))
    run = page.by_id("run-1")
    assert "the images are not at hand" in run.text
    assert not [one for one in run.all("img") if "answered" in one.attributes["alt"]]
    assert [one for one in run.all("table") if one.attributes["class"] == "confusion"]


def test_runs_are_compared(copy_run: CopyRun) -> None:
    copy_run("first")
    second = copy_run("second", recipe={"lr: 0.002": "lr: 0.004", "  seed: 0": "  seed: 20240101"})
    page = Page(build_page([second.parent]))
    rows = [[cell.text for cell in row.children] for row in page.by_id("differences").all("tbody")[0].all("tr")]
    assert rows == [["optim.lr", "0.002", "0.004"], ["train.seed", "0", "20240101"]]
    together = page.by_id("together").text
    assert "Only first is right on 0 images, only second on 0" in together


def test_runs_of_other_images_are_said_not_to_be_compared(copy_run: CopyRun) -> None:
    for name in ("first", "second"):
        model = copy_run(name, recipe={"name: digits": "name: cifar10"}) / "model.safetensors"
        model.write_bytes(model.read_bytes().replace(b'\\"digits\\"', b'\\"absent\\"'))
    scores, labels = read_scores(model.parent)
    save_file({"test.scores": scores[1:], "test.labels": labels[1:]}, model.with_name("scores.safetensors"))
    page = Page(build_page([model.parents[1]]))
    check_structure(page)
    assert "first, second: not compared: " in page.by_id("together").text


@pytest.mark.slow
def test_a_cross_validated_run_is_shown_by_its_out_of_fold_answers(folded_run: Path, tmp_path: Path) -> None:
    """Where the set has no test split; the fold runs are no runs of the page, but rows of their run."""
    run = tmp_path / "runs" / "x"
    shutil.copytree(folded_run, run)
    summary = json.loads((run / "summary.json").read_text())
    (run / "summary.json").write_text(json.dumps({name: value for name, value in summary.items() if name != "test"}))
    page = Page(build_page([run.parent]))
    check_structure(page)
    assert len([one for one in page.all("details") if one.attributes.get("class") == "run"]) == 1
    measured = next(one for one in page.all("table") if "Measured at the end" in one.all("caption")[0].text)
    rows = {row.all("th")[0].text if row.all("th") else row.all("td")[0].text: row for row in measured.all("tr")[1:]}
    assert [*rows] == ["out-of-fold", "fold 1", "fold 2"]
    for name, figures in zip(rows, [summary["out_of_fold"], *summary["folds"]], strict=True):
        assert f"{100 * figures['accuracy']:.2f} %" in rows[name].text
    heads = [one.text for one in page.by_id("summary").all("thead")[0].all("th")]
    row = page.by_id("summary").all("tbody")[0].all("tr")[0].children
    shown = dict(zip(heads, (cell.text for cell in row), strict=True))
    assert shown["out-of-fold accuracy"].startswith(f"{100 * summary['out_of_fold']['accuracy']:.2f} % ")
    assert shown["test accuracy"] == "—"
    assert "wrong answers to 1442 out-of-fold images" in page.by_id("run-1").text


def test_a_cross_validated_run_says_how_many_folds_are_done(folded_run: Path, tmp_path: Path) -> None:
    run = tmp_path / "x"
    shutil.copytree(folded_run / "folds" / "1", run / "folds" / "1")
    shutil.copy(folded_run / "recipe.yaml", run)
    assert "1 of 2 folds are done" in Page(build_page([run])).root.text


def test_the_damaged_record_of_a_fold_is_named(folded_run: Path, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(folded_run, tmp_path / "run"))
    for name in ("summary.json", "metrics.jsonl"):
        (folder / name).unlink()
    (folder / "folds" / "2" / "summary.json").write_text('{"status": NaN}')
    text = Page(build_page([folder])).by_id("run-1").text
    assert "Not finished: " in text
    assert f"The record of a fold cannot be read: {folder / 'folds/2/summary.json'}: not JSON: NaN" in text


def test_fold_runs_are_runs_where_they_are_named(folded_run: Path) -> None:
    report = collect([folded_run / "folds"])
    assert [run.name for run in report.runs] == ["1", "2"]
    assert report.together == ()  # they answered for different images


@pytest.mark.slow
def test_fifty_runs_fit_into_a_page(copy_run: CopyRun, tmp_path: Path) -> None:
    for number in range(50):
        copy_run(f"run-{number:02d}", recipe={"  seed: 0": f"  seed: {number}"})
    text = build_page([tmp_path / "runs"])
    assert len(text.encode()) < 10e6
    page = Page(text)
    check_structure(page)
    assert len(page.by_id("summary").all("tbody")[0].all("tr")) == 50
    assert len({run["colour"] for run in json.loads(page.by_id("curve-data").text)["runs"]}) == 50


@pytest.mark.slow
def test_a_study_has_its_table_its_pictures_and_its_advice(tmp_path: Path) -> None:
    report = run_study(
        write_study(tmp_path), seeds=2, out=tmp_path / "studies", execute=run_in_line, progress=False, command="again"
    )
    page = Page(build_page([report.folder]))
    check_structure(page)
    study = page.by_id("study-1")
    for said in ("Which rate suits digits?", "again", "Main effects", "Worth trying next", "95 % intervals"):
        assert said in study.text
    rows = [row.children[0].text for row in study.all("tbody")[0].all("tr")]
    assert rows == ["slow", "fast"]
    assert len([one for one in study.all("img") if one.attributes["src"].startswith("data:image/svg")]) == 2
    names = [row.children[0].text for row in page.by_id("summary").all("tbody")[0].all("tr")]
    assert names == ["slow, seed 0", "slow, seed 1", "fast, seed 0", "fast, seed 1"]
    assert "No run of this study has ended" not in study.text

    moved = shutil.copytree(report.folder, tmp_path / "elsewhere" / "rates-full")
    table = Page(build_page([moved])).by_id("study-1").all("tbody")[0]
    assert table.text == study.all("tbody")[0].text  # its lines tell of the runs
    (moved / "runs.jsonl").unlink()
    alone = Page(build_page([moved]))
    check_structure(alone)
    assert f"or its runs are not in {moved.parent / 'runs'}." in alone.by_id("study-1").text


@pytest.mark.slow
def test_a_run_that_is_shared_has_all_its_names(tmp_path: Path) -> None:
    def run(name: str) -> Path:
        file = write_study(tmp_path).rename(tmp_path / f"{name}.yaml")
        return run_study(
            file, seeds=1, out=tmp_path / "studies", execute=run_in_line, progress=False, command="again"
        ).folder

    folders = [run("one"), run("two")]
    page = Page(build_page(folders))
    names = [row.children[0].text for row in page.by_id("summary").all("tbody")[0].all("tr")]
    first, second = (folder.name for folder in folders)
    assert names == [f"{first}: {row}, seed 0 = {second}: {row}, seed 0" for row in ("slow", "fast")]


def test_a_long_run_says_which_epochs_its_charts_have(copy_run: CopyRun) -> None:
    folder = copy_run("long")
    row = json.loads((folder / "metrics.jsonl").read_text().splitlines()[0])
    lines = [json.dumps({**row, "epoch": epoch}) + "\n" for epoch in range(1, 601)]
    (folder / "metrics.jsonl").write_text("".join(lines))
    page = Page(build_page([folder]))
    check_structure(page)
    assert (
        page.by_id("curves").all("figcaption")[0].text.count("(one epoch in 3, the last, and each curve's best)") == 1
    )
    assert "all values" not in page.by_id("curves").all("figure")[0].all("div")[0].attributes["aria-label"]


def test_a_study_of_another_version_is_named_with_the_reason(tmp_path: Path) -> None:
    folder = tmp_path / "old"
    folder.mkdir()
    (folder / "study.json").write_text('{"asked": {}}')
    page = Page(build_page([folder]))
    check_structure(page)
    assert "The study cannot be read" in page.by_id("study-1").text


def test_what_is_written_is_whole_or_not_there(trained: Path, tmp_path: Path) -> None:
    file = assay.report([trained], tmp_path / "page.html", title="A title")
    assert Page(file.read_text()).all("h1")[0].text == "A title"
    with pytest.raises(ValueError, match="no such folder"):
        assay.report([trained], tmp_path / "nowhere" / "page.html")
    (tmp_path / "empty").mkdir()
    with pytest.raises(ValueError, match="holds neither a run"):
        assay.report([tmp_path / "empty"], tmp_path / "other.html")
    assert not (tmp_path / "other.html").exists()


def test_the_server_can_show_a_part_alone(trained: Path) -> None:
    part = RunPart("run-1", "live", trained, None, remarks=("not yet",))
    report = replace(collect([trained]), runs=(part,))
    assert "not yet" in Page(render(report)).by_id("run-1").text
