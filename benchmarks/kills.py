"""Kill a training with SIGKILL at random moments, resume it, and compare its end with an undisturbed one's.

python benchmarks/kills.py --kills 20 --out /tmp/kills

Each of the trainings is killed once, at a moment drawn evenly from the time that the undisturbed one took, and
resumed to its end. The end is the same when model.safetensors and metrics.jsonl are, byte for byte.
"""

from __future__ import annotations

import argparse
import random
import shutil
import subprocess
import sys
import time
from pathlib import Path

TRAIN = [sys.executable, "-m", "assay", "train"]


def main() -> None:
    options = parse()
    options.out.mkdir(parents=True)
    began = time.monotonic()
    TRAIN.extend([options.recipe, "--data.name", options.data, "--train.epochs", str(options.epochs)])
    TRAIN.extend(["--train.checkpoint_minutes", "0.01"])
    subprocess.run(command(options.out / "undisturbed"), check=True, stdout=subprocess.DEVNULL)
    seconds = time.monotonic() - began
    print(f"undisturbed: {seconds:.1f} s", flush=True)
    chance = random.Random(options.seed)
    same = sum(one_kill(options.out, chance.uniform(0, seconds), number) for number in range(options.kills))
    print(f"{same} of {options.kills} ends are identical")
    sys.exit(same != options.kills)


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--epochs", type=int, default=2, help="length of each training")
    parser.add_argument("--recipe", default="simple-cnn-augment", help="what to train (default: simple-cnn-augment)")
    parser.add_argument("--data", default="cifar10", help="what to train on (default: cifar10)")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, required=True, help="a new folder")
    return parser.parse_args()


def command(folder: Path) -> list[str]:
    return [*TRAIN, "--out", str(folder)]


def one_kill(out: Path, moment: float, number: int) -> bool:
    """Whether a run that is killed after ``moment`` seconds and resumed ends as the undisturbed one."""
    folder = out / f"killed-{number}"
    process = subprocess.Popen(command(folder), stdout=subprocess.DEVNULL)
    time.sleep(moment)
    process.kill()
    process.wait()
    stood = "finished" if (folder / "summary.json").exists() else position(folder)
    started = (folder / "recipe.yaml").exists()
    again = [*command(folder), "--resume"] if started else command(folder)
    subprocess.run(again, check=True, stdout=subprocess.DEVNULL)
    same = all(
        content(folder, name) == content(out / "undisturbed", name) for name in ("model.safetensors", "metrics.jsonl")
    )
    print(f"  killed after {moment:5.1f} s ({stood}): {'identical' if same else 'DIFFERENT'}", flush=True)
    shutil.rmtree(folder)
    return same


def position(folder: Path) -> str:
    """Where the checkpoint stands."""
    from assay.training.checkpoint import load_checkpoint

    if not (folder / "last.ckpt").exists():
        return "before the first checkpoint"
    stood = load_checkpoint(folder / "last.ckpt")["position"]
    return f"checkpoint at epoch {stood['epoch'] + 1}, step {stood['step']}"


def content(folder: Path, name: str) -> bytes:
    return (folder / name).read_bytes()


if __name__ == "__main__":
    main()
