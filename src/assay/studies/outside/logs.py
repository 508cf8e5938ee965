"""Folders that loggers leave: Lightning's CSV, Hugging Face's Trainer, W&B, MLflow, TensorBoard."""

from __future__ import annotations

import csv
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from assay.base.strict_yaml import read_yaml
from assay.base.text import quoted
from assay.studies.outside.loose_json import parse_loosely
from assay.studies.outside.runs import LoggedRun

Figures = dict[str, list[float]]


def find_logs(root: Path) -> list[LoggedRun]:
    """Return all runs below a folder, in the order of their names.

    Where several loggers wrote into one folder, or one below another's, the first in the order of this module counts:
    Trainer's TensorBoard files lie below its own.

    Raises:
        ValueError: there are none, or one of them cannot be read.
    """
    found: dict[Path, LoggedRun] = {}
    for pattern, read in _READERS.items():
        own: dict[Path, LoggedRun] = {}
        for path in sorted(root.rglob(pattern)):
            if pattern == _MLFLOW and not path.with_name("metrics").is_dir():
                continue  # that of an experiment
            run = _read(path, read)
            if found.keys() & {run.folder, *run.folder.parents}:
                continue
            if run.folder not in own or _length(run) > _length(own[run.folder]):  # the last checkpoint
                own[run.folder] = run
        found |= own
    if not found:
        kinds = ", ".join(_READERS)
        raise ValueError(f"{root}: no logs in it; expected {kinds}")
    return [found[folder] for folder in sorted(found)]


def _read(path: Path, read: Callable[[Path], LoggedRun]) -> LoggedRun:
    try:
        run = read(path)
    except UnicodeDecodeError:
        raise ValueError(f"{path}: not a text file in UTF-8") from None
    if not run.figures:
        raise ValueError(f"{path}: no metrics in it, or damaged")
    return run


def _length(run: LoggedRun) -> int:
    return sum(map(len, run.figures.values()))


def _lightning(path: Path) -> LoggedRun:
    """Lightning's CSVLogger: a line has the metrics that were logged at its step, and leaves the others empty."""
    figures: Figures = {}
    with path.open(newline="", encoding="utf-8") as file:
        for line in csv.DictReader(file):
            if None in line or None in line.values():
                raise ValueError(f"{path}: a line has other columns than the header")
            for name, text in line.items():
                if text and name not in ("epoch", "step"):
                    figures.setdefault(name, []).append(_number(path, text))
    return LoggedRun(path.parent, figures, _settings(path.with_name("hparams.yaml")))


def _trainer(path: Path) -> LoggedRun:
    """Hugging Face's Trainer: the history of a run, in its folder or in those of its checkpoints."""
    history = _json(path).get("log_history")
    if not isinstance(history, list) or not all(isinstance(entry, dict) for entry in history):
        raise ValueError(f"{path}: no log_history in it")
    folder = path.parent.parent if re.fullmatch(r"checkpoint-\d+", path.parent.name) else path.parent
    figures: Figures = {}
    for entry in history:
        _add(figures, {name: value for name, value in entry.items() if name not in ("epoch", "step")})
    return LoggedRun(folder, figures)


def _wandb(path: Path) -> LoggedRun:
    """W&B: the last value of each metric, and the run's settings."""
    figures: Figures = {}
    _add(figures, {name: value for name, value in _json(path).items() if not name.startswith("_")})
    fields = {
        name: entry["value"]
        for name, entry in _settings(path.with_name("config.yaml")).items()
        if isinstance(entry, dict) and "value" in entry and not str(name).startswith("_")
    }
    return LoggedRun(path.parent.parent, figures, fields)


def _mlflow(path: Path) -> LoggedRun:
    """MLflow's folders: a file for each metric, with a line ``time value step`` for each logged value."""
    folder = path.parent
    figures: Figures = {}
    for file in sorted((folder / "metrics").rglob("*")):
        if file.is_file():
            values = [line.split() for line in file.read_text().splitlines() if line.strip()]
            if any(len(parts) < 2 for parts in values):
                raise ValueError(f"{file}: expected lines of time, value and step")
            figures[file.relative_to(folder / "metrics").as_posix()] = [_number(file, parts[1]) for parts in values]
    fields = {file.name: file.read_text().strip() for file in sorted((folder / "params").glob("*")) if file.is_file()}
    return LoggedRun(folder, figures, fields)


def _tensorboard(path: Path) -> LoggedRun:
    """TensorBoard: the scalars of all event files of a folder."""
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
    from tensorboard.util.tensor_util import make_ndarray

    events = EventAccumulator(str(path.parent), size_guidance={"scalars": 0, "tensors": 0})
    events.Reload()
    tags: Mapping[str, Any] = events.Tags()
    figures: Figures = {name: [float(event.value) for event in events.Scalars(name)] for name in tags["scalars"]}
    for name in tags["tensors"]:  # as TensorFlow 2 writes scalars
        values = [make_ndarray(event.tensor_proto) for event in events.Tensors(name)]
        if all(value.size == 1 and value.dtype.kind in "fiu" for value in values):
            figures[name] = [float(value.item()) for value in values]
    return LoggedRun(path.parent, figures)


_MLFLOW = "meta.yaml"
_READERS: dict[str, Callable[[Path], LoggedRun]] = {
    "metrics.csv": _lightning,
    "trainer_state.json": _trainer,
    "wandb-summary.json": _wandb,
    _MLFLOW: _mlflow,
    "events.out.tfevents.*": _tensorboard,
}


def _settings(path: Path) -> dict[str, Any]:
    """A run's settings from YAML; empty where there are none."""
    if not path.is_file():
        return {}
    try:
        values = read_yaml(path)
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from None
    return values if isinstance(values, dict) else {}


def _json(path: Path) -> dict[str, Any]:
    try:
        values = parse_loosely(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from None
    if not isinstance(values, dict):
        raise ValueError(f"{path}: expected an object, not {quoted(values)}")
    return values


def _add(figures: Figures, values: Mapping[str, Any]) -> None:
    for name, value in values.items():
        if isinstance(value, int | float) and not isinstance(value, bool):  # nan is one too
            figures.setdefault(name, []).append(float(value))


def _number(path: Path, text: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise ValueError(f"{path}: expected a number, not {quoted(text)}") from None
