"""The training loop."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from torch import Tensor, nn
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LRScheduler

LossFunction = Callable[[Tensor, Tensor], Tensor]


@dataclass(frozen=True)
class Step:
    """What one step gave. The tensors stay on the device, so that no step waits for another."""

    loss: Tensor
    """mean over the batch, before the update"""
    correct: Tensor
    """number of images whose highest score was their label's"""
    images: int
    """size of the batch"""


def train_epoch(
    model: nn.Module,
    batches: Iterable[tuple[Tensor, Tensor]],
    optimizer: Optimizer,
    scheduler: LRScheduler,
    loss_fn: LossFunction,
) -> Iterator[Step]:
    """Train on each batch in turn.

    When a step is yielded the weights and the learning rate are updated already, while ``.grad``
    is still that of the step.
    """
    model.train()
    for images, labels in batches:
        scores = model(images)
        loss = loss_fn(scores, labels)
        optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        scheduler.step()
        yield Step(loss.detach(), (scores.detach().argmax(1) == labels).sum(), len(labels))
