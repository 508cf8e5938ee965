"""Every script of benchmarks/ runs: for a step or two, on noise in the place of CIFAR-10."""

from __future__ import annotations

import contextlib
import runpy
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from assay.models import build_model
from assay.run.benchmark import gauge
from small_world import PRETRAINED, WIDTH, write_cifar

BENCHMARKS = Path(__file__).parents[1] / "benchmarks"
SMALL = {
    "tracking.py --images 16 --batch-size 8 --device cpu": "an epoch of 6125 steps: about ",
    "mutation.py --list --count 3": "src/assay/",
    "finetune.py cifar10 --images 100 --seeds 1 --fields data.size=32 train.epochs=1": "100 images, 1 seeds: probe ",
    "new_heads.py timm:test_resnet torchvision:squeezenet1_1 timm:qwen3_vit_88m_enc": (
        "3 networks, 2 of them run; 1 give no scores; 0 fail"
    ),
    "power.py --tables 5": "half of the rows 8",
    "attack.py --minutes 0.01 --seed 5": " cases, 0 faults, at most ",
    "clients.py --clients 5 --seconds 0.1 --side 300": "beside 5 slow     memory 0.",
    "gpu.py --minutes 9 --batch 4 --patience 0 --seeds 4": "20 items done, 0 not: none",
    "large_set.py --gib 0 --seconds 0 --width 80": "20 batches from step 20 on are the same",
    "ranks.py --epochs 1 --batch-size 640 --width 0.125 --turns 1": "2 processes, 1 thread, norms of their own ",
    "ranks.py --kills 1 --epochs 1": " runs, all of which went on to their end",
    "predictions.py --images 3000": "after a kill and --resume the file is the same",
    "peers.py photos --size 32 --seeds 1 --epochs 1": "tutorial: ",
    "large_table.py --grid 2 2 1 --seeds 2 --images 50 --only run report": "report STUDY --out PAGE ",
    "kills.py --kills 1 --epochs 1": "1 of 1 ends are identical",
}
FEW = {
    "train.epochs": 1,
    "train.batch_size": 20,
    "train.threads": 1,
    "data.train_images": 100,
    "data.size": 32,
    "model.width": WIDTH,
}
SCRIPTS = {command.split()[0] for command in SMALL}


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")  # of the loaders that are measured against
@pytest.mark.parametrize("command", SMALL)
def test_a_benchmark_runs(
    command: str,
    tmp_path: Path,
    write_parquet: Callable[..., Path],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    finished_run: Path,
    make_folder: Callable[..., Path],
) -> None:
    monkeypatch.setenv("ASSAY_DATA", str(write_cifar(tmp_path / "data", write_parquet)))
    monkeypatch.syspath_prepend(BENCHMARKS)  # as of a script that is run
    script, *arguments = command.split()
    if (
        script in ("kills.py", "finetune.py", "gpu.py", "large_set.py", "predictions.py", "large_table.py")
        or "--kills" in arguments
    ):
        arguments += ["--out", str(tmp_path / "out")]
    if script in ("clients.py", "predictions.py"):
        arguments.append(str(finished_run))
    if script == "gpu.py":
        monkeypatch.setattr(gauge, "in_own_process", lambda function, *values: function(*values))
        small = [f"{name}={value}" for name, value in FEW.items()]
        arguments += ["--device", "cpu", "--data", str(tmp_path / "data"), "--fields", *small]
    if script == "finetune.py":
        torch.save(build_model("resnet18", classes=7, width=WIDTH).state_dict(), tmp_path / "weights.pth")
        network = ["model.name=resnet18", f"model.width={WIDTH}", f"model.pretrained={tmp_path / 'weights.pth'}"]
        arguments[-2:-2] = network
    if script == "peers.py":
        monkeypatch.chdir(tmp_path)
        make_folder(Path("photos"), {"train/cat": 6, "train/dog": 6, "test/cat": 3, "test/dog": 3}, side=40)
        torch.save(build_model(PRETRAINED, classes=1000).state_dict(), "weights.pth")
        arguments += ["--network", PRETRAINED, "--weights", "weights.pth"]
    if script == "ranks.py":  # it forks itself, which is safe only before torch has used its threads
        done = subprocess.run([sys.executable, BENCHMARKS / script, *arguments], capture_output=True, text=True)
        assert SMALL[command] in done.stdout, done.stderr
        return
    monkeypatch.setattr(sys, "argv", [script, *arguments])
    with contextlib.suppress(SystemExit):  # whose status says what the last line says
        runpy.run_path(str(BENCHMARKS / script), run_name="__main__")
    assert SMALL[command] in capsys.readouterr().out


def test_no_script_is_left_out() -> None:
    assert {file.name for file in BENCHMARKS.glob("*.py")} == SCRIPTS
