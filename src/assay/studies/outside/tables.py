"""Scores and predictions from CSV and JSON lines: a line for each run, or for each image of each run."""

from __future__ import annotations

import csv
import math
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from assay.base.registry import nearest
from assay.base.text import quoted
from assay.studies.outside.loose_json import parse_loosely
from assay.studies.outside.runs import Run

SUFFIXES = (".csv", ".jsonl")
_LOST = {"", "nan", "none", "null", "inf", "-inf", "diverged"}
_TRUE, _FALSE = {"true", "1", "1.0", "yes"}, {"false", "0", "0.0", "no"}


def read_table(path: Path, metric: str | None = None, by: str = "row") -> list[Run]:
    """Read the runs of a file.

    Args:
        path: ``.csv`` with a header, or ``.jsonl`` with an object in each line. A line of a run has its row, its seed
            (optional) and its score; a line of an image has ``image`` and ``correct``, or ``label`` and ``predicted``.
        metric: the column of the score; by default ``score``.
        by: the column that names the row.

    Raises:
        ValueError: one line that names the file, and the line or the column that is wrong.
    """
    lines = list(_lines(path))
    if not lines:
        raise ValueError(f"{path}: no rows in it")
    columns = list(lines[0][1])
    score = metric or "score"
    if "image" in columns and score not in columns:
        return _predictions(path, lines, by)
    for name in (by, score):
        if name not in columns:
            raise ValueError(f"{path}: no column {name!r}: {nearest(name, columns)}")
    return [
        Run(str(values[by]), _seed(path, number, values), _score(path, number, values[score]))
        for number, values in lines
    ]


def _lines(path: Path) -> Iterator[tuple[int, Mapping[str, Any]]]:
    """The file's lines, each with its number; every line has the same columns."""
    try:
        text = path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError:
        raise ValueError(f"{path}: not a text file in UTF-8") from None
    first: set[str] | None = None
    for number, values in _of_csv(text) if path.suffix.lower() == ".csv" else _of_json(path, text):
        first = first or set(values)
        if set(values) != first or None in values.values():
            raise ValueError(f"{path}, line {number}: its columns are not those of the first line")
        yield number, values


def _of_csv(text: str) -> Iterator[tuple[int, Mapping[str, Any]]]:
    reader = csv.DictReader(text.splitlines())
    for values in reader:
        yield reader.line_num, values


def _of_json(path: Path, text: str) -> Iterator[tuple[int, Mapping[str, Any]]]:
    for number, line in enumerate(text.splitlines(), start=1):
        if not line.strip():
            continue
        try:
            values = parse_loosely(line)
        except ValueError as error:
            raise ValueError(f"{path}, line {number}: {error}") from None
        if not isinstance(values, dict):
            raise ValueError(f"{path}, line {number}: expected an object, not {quoted(values)}")
        yield number, {name: "" if value is None else value for name, value in values.items()}


def _seed(path: Path, number: int, values: Mapping[str, Any]) -> int | None:
    if "seed" not in values:
        return None
    try:
        return int(str(values["seed"]))
    except ValueError:
        raise ValueError(
            f"{path}, line {number}: seed: expected a whole number, not {quoted(values['seed'])}"
        ) from None


def _score(path: Path, number: int, value: Any) -> float:
    """A number; nan for an empty one, and for what is not finite: a run that was lost."""
    if str(value).strip().lower() in _LOST:
        return math.nan
    try:
        return float(value)
    except (TypeError, ValueError):
        raise ValueError(f"{path}, line {number}: score: expected a number, not {quoted(value)}") from None


def _predictions(path: Path, lines: Sequence[tuple[int, Mapping[str, Any]]], by: str) -> list[Run]:
    """A run for each row and seed; without a column for the row the file is one row, under its own name."""
    columns = lines[0][1].keys()
    if "correct" not in columns and not {"label", "predicted"} <= columns:
        raise ValueError(f"{path}: predictions need a column 'correct', or both 'label' and 'predicted'")
    found: dict[tuple[str, int | None], dict[str, bool]] = {}
    for number, values in lines:
        key = str(values[by]) if by in columns else path.stem, _seed(path, number, values)
        answers, image = found.setdefault(key, {}), str(values["image"])
        if image in answers:
            raise ValueError(f"{path}, line {number}: image {quoted(image)} is there twice in one run")
        answers[image] = _is_correct(path, number, values)
    return [Run(row, seed, sum(own.values()) / len(own), own) for (row, seed), own in found.items()]


def _is_correct(path: Path, number: int, values: Mapping[str, Any]) -> bool:
    if "correct" not in values:
        return str(values["label"]) == str(values["predicted"])
    text = str(values["correct"]).strip().lower()
    if text not in _TRUE | _FALSE:
        raise ValueError(f"{path}, line {number}: correct: expected true or false, not {quoted(values['correct'])}")
    return text in _TRUE
