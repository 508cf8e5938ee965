"""From a recipe to the parts of a run: the one file that opens every section and wires what it names."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

from assay.classifier import build_network
from assay.data.augment import build_augmentations
from assay.data.batches import EvaluationBatches, TrainBatches
from assay.data.load import Cut, Data, Storage, load_data
from assay.data.preprocess import Normalize
from assay.data.sources import load_source
from assay.evaluation import BATCH_SIZE
from assay.recipe import Recipe
from assay.sections import DataSection
from assay.teacher import find_teacher
from assay.training.average import average_of
from assay.training.checkpoint import State, random_states, restore_random_states
from assay.training.loop import Update
from assay.training.losses import LossFunction, build_loss
from assay.training.optim import build_optimizer, parameter_groups
from assay.training.precision import Precision
from assay.training.schedule import Schedule, attach, build_schedule


@dataclass(frozen=True)
class Parts:
    """A recipe's parts, ready to use."""

    data: Data
    network: nn.Module
    batches: TrainBatches
    splits: dict[str, EvaluationBatches]
    loss_fn: LossFunction
    update: Update
    device: torch.device

    @property
    def judged(self) -> nn.Module:
        """The network that is measured and kept: the average where there is one."""
        average = self.update.average
        return self.network if average is None else average.module

    def state(self) -> State:
        """Everything that changes during training, but the position; and by what to know the data again."""
        return {
            "data": self._data_in_words(),
            "network": self.network.state_dict(),
            "optimizer": self.update.optimizer.state_dict(),
            "scheduler": self.update.scheduler.state_dict(),
            "scaler": self.update.precision.scaler.state_dict(),
            "average": self.update.average.state_dict() if self.update.average else {},
            "random": random_states(self.device),
        }

    def restore(self, state: State) -> None:
        """The inverse of :meth:`state`; raises ``ValueError`` where the data are not the same any more."""
        if state["data"] != self._data_in_words():
            raise ValueError(f"the data have changed: they were {state['data']}, now {self._data_in_words()}")
        self.network.load_state_dict(state["network"])
        self.update.optimizer.load_state_dict(state["optimizer"])
        self.update.scheduler.load_state_dict(state["scheduler"])
        self.update.precision.scaler.load_state_dict(state["scaler"])
        if self.update.average is not None:
            self.update.average.load_state_dict(state["average"])
        restore_random_states(state["random"], self.device)

    def _data_in_words(self) -> str:
        counts = ", ".join(f"{len(split)} {name}" for name, split in self.data.splits.items())
        mean = ", ".join(f"{value:.6f}" for value in self.data.preprocessing.mean)
        return f"{counts} images in {len(self.data.classes)} classes, train mean {mean}"


def wire(recipe: Recipe, device: torch.device) -> Parts:
    """Build everything that the recipe names; raises ``ValueError`` for what does not exist or fit."""
    data = _load(recipe.data, device)
    network = build_network(architecture(recipe), data.classes, data.preprocessing)
    layout = torch.channels_last if recipe.train.channels_last else torch.contiguous_format
    network = network.to(device).to(memory_format=layout)
    normalize = Normalize(data.preprocessing, device, layout)
    batches = TrainBatches(
        data.splits["train"],
        recipe.train.batch_size,
        normalize,
        augmentations=build_augmentations(**recipe.augment.model_dump()),
        seed=recipe.train.seed,
        device=device,
    )
    splits = {
        name: EvaluationBatches(split, BATCH_SIZE, normalize) for name, split in data.splits.items() if len(split)
    }
    update = _update(recipe, network, len(batches), device)
    if recipe.train.compile:
        network.compile()
    return Parts(data, network, batches, splits, _loss(recipe, data, device), update, device)


def _update(recipe: Recipe, network: nn.Module, steps_per_epoch: int, device: torch.device) -> Update:
    """The optimizer over the network's parameters, with its schedule, precision and average."""
    chosen, rate = recipe.optim, _top_rate(recipe)
    groups = parameter_groups(network, lr=rate, weight_decay=chosen.weight_decay, decay=chosen.decay)
    options = chosen.model_dump(exclude={"lr", "lr_batch", "decay", "clip"})
    optimizer = build_optimizer(groups=groups, lr=rate, **options)
    scheduler = attach(_schedule(recipe), optimizer, steps_per_epoch=steps_per_epoch, update=recipe.schedule.update)
    precision = Precision.named(recipe.train.precision, device)
    return Update(optimizer, scheduler, precision, chosen.clip, average_of(network, recipe.train.ema))


def learning_rate(recipe: Recipe) -> Callable[[float], float]:
    """The learning rate as a function of progress, in epochs; raises ``ValueError`` for a schedule that cannot be."""
    schedule, rate = _schedule(recipe), _top_rate(recipe)
    return lambda epoch: rate * schedule(epoch)


def _schedule(recipe: Recipe) -> Schedule:
    return build_schedule(epochs=recipe.train.epochs, **recipe.schedule.model_dump(exclude={"update"}))


def _top_rate(recipe: Recipe) -> float:
    """The rate at the schedule's factor 1, scaled with the batch where that is asked for (Goyal et al. 2017, 2.1)."""
    meant_for = recipe.optim.lr_batch or recipe.train.batch_size
    return recipe.optim.lr * recipe.train.batch_size / meant_for


def _loss(recipe: Recipe, data: Data, device: torch.device) -> LossFunction:
    """The loss, with the teacher ready on the device."""
    chosen = recipe.loss.model_dump(exclude={"teacher"})
    name = recipe.loss.teacher
    return build_loss(teacher=find_teacher(name, data.classes, data.preprocessing, device) if name else None, **chosen)


def _load(section: DataSection, device: torch.device) -> Data:
    source = load_source(section.name, root=section.root, label=section.label)
    return load_data(
        source,
        size=section.size,
        cut=Cut(section.held_out, section.test, section.split_seed),
        storage=Storage(device, section.memory, section.workers),
        on_bad_image=section.on_bad_image,
    )


def architecture(recipe: Recipe) -> dict[str, Any]:
    """The name and the given options of the network, as the model file holds them."""
    return recipe.model.model_dump(exclude_none=True)
