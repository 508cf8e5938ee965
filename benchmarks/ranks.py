"""One model on several processes: what they gain in time, and whether a run survives the loss of any of them.

python benchmarks/ranks.py                              two processes of one thread against one of two threads
python benchmarks/ranks.py --kills 20 --out /tmp/ranks  kill random processes of runs, and go on with 1 to 3 of them

The first trains ResNet-18 on enlarged digits in turn; the fastest epoch of each way counts, and nothing else should
run meanwhile. The second sends SIGKILL to a random process of a run at a random moment of the time that an
undisturbed one takes, a few times for each run, and resumes it with a random number of processes. The rest of the
processes must end within a minute, and the run's end is compared with the undisturbed one's.
"""

from __future__ import annotations

import argparse
import os
import random
import signal
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

import torch._dynamo  # noqa: F401 - so that the forked processes need not import it

import assay.api  # noqa: F401 - likewise
from assay.base.json_files import read_json
from assay.cli import main as assay_main
from assay.run.record import RunRecord

QUIET = ["--train.tensorboard", "false"]
NETWORK = ["--model.name", "resnet18", "--model.stem_kernel", "3", "--model.stem_stride", "1"]
WAYS = {
    "1 process, 2 threads": ["--train.threads", "2"],
    "2 processes, 1 thread": ["--train.threads", "1", "--devices", "cpu:2"],
    "2 processes, 1 thread, norms of their own": [
        *("--train.threads", "1", "--devices", "cpu:2"),
        *("--train.sync_norm", "false"),
    ],
}
# Not with Adam, which makes rounding large where gradients are near 0.
KILLED = ["--optim.name", "sgd", "--optim.lr", "0.05", "--optim.momentum", "0.9", "--train.checkpoint_minutes", "0.01"]
PATIENCE = 60.0  # seconds in which all have to end once one is killed
IN_A_ROW = 4  # kills of one run, at most


def main() -> None:
    options = parse()
    if options.kills:
        sys.exit(campaign(options))
    compare_speed(options)


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--kills", type=int, default=0, help="how many processes to kill (default: measure the speed)")
    parser.add_argument("--epochs", type=int, default=4, help="length of each training")
    parser.add_argument("--batch-size", type=int, default=128, help="where the speed is measured")
    parser.add_argument("--images", type=int, help="of an epoch whose speed is measured (default: all 1,297)")
    parser.add_argument("--width", type=float, default=0.25, help="of the network whose speed is measured")
    parser.add_argument("--turns", type=int, default=3, help="how often each speed is measured")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, help="a new folder; needed for --kills")
    options = parser.parse_args()
    if options.kills and options.out is None:
        parser.error("--kills needs --out")
    return options


def compare_speed(options: argparse.Namespace) -> None:
    speeds = dict.fromkeys(WAYS, 0.0)
    lengths = ["--train.epochs", str(options.epochs), "--train.batch_size", str(options.batch_size)]
    common = [*NETWORK, *QUIET, *lengths, "--model.width", str(options.width)]
    common += [] if options.images is None else ["--data.train_images", str(options.images)]
    with TemporaryDirectory() as folder:
        for turn in range(options.turns):
            for place, (way, flags) in enumerate(WAYS.items()):
                out = Path(folder) / f"{turn}-{place}"
                if wait(start([*common, *flags, "--out", str(out)], out.with_suffix(".log"))) != 0:
                    sys.exit(f"{way}: {out.with_suffix('.log').read_text()}")
                speeds[way] = max(speeds[way], *(row["images_per_second"] for row in RunRecord.read(out).timings))
    first = next(iter(speeds.values()))
    for way, speed in speeds.items():
        print(f"{way:<42} {speed:8,.0f} images/s  {speed / first:.2f} times the first")


def campaign(options: argparse.Namespace) -> bool:
    """Kill and resume; say what came of it, and return whether any run hung, failed or ended otherwise."""
    options.out.mkdir(parents=True)
    chance, wanted = random.Random(options.seed), options.out / "undisturbed"
    common = ["--train.epochs", str(options.epochs), *KILLED, *QUIET]
    began = time.monotonic()
    wait(start([*common, "--out", str(wanted)], options.out / "undisturbed.log"))
    seconds = time.monotonic() - began
    kills, slowest, differences = 0, 0.0, list[tuple[float, float]]()
    while kills < options.kills:
        folder = options.out / f"run-{len(differences)}"
        for _ in range(min(IN_A_ROW, options.kills - kills)):
            took = kill_once(folder, common, chance, chance.uniform(0, seconds))
            if took is None:  # it had ended before
                break
            kills, slowest = kills + 1, max(slowest, took)
        if not ended(folder):
            status = wait(begin(folder, common, chance.randint(1, 3)))
            if status != 0:
                sys.exit(f"{folder}: ended with {status}: {folder.with_suffix('.log').read_text()[-500:]}")
        differences.append(difference(folder, wanted))
    accuracy, loss = (max(column) for column in zip(*differences, strict=True))
    print(f"{kills} kills in {len(differences)} runs, all of which went on to their end")
    print(f"after a kill all processes had ended in {slowest:.1f} s at most")
    print(f"from the undisturbed run: test accuracy at most {accuracy:.2%} off, loss {loss:.1e}")
    return slowest > PATIENCE


def kill_once(folder: Path, common: Sequence[str], chance: random.Random, after: float) -> float | None:
    """Kill a random process of the run; return the seconds until all had ended, or None if they had before."""
    count = chance.randint(1, 3)
    process = begin(folder, common, count)
    until = time.monotonic() + after
    while time.monotonic() < until:
        if os.waitpid(process, os.WNOHANG)[0]:
            return None
        time.sleep(0.01)
    ranks = Path(f"/proc/{process}/task/{process}/children").read_text().split() if count > 1 else [str(process)]
    if not ranks:  # they are not there yet
        ranks = [str(process)]
    os.kill(int(chance.choice(ranks)), signal.SIGKILL)
    killed = time.monotonic()
    while not os.waitpid(process, os.WNOHANG)[0]:
        if time.monotonic() - killed > PATIENCE:
            sys.exit(f"{folder}: hangs after a kill of one of {count} processes")
        time.sleep(0.01)
    return time.monotonic() - killed


def begin(folder: Path, common: Sequence[str], count: int) -> int:
    """Start the run, or go on with it, in so many processes."""
    resume = [str(folder), "--resume"] if (folder / "recipe.yaml").exists() else None
    flags = ["--devices", str(count), *(() if resume else [*common, "--out", str(folder)])]
    return start(flags, folder.with_suffix(".log"), resume or ["digits"])


def start(flags: Sequence[str], log: Path, recipe: Sequence[str] = ("digits",)) -> int:
    """Start a training as a fork of this process; return its number."""
    number = os.fork()
    if number:
        return number
    file = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    os.dup2(file, 1)
    os.dup2(file, 2)
    sys.stdout, sys.stderr = os.fdopen(1, "w"), os.fdopen(2, "w")
    status = 1
    try:
        status = assay_main(["train", *recipe, *flags])
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(status)


def wait(number: int) -> int:
    return os.waitstatus_to_exitcode(os.waitpid(number, 0)[1])


def ended(folder: Path) -> bool:
    return read_json(folder / "summary.json").get("status") == "finished"


def difference(folder: Path, wanted: Path) -> tuple[float, float]:
    """How far the accuracy and the loss on the test images are from each other."""
    found, other = (RunRecord.read(path).summary["test"] for path in (folder, wanted))
    return abs(found["accuracy"] - other["accuracy"]), abs(found["loss"] - other["loss"])


if __name__ == "__main__":
    main()
