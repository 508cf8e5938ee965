"""Images per second of `assay train` against the plain loop of tutorials, in turn, in one process.

python benchmarks/throughput.py simple-cnn           one epoch of CIFAR-10, three times each
python benchmarks/throughput.py resnet18 --rounds 1  the same with a 3x3 stem and no pooling

CIFAR-10 is found as `assay train --data.name cifar10` finds it. Nothing else should run meanwhile.
Both train the same network on the same images with crop and flip, SGD with momentum, batches of 128.
"""

from __future__ import annotations

import argparse
import contextlib
import statistics
import time
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import torch

from assay.data.dataset import MemoryDataset
from assay.models import build_model
from assay.recipe.named import RECIPES
from assay.recipe.recipe import Recipe
from assay.run.build import build
from assay.run.observer import Observer
from assay.run.run import run
from plain import plain_epoch

MODELS = {"simple-cnn": "simple-cnn-augment", "resnet18": "resnet18-cifar"}


def main() -> None:
    options = parse()
    base = RECIPES[MODELS[options.model]].recipe
    changes = {
        "augment.crop": 4,
        "train.epochs": 1,
        "train.batch_size": options.batch_size,
        "data.held_out": 0,
        "train.select": "last",
        "schedule.warmup": 0,  # those of the recipe are longer than the one epoch
    }
    recipe = base.but({**changes, "train.compile": options.compile, "train.channels_last": not options.contiguous})
    pixels, labels = images(recipe)
    steps = options.steps or len(labels) // recipe.train.batch_size
    print(f"{options.model}, {steps} steps of {recipe.train.batch_size}, {torch.get_num_threads()} threads")
    rows = [(plain(recipe, pixels, labels, steps), ours(recipe, steps)) for _ in range(options.rounds)]
    for one, other in rows:
        print(f"  plain {one:8,.1f}   assay {other:8,.1f}   ratio {other / one:.2f}")
    ratio = statistics.median(other / one for one, other in rows)
    print(f"median ratio {ratio:.2f}")


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("model", choices=MODELS)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--steps", type=int, help="steps of each round (default: a whole epoch)")
    parser.add_argument("--batch-size", type=int, default=128)
    parser.add_argument("--compile", action="store_true", help="with train.compile")
    parser.add_argument("--contiguous", action="store_true", help="without channels_last")
    return parser.parse_args()


def images(recipe: Recipe) -> tuple[np.ndarray, list[int]]:
    """The training images as the plain loop wants them: uint8 [N, H, W, C], and labels."""
    dataset = build(recipe, torch.device("cpu")).batches.dataset
    assert isinstance(dataset, MemoryDataset)
    return dataset.images.permute(0, 2, 3, 1).contiguous().numpy(), dataset.labels.tolist()


def plain(recipe: Recipe, pixels: np.ndarray, labels: list[int], steps: int) -> float:
    options = recipe.model.model_dump(exclude_none=True)
    model = build_model(**options, classes=10, channels=3, image_size=32)
    augment = recipe.augment
    return plain_epoch(
        model,
        pixels,
        labels,
        batch_size=recipe.train.batch_size,
        crop=augment.crop,
        flip=augment.flip,
        lr=recipe.optim.lr / 10,
        steps=steps,
    )


class EnoughError(Exception):
    """The steps to be timed are done."""


class StopWatch(Observer):
    """Ends a run after some steps and keeps the time of those; compiling is not counted."""

    def __init__(self, steps: int) -> None:
        self.steps, self.done = steps, 0

    def start(self, *, epochs: int, steps: int, done: int) -> None:  # noqa: ARG002
        self.began = time.perf_counter()

    def step(self, step: object) -> None:  # noqa: ARG002
        self.done += 1
        if self.done == self.steps:
            self.seconds = time.perf_counter() - self.began
            raise EnoughError


def ours(recipe: Recipe, steps: int) -> float:
    """Images per second of a real run, from the first step to the last."""
    watch = StopWatch(steps)
    with TemporaryDirectory() as folder, contextlib.suppress(EnoughError):
        run(recipe, Path(folder) / "run", observers=[watch])
    return steps * recipe.train.batch_size / watch.seconds


if __name__ == "__main__":
    main()
