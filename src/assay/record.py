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
            LineLog(path / "metrics.jsonl").rows(),
            LineLog(path / "timings.jsonl").rows(),
            read_json(path / "summary.json"),
            read_json(path / "env.json"),
        )


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
    except (ValueError, OSError) as error:
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
        lines = self._path.read_text().splitlines(keepends=True)
        try:
            return [json.loads(line) for line in lines if line.endswith("\n")]
        except ValueError as error:
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
    except (ValueError, OSError) as error:
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
