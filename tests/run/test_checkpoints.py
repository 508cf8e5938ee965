"""When a run writes its checkpoint."""

from __future__ import annotations

import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

import assay.run.epochs as module
from assay.base import pace
from assay.recipe.recipe import Recipe
from assay.run.folder import RunFolder
from assay.run.run import run

COST, EPOCH = 1.0, 7.0  # seconds of a checkpoint and of an epoch, by a clock that nothing else moves
TINY = {
    "data.train_images": 64,
    "data.size": 16,
    "train.batch_size": 32,
    "train.threads": 1,
    "train.tensorboard": False,
}


@pytest.mark.parametrize(
    ("minutes", "expected"),
    [
        (5.0, [1, 4, 7, 8]),  # the first costs nothing yet; then 3 epochs last as long as 20 checkpoints; the end
        (0.2, [1, 3, 5, 7, 8]),  # 12 seconds
    ],
)
def test_short_epochs_share_a_checkpoint(
    minutes: float, expected: list[int], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    now, written = time.monotonic(), list[int]()

    def write(_folder: RunFolder, state: dict[str, Any]) -> None:
        nonlocal now
        now += COST
        written.append(state["position"]["epoch"])

    def end_epoch(*arguments: Any) -> None:
        nonlocal now
        now += EPOCH
        end(*arguments)

    def monotonic() -> float:
        nonlocal now
        now += 1e-6  # an epoch takes some time
        return now

    end = module._end_epoch
    monkeypatch.setattr(RunFolder, "write_checkpoint", write)
    monkeypatch.setattr(module, "_end_epoch", end_epoch)
    for timed in (module, pace):
        monkeypatch.setattr(timed, "time", SimpleNamespace(monotonic=monotonic))
    run(Recipe().but({**TINY, "train.epochs": 8, "train.checkpoint_minutes": minutes}), tmp_path / "run")
    assert written == expected
