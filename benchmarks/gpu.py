"""A quarter of an hour on a GPU: what is checked and measured first is what a second buys the most of.

python benchmarks/gpu.py --minutes 14 --data data --out gpu.json

The queue, in this order: what has to hold on a GPU (the tests marked cuda); the card's limits; fast-94, eager and
compiled; images per second and share of the limit of four networks; fast-94 over more seeds; the reports' headline
rows in their full setting; the rest of the seeds. Each item that is done is in the file at once, and a second call with
the same file goes on with what is left. An item that fails is noted, and one that runs out of time is noted with its
last epoch.

DATA holds the folders cifar10 and cifar100, as `assay train --data.root DATA` takes it. assay need not be installed,
but of its dependencies this needs torch, torchvision, numpy, pillow, pydantic, pyyaml, safetensors, platformdirs,
filelock, pyarrow, scikit-learn, matplotlib and tensorboard.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
import traceback
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from functools import cache, partial
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "src"))
sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests"))

import torch

from assay.base.device import pick_device, reproducible
from assay.base.json_files import read_json, write_json
from assay.recipe.fields import parse_field
from assay.recipe.named import RECIPES
from assay.recipe.recipe import Recipe
from assay.run.adapt import adapt
from assay.run.benchmark import gauge
from assay.run.benchmark.limits import Limits, measure_limits
from assay.run.benchmark.steps import StepCosts, measure_steps
from assay.run.environment import environment
from assay.run.observer import Observer
from assay.run.run import run
from assay.training.loop import Step
from on_device import CHECKS, CUDA_CHECKS

FEW = 3  # seeds of fast-94 that come before the reports' rows
NETWORKS = ("fast-94", "resnet18-cifar", "vgg16-cifar100", "simple-cnn-augment")
HEADLINES = {
    "R5: ResNet-18": ("r5-resnet18", {}),
    "R3: ResNet-18, tuned": ("r3-resnet18-tuned", {}),
    "R2: default (1,100 s on a GTX 1080 Ti)": ("r2-default", {}),
    "R2: default without pooling": ("r2-default", {"model.stem_pool": False}),
    "R1: 20 coarse classes at 224 pixels": ("r1-coarse", {}),
    "R1: 100 fine classes at 224 pixels": ("r1-fine", {}),
}


class OutOfTimeError(Exception):
    """The time is over; the text says how far an item came."""


@dataclass(frozen=True)
class World:
    """What all items share.

    Attributes:
        device: that is measured.
        runs: folder of the runs.
        end: when the time is over, by `time.monotonic`.
        fields: of every recipe, to change.
        batch: images of a step that is timed.
        patience: seconds for the steps of each loop.
    """

    device: torch.device
    runs: Path
    end: float
    fields: dict[str, Any]
    batch: int
    patience: float


Item = Callable[[World], dict[str, Any]]


class Watch(Observer):
    """Ends a run when the time is over."""

    def __init__(self, deadline: float) -> None:
        self.deadline, self.epochs = deadline, list[dict[str, Any]]()

    def step(self, step: Step) -> None:  # noqa: ARG002 - the interface
        if time.monotonic() > self.deadline:
            raise OutOfTimeError(f"after {len(self.epochs)} epochs: {self.epochs[-1:]}")

    def epoch(self, row: Any, timing: Any, evaluations: Any) -> None:  # noqa: ARG002
        self.epochs.append({**row, **timing})


def main() -> None:
    options = parse()
    device = pick_device(options.device)
    found = read_json(options.out) if options.out.exists() else {}
    with tempfile.TemporaryDirectory() as runs:
        fields = {name: parse_field(name, value) for name, value in (field.split("=", 1) for field in options.fields)}
        fields |= {"data.root": str(options.data), "train.device": options.device, "train.tensorboard": False}
        end = time.monotonic() + 60 * options.minutes
        world = World(device, Path(runs), end, fields, options.batch, options.patience)
        found["machine"] = environment(str(device))
        for name, do in queue(device, options.seeds):
            if found.get(name, {}).get("status") != "done":
                found[name] = outcome(name, do, world)
                write_json(options.out, found)
    left = [name for name, result in found.items() if result.get("status", "done") != "done"]
    print(f"{len(found) - 1 - len(left)} items done, {len(left)} not: {', '.join(left) or 'none'}")


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--minutes", type=float, required=True, help="time for all of it")
    parser.add_argument("--data", type=Path, required=True, help="folder that holds cifar10 and cifar100")
    parser.add_argument(
        "--out", type=Path, default=Path("gpu.json"), help="the results; what they hold is not done again"
    )
    parser.add_argument("--device", default="auto")
    parser.add_argument("--batch", type=int, default=512, help="images of a step that is timed")
    parser.add_argument("--patience", type=float, default=3.0, help="seconds for the steps of each loop")
    parser.add_argument("--seeds", type=int, default=20, help="of fast-94")
    parser.add_argument("--fields", nargs="*", default=[], metavar="FIELD=VALUE", help="of every recipe, to change")
    return parser.parse_args()


def queue(device: torch.device, count: int) -> Iterator[tuple[str, Item]]:
    """The items, what a second buys the most of first, with so many seeds of fast-94."""
    for name, check in (CUDA_CHECKS if device.type == "cuda" else CHECKS).items():
        yield f"check: {name}", partial(checked, check)
    yield "limits", limits
    auto = {"train.precision": "auto"}
    yield "fast-94, seed 0", partial(trained, "fast-94", auto)
    if device.type == "cuda":
        yield "fast-94 compiled, seed 0", partial(trained, "fast-94", {**auto, "train.compile": True})
    for name in NETWORKS:
        yield f"steps: {name}", partial(steps, name)
    seeds = [(f"fast-94, seed {seed}", {**auto, "train.seed": seed}) for seed in range(1, count)]
    for title, fields in seeds[: FEW - 1]:
        yield title, partial(trained, "fast-94", fields)
    for title, (recipe, fields) in HEADLINES.items():
        yield title, partial(trained, recipe, fields)
    yield "R3: VGG-16, fine-tuned", fine_tuned
    for title, fields in seeds[FEW - 1 :]:
        yield title, partial(trained, "fast-94", fields)


def outcome(name: str, do: Item, world: World) -> dict[str, Any]:
    """Do an item: its figures and seconds, or why there are none."""
    began = time.monotonic()
    if began > world.end:
        return {"status": "no time left"}
    print(f"{(world.end - began) / 60:5.1f} minutes left: {name}", flush=True)
    try:
        result = {"status": "done", **do(world)}
    except OutOfTimeError as error:
        result = {"status": "no time left", "reason": str(error)}
    except Exception as error:  # of whatever kind: the items after it are worth their time
        traceback.print_exc()
        result = {"status": "failed", "reason": f"{type(error).__name__}: {error}"}
    return {**result, "took": time.monotonic() - began}


def checked(check: Callable[[torch.device, Path], dict[str, Any]], world: World) -> dict[str, Any]:
    with tempfile.TemporaryDirectory(dir=world.runs) as folder:
        return check(world.device, Path(folder))


def limits(world: World) -> dict[str, Any]:
    return asdict(limits_of(world.device, world.batch, world.patience))


@cache
def limits_of(device: torch.device, batch: int, patience: float) -> Limits:
    with reproducible(0, device, torch.get_num_threads()):
        return measure_limits(device, ("bf16", "fp16"), batch, patience / 10)


def steps(name: str, world: World) -> dict[str, Any]:
    """Of a network in each type, on a GPU also compiled, and of the plain loop."""
    place = gauge.Gauge(world.device, torch.get_num_threads(), gauge.in_own_process)
    best = limits_of(world.device, world.batch, world.patience).convolution
    ways = {"eager": False, **({"compiled": True} if world.device.type == "cuda" else {})}
    found = {}
    for way, is_compiled in ways.items():
        recipe = changed(RECIPES[name].recipe, {"train.compile": is_compiled}, world)
        costs = measure_steps(name, recipe, ["fp32", "bf16"], place, world.batch, world.patience)
        found[way] = shares(costs, best)
    return found


def shares(costs: StepCosts, best: dict[str, float]) -> dict[str, Any]:
    """The figures of the steps, with images per second and the share of the best convolution's speed in each type."""
    loops = {**costs.ours, "plain": costs.plain, "plain, in memory": costs.held}
    speeds = {name: costs.batch / cost.seconds for name, cost in loops.items()}
    rates = {kind: costs.rate(cost.seconds) / best[kind] for kind, cost in costs.ours.items() if kind in best}
    return {**asdict(costs), "images_per_second": speeds, "share_of_limit": rates}


def trained(name: str, fields: dict[str, Any], world: World) -> dict[str, Any]:
    """The accuracy and the times of a whole run."""
    return figures(name, fields, world, Path(tempfile.mkdtemp(dir=world.runs)) / "run")


def fine_tuned(world: World) -> dict[str, Any]:
    """R3's VGG-16: pretrained on CIFAR-100, then fine-tuned on CIFAR-10."""
    folder = Path(tempfile.mkdtemp(dir=world.runs))
    first = figures("vgg16-cifar100", {}, world, folder / "first")
    return {
        "pretraining": first,
        **figures("vgg16-finetune", {"model.pretrained": str(folder / "first")}, world, folder / "run"),
    }


def figures(name: str, fields: dict[str, Any], world: World, folder: Path) -> dict[str, Any]:
    record = run(changed(RECIPES[name].recipe, fields, world), folder, observers=[Watch(world.end)])
    seconds = [row["seconds"] for row in record.timings]
    return {"recipe": record.recipe.to_dict(), "summary": record.summary, "epoch_seconds": seconds}


def changed(recipe: Recipe, fields: dict[str, Any], world: World) -> Recipe:
    """The recipe with its own changes and those of the command line; a width only where the network has one."""
    narrow = recipe.model.name != "simple-cnn"
    given = {name: value for name, value in world.fields.items() if narrow or name != "model.width"}
    return adapt(recipe, {**given, **fields}).recipe


if __name__ == "__main__":
    try:
        main()
    except ValueError as error:
        sys.exit(f"gpu.py: {error}")
