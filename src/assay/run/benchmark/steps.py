"""The time of a step: assay's, and that of the loop that tutorials show."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial

import torch
from torch import nn

from assay.classifier.classifier import build_network
from assay.data.dataset import MemoryDataset
from assay.data.load import Data
from assay.data.preprocess import Preprocessing
from assay.models.cost import count_flops
from assay.recipe.recipe import Recipe
from assay.run.adapt import adapt
from assay.run.benchmark.limits import best_seconds
from assay.run.build import Components, architecture, build
from assay.training.loop import train_epoch
from assay.training.transfer import train_what_learns

_CLASSES = tuple(map(str, range(10)))
_SIDE, _BATCHES = 32, 4
_FORM = Preprocessing(3, _SIDE, _SIDE, (0.5, 0.5, 0.5), (0.25, 0.25, 0.25))
_ALIKE = {"optim.name": "sgd", "optim.momentum": 0.9, "train.small_size": None, "data.held_out": 0}
"""what is changed, so that both loops take the same steps on the same images"""


@dataclass(frozen=True)
class StepTimes:
    """How long a network's steps take.

    Attributes:
        recipe: its name.
        batch: images of a step.
        operations: floating-point operations of a step: three times those of the forward pass.
        seconds: of a step of assay's, with the making of its batch.
        plain: of a step of the plain loop, in float32.
    """

    recipe: str
    batch: int
    operations: float
    seconds: float
    plain: float

    @property
    def rate(self) -> float:
        """GFLOP/s of assay's steps."""
        return self.operations / self.seconds / 1e9


def time_steps(name: str, recipe: Recipe, device: torch.device, batch: int, patience: float) -> StepTimes:
    """Time steps of a recipe on noise in the place of its images, and those of the plain loop on the same network.

    Args:
        name: of the recipe.
        recipe: whose network, augmentation and precision are used, with SGD with momentum, as in the plain loop;
            images are 32x32 in 10 classes.
        device: with its number of threads set.
        batch: images of a step.
        patience: seconds for each of the two.
    """
    wanted = adapt(recipe, {**_ALIKE, "train.batch_size": batch, "train.select": "last"}).recipe
    data = noise(batch * _BATCHES)
    components = build(wanted, device, open_images=lambda _section, _device, _wanted: data)
    flops = count_flops(components.network.eval(), 3, _SIDE, device)
    ours = best_seconds(partial(next, _steps(components)), patience)
    network = build_network(architecture(wanted), _CLASSES, _FORM).to(device)
    plain = best_seconds(_plain_step(network, data, batch, device), patience)
    return StepTimes(name, batch, 3.0 * batch * flops, ours, plain)


def noise(images: int) -> Data:
    """So many random images for training, and a few for the test."""
    generator = torch.Generator().manual_seed(0)

    def some(count: int) -> MemoryDataset:
        pixels = torch.randint(0, 256, (count, 3, _SIDE, _SIDE), generator=generator, dtype=torch.uint8)
        return MemoryDataset(pixels, torch.arange(count) % len(_CLASSES), [str(row) for row in range(count)])

    return Data({"train": some(images), "test": some(len(_CLASSES))}, _CLASSES, _FORM)


def _steps(components: Components) -> Iterator[float]:
    """Take steps without end; each ends when its loss is known."""
    components.freeze(0)
    endless = (batch for epoch in itertools.count() for batch in components.batches.epoch(epoch))
    for step in train_epoch(
        components.network, endless, components.update, components.loss_fn, set_mode=train_what_learns
    ):
        yield step.loss.item()


def _plain_step(network: nn.Module, data: Data, batch: int, device: torch.device) -> Callable[[], float]:
    """A step of the plain loop, with its images in memory: no augmentation, and torch's own memory layout."""
    train = data.splits["train"]
    images = next(iter(train.read([torch.arange(len(train))]))).to(device) / 127.5 - 1
    labels = train.labels.to(device)
    optimizer = torch.optim.SGD(network.train().parameters(), lr=0.01, momentum=0.9, weight_decay=5e-4)

    def step() -> float:
        rows = torch.randint(len(labels), (batch,), device=device)
        optimizer.zero_grad()
        loss = nn.functional.cross_entropy(network(images[rows]), labels[rows])
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        return loss.item()

    return step
