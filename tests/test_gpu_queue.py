"""The queue of benchmarks/gpu.py: what is done is kept, what fails or runs out of time is noted."""

from __future__ import annotations

import json
import runpy
import sys
import time
from pathlib import Path
from typing import Any

import pytest
import torch

GPU = Path(__file__).parents[1] / "benchmarks" / "gpu.py"


@pytest.fixture(scope="module")
def gpu() -> dict[str, Any]:
    return runpy.run_path(str(GPU))


def world(gpu: dict[str, Any], folder: Path, seconds: float) -> Any:
    fields = {"train.epochs": 1, "train.threads": 1, "train.batch_size": 20, "data.train_images": 100}
    return gpu["World"](torch.device("cpu"), folder, time.monotonic() + seconds, fields, 2, 0.0)


def test_an_item_that_fails_is_noted(gpu: dict[str, Any], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    def fail(_world: object) -> dict[str, Any]:
        raise RuntimeError("no such kernel")

    result = gpu["outcome"]("an item", fail, world(gpu, tmp_path, 60))
    assert result["status"] == "failed"
    assert result["reason"] == "RuntimeError: no such kernel"
    assert "Traceback" in capsys.readouterr().err


def test_a_run_ends_with_the_time(gpu: dict[str, Any], tmp_path: Path) -> None:
    def train(place: Any) -> Any:
        ended = gpu["World"](**{**vars(place), "end": time.monotonic() - 1})
        return gpu["trained"]("digits", {}, ended)

    result = gpu["outcome"]("digits", train, world(gpu, tmp_path, 60))
    assert (result["status"], result["reason"]) == ("no time left", "after 0 epochs: []")


def test_a_run_gives_its_accuracy_and_times(gpu: dict[str, Any], tmp_path: Path) -> None:
    result = gpu["trained"]("digits", {"train.seed": 3}, world(gpu, tmp_path, 60))
    assert 0 <= result["summary"]["test"]["accuracy"] <= 1
    assert len(result["epoch_seconds"]) == 1
    assert result["recipe"]["train"]["seed"] == 3


def test_what_is_done_stays_and_the_rest_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "gpu.json"
    out.write_text(json.dumps({"limits": {"status": "done", "copy": 7.0}}))
    arguments = ["--minutes", "0", "--device", "cpu", "--data", str(tmp_path), "--out", str(out)]
    monkeypatch.setattr(sys, "argv", ["gpu.py", *arguments])
    runpy.run_path(str(GPU), run_name="__main__")
    found = json.loads(out.read_text())
    assert found["limits"] == {"status": "done", "copy": 7.0}
    others = {name: result for name, result in found.items() if name not in ("limits", "machine")}
    assert {result["status"] for result in others.values()} == {"no time left"}
    assert next(iter(others)) == "check: bits repeat"
    assert "1 items done, 35 not: check: bits repeat, " in capsys.readouterr().out


def test_compiling_is_for_gpus(gpu: dict[str, Any]) -> None:
    on_gpu, on_cpu = ([name for name, _ in gpu["queue"](torch.device(kind), 20)] for kind in ("cuda", "cpu"))
    assert "fast-94 compiled, seed 0" in on_gpu
    assert "check: memory is near the plain loop's" in on_gpu
    assert set(on_cpu) < set(on_gpu)
    assert len(on_gpu) == len(set(on_gpu))
