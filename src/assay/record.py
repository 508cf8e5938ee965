"""The run record: plain files that say what happened, and all that analysis may read.

``metrics.jsonl`` holds one line per epoch and nothing that depends on the clock, so that equal
runs give equal bytes; times stand in ``timings.jsonl``.
"""

from __future__ import annotations

import json
import math
import os
import platform
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from assay.atomic import replace_file
from assay.recipe import Recipe
from assay.version import VERSION

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

Row = dict[str, Any]
SCORES_FILE = "scores.safetensors"


@dataclass(frozen=True)
class RunRecord:
    """What a run left behind.

    Attributes:
        folder: the run folder.
        recipe: what was asked for.
        metrics: one row per epoch: epoch, step, lr (of its last step), train_loss, train_accuracy, held_out_loss, ...;
            accuracies in [0, 1], losses in nats.
        timings: one row per epoch: epoch, seconds, images_per_second.
        summary: the end: test accuracy and loss, the chosen epoch, seconds; empty while running.
        environment: versions, hardware, threads, the command line.
    """

    folder: Path
    recipe: Recipe
    metrics: Sequence[Row]
    timings: Sequence[Row]
    summary: Row
    environment: Row

    @classmethod
    def read(cls, folder: str | Path) -> RunRecord:
        """Read a run folder; raises ``ValueError`` where it is none or is damaged."""
        path = Path(folder)
        return cls(
            path,
            read_recipe(path / "recipe.yaml"),
            _read_epochs(path / "metrics.jsonl"),
            _read_epochs(path / "timings.jsonl"),
            _read_summary(path / "summary.json"),
            _read_environment(path / "env.json"),
        )


def _read_epochs(path: Path) -> list[Row]:
    """A row of numbers for each epoch."""
    rows = LineLog(path).rows()
    for line, row in enumerate(rows, start=1):
        if not isinstance(row, dict):
            raise ValueError(f"{path}: line {line}: expected a mapping, not {type(row).__name__}")
        _check_numbers(f"{path}: line {line}", row)
        _check_epoch(f"{path}: line {line}", row.get("epoch"))
    return rows


def _read_summary(path: Path) -> Row:
    """The end of a run; its figures are numbers."""
    summary = read_json(path)
    for split in summary.keys() & {"train", "held_out", "test"}:
        if not isinstance(summary[split], dict):
            raise ValueError(f"{path}: {split}: expected a mapping, not {type(summary[split]).__name__}")
        _check_numbers(f"{path}: {split}", summary[split])
    _check_numbers(str(path), {name: summary.get(name) for name in ("parameters", "seconds", "images_per_second")})
    if "epoch" in summary:
        _check_epoch(str(path), summary["epoch"])
    return summary


def _read_environment(path: Path) -> Row:
    """Of the process; its command is a list, and the count of parameters a number."""
    values = read_json(path)
    if not isinstance(values.get("command", []), list):
        raise ValueError(f"{path}: command: expected a list, not {type(values['command']).__name__}")
    _check_numbers(str(path), {"parameters": values.get("parameters")})
    return values


def _check_numbers(where: str, values: Mapping[str, Any]) -> None:
    for name, value in values.items():
        is_number = isinstance(value, int | float) and not isinstance(value, bool)
        if value is not None and not is_number:
            raise ValueError(f"{where}: {name}: expected a number, not {type(value).__name__}")
        if isinstance(value, int) and value.bit_length() > 63:
            raise ValueError(f"{where}: {name}: a whole number too large to be one of a run")


def _check_epoch(where: str, epoch: Any) -> None:
    if not isinstance(epoch, int) or isinstance(epoch, bool):
        raise ValueError(f"{where}: epoch: expected a whole number, not {type(epoch).__name__}")


def read_scores(folder: Path, split: str = "test") -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """A finished run's scores ``[N, K]`` for a split, and the labels ``[N]``.

    Raises:
        ValueError: the run has left none.
    """
    from safetensors import SafetensorError
    from safetensors.numpy import load_file

    try:
        tensors = load_file(folder / SCORES_FILE)
    except (SafetensorError, OSError) as error:
        raise ValueError(f"{folder / SCORES_FILE}: no scores of a finished run ({error})") from None
    name = split.replace("-", "_")
    if f"{name}.scores" not in tensors:
        raise ValueError(f"{folder / SCORES_FILE}: no scores of {split}")
    return tensors[f"{name}.scores"], tensors[f"{name}.labels"]


def read_recipe(path: Path) -> Recipe:
    """A recipe from a YAML file; raises ``ValueError`` that names the file."""
    try:
        return Recipe.from_yaml(path.read_text())
    except FileNotFoundError:
        raise ValueError(f"{path}: no such recipe file") from None
    except (ValueError, OSError, RecursionError) as error:
        raise ValueError(f"{path}: {error}") from None


def write_json(path: Path, values: Mapping[str, Any]) -> None:
    """Write plain values, atomically; numbers that are not finite become null."""
    replace_file(path, json.dumps(_finite(values), indent=2) + "\n")


class LineLog:
    """A file of JSON lines that can be cut back to where a checkpoint left it."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def append(self, row: Mapping[str, Any]) -> None:
        """Add a line; it is on the disk when this returns."""
        self.extend([row])

    def extend(self, rows: Iterable[Mapping[str, Any]]) -> None:
        """Add lines; they are on the disk when this returns."""
        with self._path.open("a") as file:
            file.writelines(json.dumps(_finite(row)) + "\n" for row in rows)
            file.flush()
            os.fsync(file.fileno())

    def size(self) -> int:
        """Bytes so far."""
        return self._path.stat().st_size if self._path.exists() else 0

    def cut(self, size: int) -> None:
        """Drop everything after the first ``size`` bytes."""
        if self._path.exists():
            os.truncate(self._path, min(size, self.size()))

    def rows(self) -> list[Row]:
        """All whole lines; a last one that a kill cut short is passed over."""
        if not self._path.exists():
            return []
        try:
            lines = self._path.read_text().splitlines(keepends=True)
            return [json.loads(line) for line in lines if line.endswith("\n")]
        except (ValueError, RecursionError) as error:
            raise ValueError(f"{self._path}: {error}") from None


def environment(device: str) -> Row:
    """Versions, hardware, threads and the command line of this process."""
    import torch
    import torchvision

    return {
        "assay": VERSION,
        "python": platform.python_version(),
        "torch": torch.__version__,
        "torchvision": torchvision.__version__,
        "platform": platform.platform(),
        "processor": _processor(),
        "cores": os.cpu_count(),
        "threads": torch.get_num_threads(),
        "device": device,
        "accelerator": torch.cuda.get_device_name(device) if device.startswith("cuda") else None,
        "command": sys.argv,
        "started": datetime.now(UTC).isoformat(timespec="seconds"),
    }


def _processor() -> str:
    """The processor's name where the system tells it."""
    info = Path("/proc/cpuinfo")
    lines = info.read_text().splitlines() if info.exists() else []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor()


def read_json(path: Path) -> Row:
    """The values of a JSON file; none where it is not there. Raises ``ValueError`` where it is damaged."""
    if not path.exists():
        return {}
    try:
        values = json.loads(path.read_text())
    except (ValueError, OSError, RecursionError) as error:
        raise ValueError(f"{path}: {error}") from None
    if not isinstance(values, dict):
        raise ValueError(f"{path}: expected a mapping, not {type(values).__name__}")
    return values


def _finite(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _finite(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
