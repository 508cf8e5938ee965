"""The shapes of a run's record are checked once, where it is read."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import save_file

from assay.base.json_files import LineLog, read_json
from assay.run.record import RunRecord, read_scores


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A run that has done an epoch."""
    (tmp_path / "recipe.yaml").write_text("data: {name: digits}\n")
    (tmp_path / "metrics.jsonl").write_text('{"epoch": 1, "train_loss": null, "lr": 0.1, "step": 3}\n{"epo')
    return tmp_path


def test_numbers_and_nothing_are_right_and_a_line_that_is_cut_short_is_passed_over(folder: Path) -> None:
    (folder / "summary.json").write_text('{"status": "diverged", "epoch": 1, "test": {"accuracy": null}}')
    record = RunRecord.read(folder)
    assert record.metrics == [{"epoch": 1, "train_loss": None, "lr": 0.1, "step": 3}]
    assert record.summary["test"] == {"accuracy": None}


@pytest.mark.parametrize(
    ("file", "text", "said"),
    [
        ("metrics.jsonl", '{"epoch": 1}\n3\n', "metrics.jsonl: line 2: expected a mapping, not int"),
        ("metrics.jsonl", '{"epoch": true}\n', "metrics.jsonl: line 1: epoch: expected a number, not bool"),
        ("metrics.jsonl", '{"epoch": null}\n', "metrics.jsonl: line 1: epoch: expected a whole number, not NoneType"),
        ("timings.jsonl", '{"epoch": 1, "seconds": [1]}\n', "timings.jsonl: line 1: seconds: expected a number, not"),
        ("summary.json", '{"test": null}', "summary.json: test: expected a mapping, not NoneType"),
        ("summary.json", '{"train": []}', "summary.json: train: expected a mapping, not list"),
        ("summary.json", '{"test": {"interval": 0.9}}', "summary.json: test: interval: expected two numbers"),
        ("summary.json", '{"test": {"interval": [0.9]}}', "summary.json: test: interval: expected two numbers"),
        ("summary.json", '{"test": {"interval": [0.9, "x"]}}', "summary.json: test: interval: expected two numbers"),
        ("summary.json", '{"out_of_fold": []}', "summary.json: out_of_fold: expected a mapping, not list"),
        ("summary.json", '{"folds": {}}', "summary.json: folds: expected a list, not dict"),
        ("summary.json", '{"folds": [3]}', "summary.json: fold 1: expected a mapping, not int"),
        ("summary.json", '{"folds": [{"accuracy": "high"}]}', "summary.json: fold 1: accuracy: expected a number, not"),
        ("summary.json", '{"seconds": "long"}', "summary.json: seconds: expected a number, not str"),
        ("summary.json", '{"test": {"accuracy": NaN}}', "summary.json: not JSON: NaN is no number of JSON"),
        ("summary.json", '{"seconds": -Infinity}', "summary.json: not JSON: -Infinity is no number of JSON"),
        ("summary.json", '{"seconds": 1e999}', "summary.json: not JSON: '1e999' is too large a number"),
        ("metrics.jsonl", '{"epoch": 1}\n{"epoch": NaN}\n', "metrics.jsonl: line 2: not JSON: NaN is no number"),
        ("env.json", '{"a":' * 500 + "0" + "}" * 500, "env.json: more than 100 levels"),
        (
            "metrics.jsonl",
            '{"epoch": 1, "train_accuracy": 1e308}\n',
            "line 1: train_accuracy: a number too large to be",
        ),
        ("env.json", '{"command": "assay"}', "env.json: command: expected a list, not str"),
        ("env.json", '{"parameters": "many"}', "env.json: parameters: expected a number, not str"),
    ],
)
def test_another_shape_is_refused_with_the_file_and_the_place(folder: Path, file: str, text: str, said: str) -> None:
    (folder / file).write_text(text)
    with pytest.raises(ValueError, match=said) as raised:
        RunRecord.read(folder)
    assert str(raised.value).startswith(str(folder))
    assert "\n" not in str(raised.value)


def test_what_is_nested_too_deeply_or_no_text_is_refused_with_the_file(tmp_path: Path) -> None:
    file = tmp_path / "deep.json"
    for content in (b"[" * 100_000 + b"\n", b"\xff\n"):
        file.write_bytes(content)
        for read in (read_json, lambda path: LineLog(path).rows()):
            with pytest.raises(ValueError, match=r"deep\.json: "):
                read(file)


def test_other_logs_hold_rows_without_epochs(tmp_path: Path) -> None:
    log = LineLog(tmp_path / "steps.jsonl")
    log.append({"step": 1, "name": "text"})
    assert log.rows() == [{"step": 1, "name": "text"}]


WHOLE = {"test.scores": np.zeros((2, 3), np.float32), "test.labels": np.array([0, 2])}


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"test.labels": None}, "test.labels: expected the numbers of classes"),
        ({"test.labels": np.zeros(2)}, "test.labels: expected the numbers of classes"),
        ({"test.labels": np.array([0, 3])}, "test.labels: expected numbers of classes from 0 to 2"),
        ({"test.labels": np.array([0, -1])}, "test.labels: expected numbers of classes from 0 to 2"),
        ({"test.scores": np.zeros(2, np.float32)}, "test.scores: expected a row of numbers for each of 2 images"),
        ({"test.scores": np.zeros((3, 3), np.float32)}, "test.scores: expected a row of numbers for each of 2 images"),
        ({"test.scores": np.zeros((2, 3), np.int64)}, "test.scores: expected a row of numbers for each of 2 images"),
    ],
)
def test_scores_of_another_shape_are_refused(tmp_path: Path, changed: dict[str, Any], said: str) -> None:
    tensors = {name: value for name, value in (WHOLE | changed).items() if value is not None}
    save_file(tensors, tmp_path / "scores.safetensors")
    with pytest.raises(ValueError, match=rf"scores\.safetensors: {said}"):
        read_scores(tmp_path)
