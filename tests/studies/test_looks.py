"""A sequential plan spends its level look by look, and seeds only on rows that are undecided."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import save_file
from tables import SETTING, row, runs

import assay
from assay.base.json_files import write_json
from assay.cli import main
from assay.studies.execution.local import Watch
from assay.studies.execution.store import Job, Outcome, Store
from assay.studies.forms.words import footnotes, header
from assay.studies.looks import check_looks, judge
from assay.studies.results import RowResults, StudyResults
from assay.studies.table import Table, make_table
from in_line import write_study

PLANNED = replace(SETTING, seeds=tuple(range(10)), control_seeds=tuple(range(10)), looks=(3, 5, 10))
CONTROL = row("a", None, runs(70.0, 71.0, 72.0, 70.5, 71.5, 70.2, 71.8, 70.9, 71.1, 71.0))
DOUBTFUL = (73.0, 74.4, 72.2, 73.1, 73.0, 72.4, 74.0, 73.9, 72.6, 73.3)


def looked(*rows: RowResults) -> Table:
    return judge(StudyResults(PLANNED, rows), 1.0)


def fixed(count: int, *rows: RowResults) -> Table:
    """The table of a plan with so many seeds and no looks, from all runs of the control."""
    cut = [replace(one, results=one.results[:count]) for one in rows[1:]]
    return make_table(StudyResults(replace(PLANNED, seeds=tuple(range(count)), looks=()), (rows[0], *cut)))


def test_a_row_that_is_decided_stands_with_the_runs_of_that_look() -> None:
    """Others may have done more of its runs: to count those would be another look, at no cost."""
    table = looked(CONTROL, row("better", None, runs(82.0, 82.5, 81.8, 10.0, 10.0)))
    assert (table.lines[1].verdict, table.lines[1].runs, table.looks_done) == ("helps", 3, 1)


def test_p_is_in_proportion_to_the_part_of_the_level_that_a_look_spends() -> None:
    doubtful = row("b", None, runs(*DOUBTFUL[:3]))
    own = fixed(3, CONTROL, doubtful).lines[1]
    assert own.verdict == "helps"
    line = looked(CONTROL, doubtful).lines[1]
    assert 0.01 < own.p < 0.05
    assert line.p == pytest.approx(5 * own.p)
    assert line.verdict == "cannot be told"


def test_the_smallest_corrected_p_of_all_looks_counts() -> None:
    noisy = row("b", None, runs(71.9, 71.2, 70.9, 70.8, 71.7, 70.1, 71.5, 70.2, 70.9, 71.3))
    parts = zip((3, 5, 10), (0.01, 0.015, 0.025), strict=True)
    p = [fixed(look, CONTROL, noisy).lines[1].p * 0.05 / spent for look, spent in parts]
    table = looked(CONTROL, noisy)
    assert table.looks_done == 3
    assert table.lines[1].p == pytest.approx(min(1.0, *p))


def test_a_row_is_decided_at_a_later_look() -> None:
    table = looked(CONTROL, row("b", None, runs(*DOUBTFUL[:5])))
    assert (table.looks_done, table.lines[1].verdict, table.lines[1].runs) == (2, "helps", 5)


@pytest.mark.parametrize("control", [9, 10])
def test_a_look_that_is_not_complete_says_nothing(control: int) -> None:
    rows = (replace(CONTROL, results=CONTROL.results[:control]), row("b", None, runs(82.0, 82.5)))
    table = looked(*rows, row("c", None, runs(82.0, 82.5, 81.8)))
    assert [line.verdict for line in table.lines[1:]] == ["cannot be told"] * 2
    assert table.looks_done == 0
    assert [line.p for line in table.lines[1:]] == [1.0, 1.0]


def test_a_table_states_its_looks() -> None:
    table = looked(CONTROL, row("b", None, runs(*DOUBTFUL[:5])))
    (said,) = (note for note in footnotes(table) if "sequential plan" in note)
    assert "looks at 3, 5, 10 seeds of a row spend 0.01, 0.015, 0.025 of the level 0.05" in said
    assert "2 of 3 looks are done" in said
    assert header(table.setting)["looks"] == "at 3, 5, 10 seeds of a row"


@pytest.mark.parametrize("looks", [(3,), (3, 3), (5, 3), (2, 5), (3, 4, 5, 6)])
def test_looks_are_two_or_three_growing_numbers(looks: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match="seeds: expected two or three growing numbers from 3 on, as 3,5,10, not"):
        check_looks(looks)


RIGHT = {0.001: [50, 51, 52], 0.01: [70], 0.02: [52, 52, 51, 50]}  # percent of 100 images, by rate and in turn by seed


def pretend(jobs: Sequence[Job], store: Store, _watch: Watch) -> Iterator[tuple[Job, Outcome]]:
    """Leave the records of runs that were never trained."""
    for job in jobs:
        own = RIGHT[job.recipe.optim.lr]
        right, folder = own[job.recipe.train.seed % len(own)], store.folder(job)
        folder.mkdir(parents=True)
        (folder / "recipe.yaml").write_text(job.recipe.to_yaml())
        (folder / "metrics.jsonl").write_text('{"epoch": 1, "train_loss": 1.0}\n')
        scores, labels = np.zeros((100, 2), np.float32), (np.arange(100) >= right).astype(np.int64)
        scores[:, 0] = 1
        save_file({"test.scores": scores, "test.labels": labels}, folder / "scores.safetensors")
        costs = dict.fromkeys(("parameters", "flops", "seconds", "images_per_second"), 1)
        write_json(folder / "summary.json", {"status": "finished", "test": {"accuracy": right / 100}, **costs})
        yield job, Outcome("finished")


@pytest.fixture
def study(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr("assay.studies.folder.figure_as", lambda kind, _figure: kind.encode())
    monkeypatch.setattr("assay.studies.api.advise", lambda _results: None)
    file = write_study(tmp_path)
    text = file.read_text().replace("control: slow", "  alike: {optim.lr: 0.02}\ncontrol: slow")
    file.write_text(text)
    return file


def test_seeds_go_to_rows_that_are_undecided(study: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    options = {"looks": (3, 4), "control_seeds": 4, "out": out, "execute": pretend, "progress": False}
    first = assay.run_study(study, **options)
    assert [(line.runs, line.verdict) for line in first.table.lines] == [
        (4, "control"),
        (3, "helps"),
        (3, "cannot be told"),
    ]
    whole = assay.run_study(study, until_decided=True, **options)
    assert [line.runs for line in whole.table.lines] == [4, 3, 4]
    assert whole.table.looks_done == 2
    shown = assay.show_study(whole.folder)
    assert repr(shown.table) == repr(whole.table)
    with pytest.raises(ValueError, match="has looks at 3,4 seeds, planned before its verdicts; go on with --seeds 3,4"):
        assay.run_study(study, out=out, seeds=10, execute=pretend, progress=False)


def test_looks_are_for_rows_with_a_control(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="study tasks: looks are for rows that are compared with a control"):
        assay.run_study("tasks", looks=(3, 5), out=tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_the_command_takes_looks(study: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("assay.studies.execution.local.run_here", pretend)
    further = ["--control-seeds", "4", "--until", "decided", "--out", str(tmp_path / "a")]
    assert main(["study", "run", str(study), "--seeds", "3,4", *further]) == 0
    shown = assay.show_study(tmp_path / "a" / "rates-full").table
    assert (shown.setting.looks, [line.runs for line in shown.lines]) == ((3, 4), [4, 3, 4])


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (
            ["--seeds", "5", "--until", "decided"],
            "--until decided: expected several numbers of --seeds, as 3,5,10, not 5",
        ),
        (["--seeds", "3,,5"], "expected a number from 1 on, or several between commas, not '3,,5'"),
        (["--seeds", "0"], "expected a number from 1 on, or several between commas, not '0'"),
        (["--seeds", "2,5"], "expected two or three growing numbers from 3 on, as 3,5,10, not 2,5"),
    ],
)
def test_mistakes_are_one_line(
    study: Path, words: list[str], said: str, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    try:
        status = main(["study", "run", str(study), "--out", str(tmp_path / "out"), *words])
    except SystemExit as left:
        status = int(str(left.code))
    assert status == 2
    assert said in capsys.readouterr().err
    assert not (tmp_path / "out").exists()
