"""What a run trains and evaluates, and how its state is kept and restored."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import nn

from assay.base.text import quoted, shorten
from assay.data.batches import EvaluationBatches, TrainBatches
from assay.data.identity import first_difference
from assay.data.load import Data
from assay.models.weights import InputForm
from assay.training.checkpoint import State, random_states, restore_random_states
from assay.training.loop import Update
from assay.training.losses import LossFunction
from assay.training.optim import restore_optimizer


@dataclass(frozen=True)
class Components:
    """What a recipe builds, ready to train.

    Attributes:
        data: the images by split.
        network: the network that is trained.
        batches: the training batches, an epoch at a time.
        splits: the batches of each split that is evaluated.
        sample: some training images as they are, in batches of the training's size.
        loss_fn: the loss that is minimised.
        update: the step from gradients to new weights.
        freeze: sets which layers learn; called at the beginning of each epoch with its number from 0.
        parameters: the number of trainable parameters, including those that are frozen for a while.
        notes: what was done with pretrained weights, in words.
        is_probe: whether the network begins as a linear probe of pretrained features.
        device: the device that holds all of this.
        pretrained_input: the input that the pretrained weights were trained on; None without such, or if not known.
        doubts: on settings that do what was hardly meant.
    """

    data: Data
    network: nn.Module
    batches: TrainBatches
    splits: Mapping[str, EvaluationBatches]
    sample: EvaluationBatches
    loss_fn: LossFunction
    update: Update
    freeze: Callable[[int], None]
    parameters: int
    notes: Sequence[str]
    device: torch.device
    pretrained_input: InputForm | None = None
    is_probe: bool = False
    doubts: Sequence[str] = ()

    @property
    def judged(self) -> nn.Module:
        """The network that is evaluated and saved: the weights' average if the recipe asks for one."""
        average = self.update.average
        return self.network if average is None else average.module

    @property
    def remarks(self) -> list[str]:
        """A line on all that was left out, on all that was done with pretrained weights, and on doubtful settings."""
        left_out = (f"left out: {error}" for error in self.data.bad)
        return [*self.data.remarks, *left_out, *self.notes, *self.doubts]

    def state(self) -> State:
        """Everything that changes during training except the position, and a description to recognise the data by."""
        return {
            "data": self._data_in_words(),
            "identity": self.data.identity,
            "preprocessing": self.data.preprocessing.to_dict(),
            "pretrained_input": self.pretrained_input.to_dict() if self.pretrained_input else None,
            "network": self.network.state_dict(),
            "optimizer": self.update.optimizer.state_dict(),
            "scheduler": self.update.scheduler.state_dict(),
            "scaler": self.update.precision.scaler.state_dict(),
            "average": self.update.average.state_dict() if self.update.average else {},
            "random": random_states(self.device),
        }

    def restore(self, state: State) -> list[str]:
        """The inverse of :meth:`state`; returns a line on what could not be compared, if there is such.

        Raises:
            ValueError: the data have changed, or the state is damaged.
        """
        if state["data"] != self._data_in_words():
            raise ValueError(
                f"the data have changed: they were {shorten(state['data'], 300)}, now {self._data_in_words()}"
            )
        before = state.get("identity")
        if before and (difference := first_difference(before, self.data.identity)):
            raise ValueError(f"the data have changed: {quoted(difference)} are not those of the checkpoint")
        try:
            self._load(state)
        except torch.OutOfMemoryError:
            raise
        except (RuntimeError, LookupError, TypeError, AttributeError, ValueError) as error:
            reason = shorten(" ".join(str(error).split()), 200)  # torch lists every tensor, over many lines
            raise ValueError(f"last.ckpt does not fit the recipe's network and optimizer ({reason})") from None
        return [] if before else ["last.ckpt is of an earlier version: only the images' numbers and mean were compared"]

    def _load(self, state: State) -> None:
        self.network.load_state_dict(state["network"])
        restore_optimizer(self.update.optimizer, state["optimizer"])
        self.update.scheduler.load_state_dict(state["scheduler"])
        # The schedule may be longer now than when the checkpoint was written: it alone sets the rates.
        scheduler = self.update.scheduler
        bases_and_factors = zip(scheduler.base_lrs, scheduler.lr_lambdas, strict=True)
        for group, (base, factor) in zip(scheduler.optimizer.param_groups, bases_and_factors, strict=True):
            group["lr"] = base * factor(scheduler.last_epoch)
        self.update.precision.scaler.load_state_dict(state["scaler"])
        if self.update.average is not None:
            self.update.average.load_state_dict(state["average"])
        restore_random_states(state["random"], self.device)

    def _data_in_words(self) -> str:
        counts = ", ".join(f"{len(split)} {name}" for name, split in self.data.splits.items())
        mean = ", ".join(f"{value:.6f}" for value in self.data.preprocessing.mean)
        return f"{counts} images in {len(self.data.classes)} classes, train mean {mean}"
