"""The training loop."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LambdaLR

from assay.training.average import Average
from assay.training.losses import LossFunction
from assay.training.precision import Precision, at_least_float32
from assay.training.sharing import Sharing


@dataclass(frozen=True)
class Step:
    """The figures of one step. The tensors stay on the device, so that no step waits for another."""

    loss: Tensor
    """mean over the batch, before the update"""
    correct: Tensor
    """number of images whose highest score was their label's (under soft targets, their main label's)"""
    images: int
    """size of the batch, the shares of all processes together"""


@dataclass(frozen=True)
class Update:
    """From gradients to new weights.

    Attributes:
        optimizer: changes the weights.
        scheduler: changes the learning rate; stepped after every step.
        precision: scales the loss.
        clip: largest l2 norm of the whole gradient, or None.
        average: weights that follow those of the network, or None.
    """

    optimizer: Optimizer
    scheduler: LambdaLR
    precision: Precision
    clip: float | None = None
    average: Average | None = None

    def __call__(self, model: nn.Module) -> None:
        """Take one step along the gradients that ``backward`` has left."""
        scaler = self.precision.scaler
        if self.clip is not None:
            scaler.unscale_(self.optimizer)  # the limit is meant for the true gradients
            nn.utils.clip_grad_norm_(model.parameters(), self.clip)
        scaler.step(self.optimizer)
        scaler.update()
        self.scheduler.step()
        if self.average is not None:
            self.average.update_parameters(model)


def train_epoch(
    model: nn.Module,
    batches: Iterable[tuple[Tensor, Tensor]],
    update: Update,
    loss_fn: LossFunction,
    *,
    microbatches: int = 1,
    set_mode: Callable[[nn.Module], object] = nn.Module.train,
    sharing: Sharing = Sharing(),  # noqa: B008 - a constant
) -> Iterator[Step]:
    """Train on each batch in turn.

    When a step is yielded, the weights and the learning rate are updated already, and ``.grad`` is still the step's.

    Args:
        model: maps images to scores.
        batches: images and targets.
        update: from gradients to new weights.
        loss_fn: of scores, targets and images.
        microbatches: how many parts a batch is computed in, to save memory. Their gradients add up to that of
            the batch's mean loss; batch norm sees each microbatch on its own.
        set_mode: puts the model into training mode.
        sharing: how processes share each step; ``batches`` are then this process's shares, with as many of each part's
            images.
    """
    set_mode(model)
    for images, targets in batches:
        whole = sharing.batch_size or len(images)
        update.optimizer.zero_grad()
        losses, correct = [], []
        for part, wanted in zip(images.chunk(microbatches), targets.chunk(microbatches), strict=True):
            with update.precision.autocast(), sharing.norms():
                scores = at_least_float32(model(part))
                loss = loss_fn(scores, wanted, part) * (len(part) / whole)
            update.precision.scaler.scale(loss).backward()  # type: ignore[no-untyped-call]
            losses.append(loss.detach())
            labels = wanted if wanted.ndim == 1 else wanted.argmax(1)
            correct.append((scores.detach().argmax(1) == labels).sum())
        step = Step(torch.stack(losses).sum(), torch.stack(correct).sum(), whole)
        sharing.add_up(model, step.loss, step.correct, len(images) / whole)
        update(model)
        yield step
