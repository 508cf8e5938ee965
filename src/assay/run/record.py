"""The run record: plain files that say what happened. Analysis reads these and nothing else.

``metrics.jsonl`` holds one line per epoch and nothing that depends on the clock, so that equal
runs give equal bytes; times stand in ``timings.jsonl``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from assay.base.json_files import JsonObject, LineLog, read_json
from assay.base.numbers import is_number, is_whole
from assay.base.text import shorten
from assay.data.choices import OUT_OF_FOLD
from assay.recipe.recipe import Recipe, read_recipe

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

SCORES_FILE = "scores.safetensors"
OUT_OF_FOLD_FILE = "out-of-fold.safetensors"
_LARGEST = 1e100  # far beyond any loss; what pages multiply it by still leaves it finite


@dataclass(frozen=True)
class RunRecord:
    """What a run left behind.

    Attributes:
        folder: the run folder.
        recipe: what the run was asked to do.
        metrics: one row per epoch: epoch, step, lr (of its last step), train_loss, train_accuracy, held_out_loss, ...;
            accuracies in [0, 1], losses in nats.
        timings: one row per epoch: epoch, seconds, images_per_second.
        summary: the end: test accuracy and loss, the chosen epoch, seconds; empty while running.
        environment: versions, hardware, threads, the command line.
    """

    folder: Path
    recipe: Recipe
    metrics: Sequence[JsonObject]
    timings: Sequence[JsonObject]
    summary: JsonObject
    environment: JsonObject

    @classmethod
    def read(cls, folder: str | Path) -> RunRecord:
        """Read a run folder; raises ``ValueError`` if it is not one or is damaged."""
        path = Path(folder)
        return cls(
            path,
            read_recipe(path / "recipe.yaml"),
            read_epochs(path / "metrics.jsonl"),
            read_epochs(path / "timings.jsonl"),
            read_summary(path / "summary.json"),
            read_environment(path / "env.json"),
        )


def read_epochs(path: Path, size: int | None = None) -> list[JsonObject]:
    """Read a line for each epoch, all of them or those of the first ``size`` bytes.

    Raises:
        ValueError: names the file and the line; it is damaged, or has fewer bytes.
    """
    rows = LineLog(path).rows() if size is None else LineLog(path).rows_until(size)
    for line, row in enumerate(rows, start=1):
        _check_numbers(f"{path}: line {line}", row)
        _check_epoch(f"{path}: line {line}", row.get("epoch"))
    return rows


def read_summary(path: Path) -> JsonObject:
    """Read how a run ended, empty while it runs; raises ``ValueError`` that names the file if it is damaged."""
    summary = read_json(path)
    for split in summary.keys() & {"train", "held_out", "out_of_fold", "test"}:
        if not isinstance(summary[split], dict):
            raise ValueError(f"{path}: {split}: expected a mapping, not {type(summary[split]).__name__}")
        _check_figures(f"{path}: {split}", summary[split])
    for number, figures in enumerate(_read_list(path, summary, "folds"), start=1):
        if not isinstance(figures, dict):
            raise ValueError(f"{path}: fold {number}: expected a mapping, not {type(figures).__name__}")
        _check_figures(f"{path}: fold {number}", figures)
    counts = ("parameters", "classes", "seconds", "images_per_second")
    _check_numbers(str(path), {name: summary.get(name) for name in counts})
    if "epoch" in summary:
        _check_epoch(str(path), summary["epoch"])
    return summary


def read_environment(path: Path) -> JsonObject:
    """Read what a run ran on; raises ``ValueError`` that names the file if it is damaged."""
    values = read_json(path)
    _read_list(path, values, "command")
    _check_numbers(str(path), {"parameters": values.get("parameters")})
    return values


def _read_list(path: Path, values: JsonObject, name: str) -> list[Any]:
    found = values.get(name, [])
    if not isinstance(found, list):
        raise ValueError(f"{path}: {name}: expected a list, not {type(found).__name__}")
    return found


def _check_numbers(where: str, values: Mapping[str, Any]) -> None:
    for name, value in values.items():
        if value is not None and not is_number(value):
            raise ValueError(f"{where}: {name}: expected a number, not {type(value).__name__}")
        if isinstance(value, int) and value.bit_length() > 63:  # numpy's integers could not hold it
            raise ValueError(f"{where}: {name}: a whole number too large to be one of a run")
        if isinstance(value, float) and abs(value) > _LARGEST:
            raise ValueError(f"{where}: {name}: a number too large to be one of a run")


def _check_figures(where: str, figures: Mapping[str, Any]) -> None:
    """Refuse figures of a split that are not numbers; the interval is two."""
    ends = figures.get("interval")
    if ends is not None and not (isinstance(ends, list) and len(ends) == 2 and all(map(is_number, ends))):
        raise ValueError(f"{where}: interval: expected two numbers")
    _check_numbers(where, {name: value for name, value in figures.items() if name != "interval"})


def _check_epoch(where: str, epoch: Any) -> None:
    if not is_whole(epoch):
        raise ValueError(f"{where}: epoch: expected a whole number, not {type(epoch).__name__}")


def read_scores(folder: Path, split: str = "test") -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """Read a finished run's scores ``[N, K]`` for a split, and the labels ``[N]``.

    The split is ``held-out``, ``test``, or of a cross-validated run ``out-of-fold``.

    Raises:
        ValueError: the folder holds no such scores, or they are damaged.
    """
    # Imported here, because most readers of a record need no scores.
    from safetensors import SafetensorError
    from safetensors.numpy import load_file

    file = folder / (OUT_OF_FOLD_FILE if split == OUT_OF_FOLD else SCORES_FILE)
    try:
        tensors = load_file(file)
    # numpy lacks some of the number types of such files.
    except (SafetensorError, OSError, LookupError, TypeError, AttributeError) as error:
        raise ValueError(f"{file}: no scores of a finished run ({shorten(str(error), 200)})") from None
    name = split.replace("-", "_")
    if f"{name}.scores" not in tensors:
        raise ValueError(f"{file}: no scores of {split}")
    scores, labels = tensors[f"{name}.scores"], tensors.get(f"{name}.labels")
    if labels is None or labels.ndim != 1 or labels.dtype.kind != "i" or len(labels) == 0:
        raise ValueError(f"{file}: {name}.labels: expected the numbers of classes, one for each image")
    if scores.ndim != 2 or scores.dtype.kind != "f" or len(scores) != len(labels):
        raise ValueError(f"{file}: {name}.scores: expected a row of numbers for each of {len(labels)} images")
    if labels.min() < 0 or labels.max() >= scores.shape[1]:
        raise ValueError(f"{file}: {name}.labels: expected numbers of classes from 0 to {scores.shape[1] - 1}")
    return scores, labels
