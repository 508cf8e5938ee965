"""Every script of benchmarks/ runs: for a step or two, on noise in the place of CIFAR-10."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from assay.models import build_model
from killing import Warm
from small_world import PRETRAINED, WIDTH, write_cifar
from warm_programs import ask

BENCHMARKS = Path(__file__).parents[1] / "benchmarks"
SMALL = {
    "tracking.py --images 16 --batch-size 8 --width 0.125 --device cpu": "an epoch of 6125 steps: about ",
    "check_memory.py --kinds parquet --images 20 40": "parquet    1,281,167 images  check ",
    "decoding.py --images 2 --width 64 --sides 32 --rounds 1": "to 32, with R4's colours ",
    "mutation.py --list --count 3": "src/assay/",
    "finetune.py cifar10 --per-class 14 --test 50 --seeds 1 --fields data.size=32 train.epochs=1": (
        "14 of each class, 1 seeds: probe "
    ),
    "new_heads.py timm:test_resnet torchvision:squeezenet1_1 timm:qwen3_vit_88m_enc": (
        "3 networks, 2 of them run; 1 give no scores; 0 fail"
    ),
    "power.py --tables 5": "half of the rows 8",
    "attack.py --minutes 0.01 --seed 5": " cases, 0 faults, at most ",
    "clients.py --clients 5 --seconds 0.1 --side 300": "beside 5 slow     memory 0.",
    "gpu.py --minutes 9 --batch 4 --patience 0 --seeds 4": "17 items done, 0 not: none",
    "large_set.py --gib 0 --seconds 0 --width 80": "20 batches from step 20 on are the same",
    "ranks.py --epochs 1 --images 100 --batch-size 50 --width 0.125 --turns 1": "norms of their own ",
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
GPU = """
import runpy
import on_device
from assay.run.benchmark import gauge

on_device.CHECKS = {{"layout": on_device.layout_is_channels_last}}  # tests/test_on_device.py does them all
gauge.in_own_process = lambda function, *values: function(*values)
runpy.run_path("{script}", run_name="__main__")
"""
WITH_FOLDER = {  # the scripts that need --out
    "check_memory.py",
    "finetune.py",
    "gpu.py",
    "kills.py",
    "large_set.py",
    "large_table.py",
    "predictions.py",
}
SCRIPTS = {command.split()[0] for command in SMALL}


@pytest.mark.slow
@pytest.mark.xdist_group("programs")  # one worker starts the warm one
@pytest.mark.parametrize("command", SMALL)
def test_a_benchmark_runs(
    command: str,
    tmp_path: Path,
    write_parquet: Callable[..., Path],
    finished_run: Path,
    make_folder: Callable[..., Path],
    cache: Path,
    warm_runs: Warm,
) -> None:
    """In a fork of a warm process, as are the commands of assay that it starts."""
    data = tmp_path / "data"
    script, *arguments = command.split()
    if script in ("tracking.py", "finetune.py", "gpu.py", "kills.py"):
        write_cifar(data, write_parquet)
    if script in WITH_FOLDER or "--kills" in arguments:
        arguments += ["--out", str(tmp_path / "out")]
    if script in ("clients.py", "predictions.py"):
        arguments.append(str(finished_run))
    if script == "gpu.py":
        small = [f"{name}={value}" for name, value in FEW.items()]
        arguments += ["--device", "cpu", "--data", str(data), "--fields", *small]
    if script == "finetune.py":
        torch.save(build_model("resnet18", classes=7, width=WIDTH).state_dict(), tmp_path / "weights.pth")
        network = ["model.name=resnet18", f"model.width={WIDTH}", f"model.pretrained={tmp_path / 'weights.pth'}"]
        arguments[-2:-2] = network
    if script == "peers.py":
        counts = {"train/cat": 6, "train/dog": 6, "test/cat": 3, "test/dog": 3}
        make_folder(tmp_path / "asked" / "photos", counts, side=40)
        torch.save(build_model(PRETRAINED, classes=1000).state_dict(), tmp_path / "weights.pth")
        arguments += ["--network", PRETRAINED, "--weights", str(tmp_path / "weights.pth")]
    program = BENCHMARKS / script
    if script == "gpu.py":
        program = tmp_path / script
        program.write_text(GPU.format(script=BENCHMARKS / script))
    environment = {"ASSAY_DATA": str(data), "ASSAY_CACHE": str(cache)}
    asked = ask(tmp_path / "asked", [program, *arguments], environment)
    warm_runs.do(asked)  # whose status says what the last line says
    printed = (asked / "stdout").read_text()
    assert SMALL[command] in printed, (asked / "stderr").read_text()
    assert ", status " not in printed  # of a command that has failed


def test_no_script_is_left_out() -> None:
    assert {file.name for file in BENCHMARKS.glob("*.py")} == SCRIPTS
