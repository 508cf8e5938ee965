"""The time of a step: assay's, and that of the loop that tutorials show."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
from torch import Tensor

from assay.classifier.classifier import build_network
from assay.data.dataset import MemoryDataset
from assay.data.load import Data
from assay.data.preprocess import Preprocessing
from assay.models.cost import count_flops
from assay.recipe.recipe import Recipe
from assay.run.adapt import adapt
from assay.run.benchmark.gauge import Cost, Gauge
from assay.run.benchmark.limits import best_seconds, waited
from assay.run.benchmark.plain import held_batches, loaded_batches, train_plainly
from assay.run.build import architecture, build
from assay.run.components import Components
from assay.training.loop import train_epoch
from assay.training.transfer import train_what_learns

_CLASSES = tuple(map(str, range(10)))
_SIDE, _BATCHES = 32, 4
_WINDOW = 4  # steps that are timed together: two workers deliver their batches by twos
_FORM = Preprocessing(3, _SIDE, _SIDE, (0.5, 0.5, 0.5), (0.25, 0.25, 0.25))
_ALIKE = {"optim.name": "sgd", "optim.momentum": 0.9, "train.small_size": None, "data.held_out": 0}
"""what is changed, so that all loops take the same steps on images of the same size"""


@dataclass(frozen=True)
class StepCosts:
    """What a network's steps take.

    Attributes:
        recipe: its name.
        batch: images of a step.
        operations: floating-point operations of a step: three times those of the forward pass.
        ours: of assay's steps, with the making of their batches, by ``train.precision``.
        plain: of the plain loop in float32.
        held: of the same loop on images that it holds in memory, not augmented.
        parts: seconds of the parts of assay's step in float32, each measured by itself: ``batch``, ``forward`` (with
            the loss), ``backward`` and ``update``.
    """

    recipe: str
    batch: int
    operations: float
    ours: dict[str, Cost]
    plain: Cost
    held: Cost
    parts: dict[str, float]

    def rate(self, seconds: float) -> float:
        """GFLOP/s of steps that take so long."""
        return self.operations / seconds / 1e9


def measure_steps(name: str, recipe: Recipe, types: list[str], gauge: Gauge, batch: int, patience: float) -> StepCosts:
    """Measure steps of a recipe on noise in the place of its images, and those of the plain loop on the same network.

    Args:
        name: of the recipe.
        recipe: whose network and augmentation are used, with SGD with momentum, as in the plain loop; images are
            32x32 in 10 classes.
        types: of assay's steps, as in ``train.precision``.
        gauge: measures.
        batch: images of a step.
        patience: seconds for each loop.
    """
    wanted = adapt(recipe, {**_ALIKE, "train.batch_size": batch, "train.select": "last"}).recipe
    network = build_network(architecture(wanted), _CLASSES, _FORM)
    flops = count_flops(network.eval(), 3, _SIDE, torch.device("cpu"))
    form, where = (architecture(wanted), batch), (gauge.device, patience)
    ours = {
        kind: gauge.ours(partial(_our_seconds, wanted.but({"train.precision": kind}), batch, *where)) for kind in types
    }
    plain, held = (gauge.others(partial(_plain_seconds, *form, is_held, *where)) for is_held in (False, True))
    parts = gauge.found_by_ours(partial(_parts, wanted.but({"train.precision": "fp32"}), batch, *where))
    return StepCosts(name, batch, 3.0 * batch * flops, ours, plain, held, parts)


def noise(images: int, device: torch.device) -> Data:
    """So many random images for training on a device, and a few for the test."""
    generator = torch.Generator().manual_seed(0)

    def some(count: int) -> MemoryDataset:
        pixels = torch.randint(0, 256, (count, 3, _SIDE, _SIDE), generator=generator, dtype=torch.uint8)
        labels = torch.arange(count) % len(_CLASSES)
        return MemoryDataset(pixels.to(device), labels.to(device), [str(row) for row in range(count)])

    return Data({"train": some(images), "test": some(len(_CLASSES))}, _CLASSES, _FORM)


def _our_seconds(recipe: Recipe, batch: int, device: torch.device, patience: float) -> float:
    steps = our_steps(recipe, noise(batch * _BATCHES, device), device)
    return best_seconds(lambda: [next(steps) for _ in range(_WINDOW)][-1].item(), patience) / _WINDOW


def our_steps(recipe: Recipe, data: Data, device: torch.device) -> Iterator[Tensor]:
    """Take a recipe's steps on these images without end; yield the loss of each, which waits for nothing."""
    components = build(recipe, device, open_images=lambda *_: data)
    components.freeze(0)
    network, batches = components.network, _endless(components)
    for step in train_epoch(network, batches, components.update, components.loss_fn, set_mode=train_what_learns):
        yield step.loss


def _endless(components: Components) -> Iterator[tuple[Tensor, Tensor]]:
    return itertools.chain.from_iterable(map(components.batches.epoch, itertools.count()))


def _parts(recipe: Recipe, batch: int, device: torch.device, patience: float) -> dict[str, float]:
    data = noise(batch * _BATCHES, device)
    components = build(recipe, device, open_images=lambda *_: data)
    components.freeze(0)
    train_what_learns(components.network)
    batches, update = _endless(components), components.update
    images, targets = next(batches)

    def loss() -> Tensor:
        update.optimizer.zero_grad()
        with update.precision.autocast():
            return components.loss_fn(components.network(images).float(), targets, images)

    def seconds(do: Callable[[], object]) -> float:
        return best_seconds(lambda: waited(device, do()), patience / 4)

    forward = seconds(loss)
    both = seconds(lambda: loss().backward())  # type: ignore[no-untyped-call]
    return {
        "batch": seconds(lambda: next(batches)),
        "forward": forward,
        "backward": max(0.0, both - forward),
        "update": seconds(lambda: update(components.network)),
    }


def _plain_seconds(form: dict[str, Any], batch: int, is_held: bool, device: torch.device, patience: float) -> float:
    train = noise(batch * _BATCHES, torch.device("cpu")).splits["train"]
    images = next(iter(train.read([torch.arange(len(train))])))
    batches = (
        held_batches(images, train.labels, batch, device) if is_held else loaded_batches(images, train.labels, batch)
    )
    steps = train_plainly(build_network(form, _CLASSES, _FORM), batches, device)
    return best_seconds(lambda: [next(steps) for _ in range(_WINDOW)], patience) / _WINDOW
