"""runs.jsonl: written as runs end, enough for every table, and never mixed with runs of other code."""

from __future__ import annotations

import json
import math
import re
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from scipy import special

import assay
from assay.base import pace
from assay.base.atomic import replace_files
from assay.cli import main
from assay.recipe.recipe import Recipe
from assay.run import precision
from assay.studies import plan as plan_module
from assay.studies import runs_file
from assay.studies.collect import collect
from assay.studies.conduct import InterruptedStudyError, StudyObserver, conduct
from assay.studies.execution import local
from assay.studies.execution import store as store_module
from assay.studies.execution.ended import Answers, EndedRun
from assay.studies.execution.local import Watch, never
from assay.studies.execution.store import Job, Outcome, Store
from assay.studies.folder import read_plan, write_plan
from assay.studies.forms.words import footnotes, header
from assay.studies.named import find_study
from assay.studies.plan import Plan, plan_study
from assay.studies.runs_file import RUNS_FILE, as_lines, noting, read_runs, runs_told
from assay.studies.study import Row, Study
from assay.studies.table import Table, make_table
from assay.studies.verify import verify_run
from in_line import counting, run_in_line, write_study

STUDY = Study(
    "three",
    "?",
    Recipe().but({"train.threads": 1}),
    (Row("plain", {}, 70.0), Row("fast", {"optim.lr": 0.2}, 75.0), Row("slow", {"optim.lr": 0.05})),
    control="plain",
)
ABOUT = {
    "device": "cpu",
    "threads": 1,
    "precision": "fp32",
    "processor": "x",
    "cores": 2,
    "torch": "2",
    "commit": "abc",
}


def finished(accuracy: float, **about: object) -> EndedRun:
    """A made-up run with so many percent of 1000 test images right, each class as frequent."""
    correct = np.arange(1000) < round(10 * accuracy)
    costs = {"parameters": 10, "flops": 20, "seconds": 3.0, "images_per_second": 4.0}
    summary = {"status": "finished", "test": {"accuracy": float(correct.mean())}, **costs}
    epochs = [{"epoch": 1, "train_loss": 1.0, "train_accuracy": 0.5}]
    return EndedRun(summary, epochs, {**ABOUT, **about}, Answers(correct, 100))


DIVERGED = EndedRun({"status": "diverged", "epoch": 2}, [{"epoch": 1, "train_loss": None}], ABOUT)


def filled(folder: Path, runs: Mapping[str, Sequence[EndedRun]]) -> Plan:
    """Write a study's plan and the lines of its runs, by row and in the order of the seeds."""
    plan = plan_study(STUDY, seeds=range(3), control_seeds=max(3, len(runs["plain"])))
    jobs = ((plan.jobs[row][seed], run) for row, own in runs.items() for seed, run in enumerate(own))
    lines = {job.key: run for job, run in jobs}
    write_plan(plan, folder, "three")
    replace_files(folder, {RUNS_FILE: as_lines(plan, Store(folder / "none", lines))})
    return plan


def made(folder: Path) -> Table:
    """The table of a folder's lines alone."""
    return make_table(collect(read_plan(folder), Store(folder / "none", read_runs(folder))))


RUNS = {
    "plain": [finished(one) for one in (70.0, 70.9, 71.5, 69.8)],
    "fast": [finished(one) for one in (76.0, 77.1, 75.2)],
    "slow": [finished(70.4), DIVERGED, finished(71.0)],
}


def test_a_reader_recomputes_the_table_with_scipy_alone(tmp_path: Path) -> None:
    """From the file and docs/statistics.md: Smyth's moderated variances, Welch's test, Holm's correction."""
    filled(tmp_path, RUNS)
    runs: dict[str, list[float]] = {}
    lines = [json.loads(line) for line in (tmp_path / RUNS_FILE).read_text().splitlines()]
    guessing = 100 * next(a["most_frequent"] / a["images"] for line in lines if (a := line["answers"]))
    for line in lines:
        is_lost = line["summary"]["status"] == "diverged"
        (row,) = line["rows"]
        runs.setdefault(row, []).append(guessing if is_lost else 100 * line["summary"]["test"]["accuracy"])
    mean = {row: np.mean(own) for row, own in runs.items()}
    own = {row: np.var(values, ddof=1) for row, values in runs.items()}
    squared = max(0.8675**2, float(np.median(list(own.values()))))  # the median deviation of other studies' rows
    moderated, freedom = {}, {}
    for row, values in runs.items():
        df = len(values) - 1
        prior = 0.7 * min(1.0, 2 * special.chdtrc(df, df * own[row] / squared))
        moderated[row], freedom[row] = (prior * squared + df * own[row]) / (prior + df), prior + df
    p = {}
    for row in ("fast", "slow"):
        a, b = (moderated[one] / len(runs[one]) for one in (row, "plain"))
        df = (a + b) ** 2 / (a**2 / freedom[row] + b**2 / freedom["plain"])
        df = min(df, 1 + min(freedom[row], freedom["plain"]))
        p[row] = 2 * special.stdtr(df, -abs(mean[row] - mean["plain"]) / math.sqrt(a + b))
    order = sorted(p, key=lambda row: p[row])
    p[order[0]], p[order[1]] = min(1.0, 2 * p[order[0]]), max(min(1.0, 2 * p[order[0]]), p[order[1]])

    shown = made(tmp_path)
    assert [line.runs for line in shown.lines] == [4, 3, 3]
    for line in shown.lines[1:]:
        assert line.difference is not None
        assert line.difference.mean == pytest.approx(mean[line.name] - mean["plain"])
        assert line.p == pytest.approx(p[line.name], rel=1e-3)
    assert [line.verdict for line in shown.lines[1:]] == ["helps", "cannot be told"]
    assert shown.lines[2].diverged == (1,)


def test_what_is_written_is_what_is_read(tmp_path: Path) -> None:
    plan = filled(tmp_path, RUNS)
    read = read_runs(tmp_path)
    assert len(read) == 10
    for row, runs in RUNS.items():
        for seed, run in enumerate(runs):
            again = read[plan.jobs[row][seed].key]
            assert again.code == plan.setting.code
            assert replace(again, code="", answers=None) == replace(run, answers=None)
            if run.answers:
                assert again.answers.most_frequent == 100
                assert np.array_equal(again.answers.correct, run.answers.correct)
    line = json.loads((tmp_path / RUNS_FILE).read_text().splitlines()[1])
    assert (line["rows"], line["seed"]) == (["fast"], 0)
    assert line["recipe"] == {"optim.lr": 0.2, "train.device": "cpu"}


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"key": "../x"}, "expected a mapping with the key of a run"),
        ({"summary": 3}, "expected summary and environment"),
        ({"summary": {"status": "running"}}, "status: expected finished or diverged, not 'running'"),
        ({"summary": {"status": "finished"}}, "figures are missing"),
        ({"epochs": [{"epoch": 1, "train_loss": "low"}]}, "epochs: expected numbers"),
        ({"answers": None}, "answers: expected a mapping"),
        ({"answers": {"images": 9, "most_frequent": 1, "correct": "AA=="}}, "answers: expected a bit for each image"),
        ({"answers": {"images": 8, "most_frequent": 1, "correct": "?"}}, "answers: correct: expected bits in base64"),
    ],
)
def test_a_damaged_line_is_named(tmp_path: Path, change: dict[str, object], said: str) -> None:
    filled(tmp_path, RUNS)
    lines = (tmp_path / RUNS_FILE).read_text().splitlines()
    lines[2] = json.dumps({**json.loads(lines[2]), **change})
    (tmp_path / RUNS_FILE).write_text("\n".join(lines))
    with pytest.raises(ValueError, match=rf"runs\.jsonl: line 3: {said}"):
        assay.show_study("three", runs=tmp_path)


def test_a_cut_or_doubled_line_is_named(tmp_path: Path) -> None:
    filled(tmp_path, RUNS)
    text = (tmp_path / RUNS_FILE).read_text()
    (tmp_path / RUNS_FILE).write_text(text[:-9])
    with pytest.raises(ValueError, match=r"line 10: not JSON"):
        read_runs(tmp_path)
    (tmp_path / RUNS_FILE).write_text(text + text.splitlines()[0])
    with pytest.raises(ValueError, match=r"line 11: run [0-9a-f]{16} stands here twice"):
        read_runs(tmp_path)


def test_a_folder_without_the_runs_of_that_study_is_refused(tmp_path: Path) -> None:
    filled(tmp_path, RUNS)
    with pytest.raises(ValueError, match="holds runs of study three, not of stem"):
        assay.show_study("stem", runs=tmp_path)
    (tmp_path / RUNS_FILE).unlink()
    with pytest.raises(ValueError, match=r"expected a folder with study\.json and runs\.jsonl; it has no runs\.jsonl"):
        assay.show_study("three", runs=tmp_path)


def test_runs_of_other_code_and_of_other_settings_are_counted_and_left_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    filled(tmp_path, RUNS)
    other_lr = replace(STUDY, rows=(*STUDY.rows[:2], Row("slow", {"optim.lr": 0.01})))
    lines, told = runs_told(plan_study(other_lr, seeds=range(3), control_seeds=3), tmp_path / "own", tmp_path)
    assert len(lines) == 6
    assert "6 of its 10 runs count; 4 left out, of other rows, seeds or settings" in told[0]
    for module in (plan_module, store_module):
        monkeypatch.setattr(module, "code_version", lambda: "of tomorrow")
    lines, told = runs_told(plan_study(STUDY), tmp_path / "own", tmp_path)
    assert not lines
    assert "0 of its 10 runs count; 10 left out, of another version of the code or its libraries" in told[0]


def test_a_device_of_another_kind_and_other_threads_make_another_run(monkeypatch: pytest.MonkeyPatch) -> None:
    open_ended = replace(STUDY, base=Recipe())
    here = plan_study(open_ended).jobs["plain"][0]
    assert here.recipe.train.device == "cpu"
    assert here.recipe.train.threads == precision.torch.get_num_threads()
    monkeypatch.setattr(precision, "pick_device", lambda _name: precision.torch.device("cuda:0"))
    assert plan_study(open_ended).jobs["plain"][0].key != here.key
    monkeypatch.undo()
    monkeypatch.setattr(precision.torch, "get_num_threads", lambda: 64)
    assert plan_study(open_ended).jobs["plain"][0].key != here.key
    first, second, on_cpu = (Job(Recipe().but({"train.device": name})).key for name in ("cuda:0", "cuda:1", "cpu"))
    assert first == second != on_cpu


def test_a_table_says_where_its_runs_were_computed_in_different_ways(tmp_path: Path) -> None:
    filled(tmp_path / "alike", RUNS)
    assert "computed alike" not in " ".join(footnotes(made(tmp_path / "alike")))
    filled(tmp_path / "other", {**RUNS, "fast": [finished(76.0, threads=2), *RUNS["fast"][1:]]})
    (note,) = (n for n in footnotes(made(tmp_path / "other")) if "computed alike" in n)
    assert "fp32, 1 thread, cpu (plain, fast, slow); fp32, 2 threads, cpu (fast)" in note


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A folder with a study of real runs, one seed each, in ``out``."""
    folder = tmp_path_factory.mktemp("home")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("assay.studies.folder.figure_as", lambda kind, figure: f"{kind} {figure!r}".encode())
        patch.setenv("ASSAY_CACHE", str(folder / "cache"))
        assay.run_study(write_study(folder), seeds=1, out=folder / "out", execute=run_in_line, progress=False)
        yield folder


def none_left(jobs: Sequence[Job], _store: Store, _watch: Watch) -> Iterator[tuple[Job, Outcome]]:
    assert not jobs
    return iter(())


def test_what_was_done_elsewhere_counts_as_done(home: Path, tmp_path: Path) -> None:
    done = home / "out" / "rates-full"
    again = assay.run_study(
        home / "rates.yaml", seeds=1, out=tmp_path, runs=done, execute=none_left, progress=False, command="x"
    )
    assert "2 of its 2 runs count" in again.remarks[0]
    shown = [assay.show_study("rates", out=home / "out"), assay.show_study("rates", runs=done), again]
    assert len({repr(report.table.lines) for report in shown}) == 1
    assert (again.folder / RUNS_FILE).read_text() == (done / RUNS_FILE).read_text()
    lines = assay.studies.api.export_runs("rates", out=home / "out")
    assert lines == (done / RUNS_FILE).read_text()


def test_lines_are_written_as_runs_end(home: Path, tmp_path: Path) -> None:
    seen: list[int] = []

    def interrupted(jobs: Sequence[Job], store: Store, watch: Watch) -> Iterator[tuple[Job, Outcome]]:
        yield from run_in_line(jobs[:1], store, watch)
        seen.append(len(read_runs(tmp_path / "rates-full")))
        yield jobs[1], Outcome("interrupted")

    with pytest.raises(InterruptedStudyError):
        assay.run_study(home / "rates.yaml", seeds=1, out=tmp_path, execute=interrupted, progress=False)
    assert seen == [1]
    assert [line.runs for line in assay.show_study("rates", out=tmp_path).table.lines] == [1, 0]


def test_writing_the_file_takes_a_twentieth_of_the_time_at_most(
    home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of 100 runs of half a second each, where writing takes a second: some 40 runs lie between two writings."""
    now, done, written = 0.0, 0, list[int]()

    def run_all(jobs: Sequence[Job], _store: Store, _watch: Watch) -> Iterator[tuple[Job, Outcome]]:
        nonlocal now, done
        for _ in range(100):
            now, done = now + 0.5, done + 1
            yield jobs[0], Outcome("failed", "as it was asked to")

    def write(_folder: Path, files: Mapping[str, str]) -> None:
        nonlocal now
        assert files.keys() == {RUNS_FILE}
        now += 1
        written.append(done)

    monkeypatch.setattr(pace, "time", SimpleNamespace(monotonic=lambda: now))
    monkeypatch.setattr(runs_file, "replace_files", write)
    plan, store = plan_study(find_study(home / "rates.yaml"), seeds=(0,)), Store(tmp_path / "runs")
    assert len(list(noting(run_all, plan, tmp_path)(plan.order(), store, never))) == 100
    assert written == [0, 40, 80, 100]


def test_a_run_that_others_need_is_done_here_only_where_it_is_needed(home: Path, tmp_path: Path) -> None:
    """A line tells of its figures and has no weights to start from."""
    plan = plan_study(find_study(home / "rates.yaml"), seeds=(0,))
    after = Row("tuned", after={"model.pretrained": plan.study.base.but({"optim.lr": 0.005})})
    plan = plan_study(replace(plan.study, rows=(*plan.study.rows, after)), seeds=(0,))
    told = {job.key: finished(70.0) for job in plan.order()}
    (first,) = plan.jobs["tuned"][0].after.values()
    execute, done = counting()
    conduct(plan, Store(tmp_path / "a", told), StudyObserver(), execute)
    conduct(plan, Store(tmp_path / "a", {k: v for k, v in told.items() if k != first.key}), StudyObserver(), execute)
    assert done == []
    del told[plan.jobs["tuned"][0].key]
    conduct(plan, Store(tmp_path / "b", told), StudyObserver(), execute)
    assert done == ["0.005 0", "0.002 0"]


def test_a_table_is_made_of_lines_alone(tmp_path: Path) -> None:
    filled(tmp_path, RUNS)
    table = made(tmp_path)
    assert table.setting.commits == ("abc",)
    assert header(table.setting)["code"].endswith("commit abc")
    assert header(replace(table.setting, commits=("abc", "def")))["code"].endswith("commits abc, def")
    assert "commit" not in header(replace(table.setting, commits=()))["code"]
    assert table.lines[1].accuracies == pytest.approx({0: 76.0, 1: 77.1, 2: 75.2})


def doctored(home: Path, folder: Path, change: Callable[[dict[str, Any]], None]) -> Path:
    """The study's results with every line changed."""
    shutil.copytree(home / "out" / "rates-full", folder)
    lines = [json.loads(line) for line in (folder / RUNS_FILE).read_text().splitlines()]
    for line in lines:
        change(line)
    (folder / RUNS_FILE).write_text("".join(json.dumps(line) + "\n" for line in lines))
    return folder


def worse(line: dict[str, Any]) -> None:
    line["epochs"][0]["train_loss"] += 1e-7
    first = line["answers"]["correct"][0]
    line["answers"]["correct"] = ("B" if first != "B" else "C") + line["answers"]["correct"][1:]


def from_elsewhere(line: dict[str, Any]) -> None:
    worse(line)
    line["environment"]["processor"] = "another"


def much_worse(line: dict[str, Any]) -> None:
    from_elsewhere(line)
    line["epochs"][0]["train_loss"] *= 1.02
    line["summary"]["test"]["accuracy"] -= 0.05


@pytest.mark.parametrize(
    ("change", "same", "said"),
    [
        (lambda _line: None, True, []),
        (worse, True, [r"epoch 1: train_loss \d\.\d+, \d\.\d+ before", r"\d of \d+ answers, right"]),
        (from_elsewhere, False, []),
        (much_worse, False, ["first epoch's loss is .* more than 1% apart", "more than 3.7 points apart"]),
    ],
)
def test_a_run_is_done_again_and_compared(
    home: Path, tmp_path: Path, change: Callable[[dict[str, Any]], None], same: bool, said: list[str]
) -> None:
    found = verify_run(doctored(home, tmp_path / "results", change), execute=run_in_line)
    assert (found.seed, found.is_same_machine) == (0, same)
    assert len(found.differences) == len(said)
    assert all(re.search(*pair) for pair in zip(said, found.differences, strict=True))


def test_the_draw_is_seeded_and_only_of_runs_of_this_code(home: Path, tmp_path: Path) -> None:
    drawn = []

    def draw(jobs: Sequence[Job], _store: Store, _watch: Watch) -> Iterator[tuple[Job, Outcome]]:
        drawn.append(jobs[-1].key)
        yield jobs[-1], Outcome("failed", "no room")

    for seed in (0, 0, 1, 2, 3, 4, 5):
        with pytest.raises(ValueError, match="could not be done again: no room"):
            verify_run(home / "out" / "rates-full", draw=seed, execute=draw)
    assert drawn[0] == drawn[1]
    assert set(drawn) == read_runs(home / "out" / "rates-full").keys()
    older = doctored(home, tmp_path / "older", lambda line: line.update(code="older"))
    with pytest.raises(ValueError, match=r"none of its 2 runs is of this version of the code; (check out|its commit)"):
        verify_run(older, execute=draw)


def test_the_command_tells_by_its_exit_status(
    home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(local, "run_here", run_in_line)
    assert main(["study", "verify", str(home / "out" / "rates-full"), "--draw", "0"]) == 0
    assert capsys.readouterr().out.endswith("done again: equal to the bit\n")
    assert main(["study", "verify", str(doctored(home, tmp_path / "results", worse))]) == 1
    assert "done again: it differs\n  epoch 1: train_loss" in capsys.readouterr().out
