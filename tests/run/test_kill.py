"""A run that is killed with SIGKILL at random moments, and resumed, ends as an undisturbed one."""

import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from assay.run.record import RunRecord

RECIPE = {
    "data.size": "16",
    "augment.crop": "1",
    "model.name": "resnet18",
    "model.width": "0.125",
    "model.dropout": "0.2",
    "train.epochs": "4",
    "train.batch_size": "64",
    "train.checkpoint_minutes": "0",  # at every step, so that most kills fall near a checkpoint's writing
}


def command(folder: Path, *more: str) -> list[str]:
    flags = [text for name, value in RECIPE.items() for text in (f"--{name}", value)]
    return [sys.executable, "-m", "assay.cli", "train", "digits", "--out", str(folder), *flags, *more]


def run_to_the_end(folder: Path, *more: str) -> None:
    subprocess.run(command(folder, *more), check=True, capture_output=True)


@pytest.mark.slow
def test_killed_runs_end_as_undisturbed_ones(tmp_path: Path) -> None:
    run_to_the_end(tmp_path / "undisturbed")
    chance = random.Random(5)
    kills = 0
    resume: tuple[str, ...] = ()
    while kills < 6:
        process = subprocess.Popen(command(tmp_path / "killed", *resume), stdout=subprocess.DEVNULL)
        waited = time.monotonic()
        while not (tmp_path / "killed" / "last.ckpt").exists() and time.monotonic() - waited < 60:
            time.sleep(0.01)
        time.sleep(chance.uniform(0, 8) if resume else chance.uniform(0, 0.5))
        process.send_signal(signal.SIGKILL)
        assert process.wait() in (-signal.SIGKILL, 0)
        resume, kills = ("--resume",), kills + 1
    run_to_the_end(tmp_path / "killed", "--resume")
    for name in ("model.safetensors", "metrics.jsonl"):
        assert (tmp_path / "killed" / name).read_bytes() == (tmp_path / "undisturbed" / name).read_bytes()
    assert len(RunRecord.read(tmp_path / "killed").timings) == 4
