"""What the log for TensorBoard costs in an epoch of ResNet-18 on CIFAR-10.

python benchmarks/tracking.py                  two epochs of 2,048 images; the second one counts
python benchmarks/tracking.py --images 49000   a whole epoch, measured and not reckoned

One run is made as `assay train resnet18-cifar` makes it, with 1,000 held-out images, whose mistakes are drawn. A clock
runs whenever the log has been called and has not returned. Nearly all of its work is done once for each epoch and
costs the same however many images that has, so a whole epoch's share is reckoned from a short one: the steps are
multiplied, evaluation and log are not (but for what each step adds to the log). Nothing else should run meanwhile.
"""

from __future__ import annotations

import argparse
import contextlib
import time
from collections import defaultdict
from collections.abc import Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from unittest import mock

import torch

import assay.run.run
from assay.recipe.named import RECIPES
from assay.run.observer import Observer
from assay.run.tracking import tensorboard
from assay.run.tracking.tensorboard import TensorBoard

HELD_OUT = 0.02
WHOLE = 49_000  # what is left to train on


def main() -> None:
    options = parse()
    changes = {
        "data.held_out": HELD_OUT,
        "data.train_images": options.images,
        "train.epochs": 2,
        "train.batch_size": options.batch_size,
        "train.device": options.device,
        "model.width": options.width,
    }
    recipe = RECIPES["resnet18-cifar"].recipe.but(changes)
    watch = Watch()
    timed = mock.patch.object(tensorboard, "TensorBoard", watch.open)
    with timed, TemporaryDirectory() as folder, contextlib.suppress(EnoughError):
        assay.run.run.run(recipe, Path(folder) / "run", observers=[watch])
    batch = recipe.train.batch_size
    steps = options.images // batch
    report(watch, steps, WHOLE // batch)


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--images", type=int, default=2048, help="training images of an epoch, at most 49,000")
    parser.add_argument("--batch-size", type=int, default=256)
    parser.add_argument("--width", type=float, default=1.0, help="of the network")
    parser.add_argument("--device", default="auto")
    return parser.parse_args()


class EnoughError(Exception):
    """The epochs to be timed are done."""


class Watch(Observer):
    """Times the second epoch, and every call of its log by name."""

    def __init__(self) -> None:
        self.epochs = 0
        self.calls: dict[str, list[float]] = defaultdict(list)

    def open(self, *arguments: Any, **options: Any) -> Timed:
        return Timed(TensorBoard(*arguments, **options), self)

    def epoch(self, row: object, timing: Mapping[str, float], evaluations: object) -> None:  # noqa: ARG002
        self.epochs += 1
        if self.epochs == 2:
            self.seconds, self.training = time.perf_counter() - self.began, timing["seconds"]
            raise EnoughError
        self.calls.clear()
        self.began = time.perf_counter()


class Timed:
    """A log whose calls are timed; what the device still has to do of the steps before does not count."""

    def __init__(self, log: TensorBoard, watch: Watch) -> None:
        self._log, self._watch = log, watch

    def __getattr__(self, name: str) -> Any:
        method = getattr(self._log, name)
        if not callable(method):
            return method

        def timed(*arguments: Any, **options: Any) -> Any:
            if torch.cuda.is_available():
                torch.cuda.synchronize()
            began = time.perf_counter()
            try:
                return method(*arguments, **options)
            finally:
                self._watch.calls[name].append(time.perf_counter() - began)

        return timed


def report(watch: Watch, steps: int, whole: int) -> None:
    *plain, last = watch.calls["step"]  # the last one looks into the network
    logging = sum(sum(seconds) for seconds in watch.calls.values())
    per_step = sum(plain) / len(plain)
    rest, training = watch.seconds - logging, watch.training - last - sum(plain)
    print(f"{steps} steps and evaluation: {rest:.2f} s, and {logging:.3f} s of log, {logging / rest:.2%}")
    print(f"  histograms and kernels {last:.3f} s, figures and mistakes {sum(watch.calls['epoch']):.3f} s")
    print(f"  each step {1000 * per_step:.3f} ms")
    epoch, log = rest - training + training * whole / steps, logging + per_step * (whole - steps)
    print(f"an epoch of {whole} steps: about {epoch:.0f} s, and {log:.3f} s of log, {log / epoch:.3%}")


if __name__ == "__main__":
    main()
