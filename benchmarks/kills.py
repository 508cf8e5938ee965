"""Kill a training with SIGKILL at random moments, resume it, and compare its end with an undisturbed one's.

python benchmarks/kills.py --kills 20 --out /tmp/kills

The trainings are of ten kinds in turn. Each is killed once, at a moment drawn evenly from the time between the making
of its folder and its end, as the undisturbed one of its kind had it, and resumed to its end. One that has ended before
its moment was no kill: it is done again, with a moment drawn from its own, shorter time. The end is the same when every
model.safetensors and metrics.jsonl in the folder is, byte for byte. Then no process that the killed one has started may
be left.
"""

from __future__ import annotations

import argparse
import random
import shutil
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

KINDS: dict[str, list[str]] = {
    "plain": [],
    "streamed": ["--data.memory", "0", "--data.workers", "2"],
    "averaged": ["--train.ema", "0.9"],
    "accumulated": ["--train.accumulate", "2"],
    "mixed": ["--augment.mixup", "0.2"],
    "adam": ["--optim.name", "adam", "--optim.lr", "0.001"],
    "folds": ["--data.folds", "3"],
    "clipped": ["--optim.clip", "1", "--loss.label_smoothing", "0.1"],
    "probed": ["--probe.every", "5"],
    "unwatched": ["--train.tensorboard", "false"],
}
PATIENCE = 5.0  # seconds in which all processes of a killed training have to end
TRAIN = [sys.executable, "-m", "assay", "train"]


def main() -> None:
    options = parse()
    options.out.mkdir(parents=True)
    TRAIN.extend([options.recipe, "--data.name", options.data, "--train.epochs", str(options.epochs)])
    TRAIN.extend(["--train.checkpoint_minutes", "0.01"])
    chance, kinds = random.Random(options.seed), list(KINDS)[: options.kills]
    seconds = {kind: undisturbed(options.out, kind) for kind in kinds}
    ends = []
    for number in range(options.kills):
        kind = kinds[number % len(kinds)]
        ends.append(one_kill(options.out, kind, seconds[kind], chance, number))
    same, left = (sum(column) for column in zip(*ends, strict=True))
    print(f"{same} of {options.kills} ends are identical; {left} kills left processes after {PATIENCE:g} s")
    sys.exit(same != options.kills or left > 0)


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--epochs", type=int, default=2, help="length of each training")
    parser.add_argument("--recipe", default="simple-cnn-augment", help="what to train (default: simple-cnn-augment)")
    parser.add_argument("--data", default="cifar10", help="what to train on (default: cifar10)")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, required=True, help="a new folder")
    return parser.parse_args()


def command(folder: Path, kind: str) -> list[str]:
    return [*TRAIN, *KINDS[kind], "--out", str(folder)]


def undisturbed(out: Path, kind: str) -> float:
    """Train without a kill, and return the seconds from the making of the folder to the end."""
    process = start(out / kind, kind)
    began = time.monotonic()
    if process.wait() != 0:
        sys.exit(f"the undisturbed training of the kind {kind} failed")
    seconds = time.monotonic() - began
    print(f"{kind}, undisturbed: {seconds:.1f} s", flush=True)
    return seconds


def start(folder: Path, kind: str) -> subprocess.Popen[bytes]:
    """Start a training, as the first of a group of processes of its own, and wait until its folder is made."""
    process = subprocess.Popen(command(folder, kind), stdout=subprocess.DEVNULL, start_new_session=True)
    while process.poll() is None and not (folder / "recipe.yaml").exists():
        time.sleep(0.02)
    return process


def has_ended(group: int) -> bool:
    """Whether all processes of a group end in time."""
    for _ in range(round(PATIENCE / 0.1)):
        listed = subprocess.run(["ps", "-eo", "pgid=,stat="], check=True, capture_output=True, text=True).stdout
        found = (line.split() for line in listed.splitlines())
        if not any(int(its_group) == group and not state.startswith("Z") for its_group, state in found):
            return True
        time.sleep(0.1)
    return False


def one_kill(out: Path, kind: str, seconds: float, chance: random.Random, number: int) -> tuple[bool, bool]:
    """Whether a run killed within ``seconds`` and resumed ends as the undisturbed one; whether a process stayed.

    Of the training's group of processes the first alone is killed.
    """
    folder = out / f"killed-{number}"
    process, moment = kill(folder, kind, seconds, chance)
    left = not has_ended(process.pid)
    stood = "finished" if (folder / "summary.json").exists() else position(folder)
    subprocess.run([*command(folder, kind), "--resume"], check=True, stdout=subprocess.DEVNULL)
    same = contents(folder) == contents(out / kind)
    end = f"{'identical' if same else 'DIFFERENT'}{', processes left' if left else ''}"
    print(f"  {kind}, killed after {moment:5.1f} s ({stood}): {end}", flush=True)
    shutil.rmtree(folder)
    return same, left


def kill(folder: Path, kind: str, seconds: float, chance: random.Random) -> tuple[subprocess.Popen[bytes], float]:
    """Start trainings until one is killed before its end; return its first process, and after how many seconds."""
    while True:
        process, moment = start(folder, kind), chance.uniform(0, seconds)
        began = time.monotonic()
        with suppress(subprocess.TimeoutExpired):
            process.wait(moment)
            seconds = time.monotonic() - began  # it ended first: the machine is less busy than it was
        process.kill()
        process.wait()
        if process.returncode == -signal.SIGKILL:
            return process, moment
        shutil.rmtree(folder)


def position(folder: Path) -> str:
    """Where the newest checkpoint stands."""
    from assay.training.checkpoint import load_checkpoint

    checkpoints = sorted(folder.rglob("last.ckpt"), key=lambda path: path.stat().st_mtime)
    if not checkpoints:
        return "before the first checkpoint"
    stood = load_checkpoint(checkpoints[-1])["position"]
    return f"checkpoint at epoch {stood['epoch'] + 1}, step {stood['step']}"


def contents(folder: Path) -> dict[str, bytes]:
    """What the models and the metrics below a folder hold, by their paths in it."""
    names = ("model.safetensors", "metrics.jsonl")
    return {str(path.relative_to(folder)): path.read_bytes() for name in names for path in folder.rglob(name)}


if __name__ == "__main__":
    main()
