"""The loss's surface along the gradient, at the weights and the batch of one step."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.func import functional_call

from assay.models.structure import final_layers, is_within
from assay.training.checkpoint import random_states, restore_random_states
from assay.training.losses import LossFunction

STEP_SIZES = (0.05, 0.1, 0.2, 0.4)
"""from half to four times a rate of 0.1, which is usual for plain SGD"""


@dataclass(frozen=True)
class Surface:
    """The loss and its gradient along the gradient g from weights w: at ``w - s g`` for each of S step sizes s.

    Santurkar et al. 2018, "How Does Batch Normalization Help Optimization?", section 3.1 and figure 4: the range of
    ``losses`` is the variation of the loss, that of ``changes`` the predictiveness of the gradient, and the
    largest of ``changes / distances`` the effective beta-smoothness.

    Attributes:
        loss: at w, a scalar.
        distances: l2 length of each move, ``s |g|``, ``[S]``.
        losses: after each move, ``[S]``.
        changes: l2 norm of the gradient's change over all learned parameters, ``[S]``.
        output_changes: the same over the parameters of the output layer alone, after the same moves, ``[S]``.
    """

    loss: Tensor
    distances: Tensor
    losses: Tensor
    changes: Tensor
    output_changes: Tensor


def output_parameters(network: nn.Module) -> list[str]:
    """Return the names of the learned parameters of the layer that gives the scores."""
    layers = final_layers(network)
    return [name for name, value in network.named_parameters() if value.requires_grad and is_within(name, layers)]


def look_along_gradient(
    network: nn.Module,
    loss_fn: LossFunction,
    images: Tensor,
    targets: Tensor,
    step_sizes: Sequence[float] = STEP_SIZES,
) -> Surface:
    """Move against the gradient by several distances, and measure loss and gradient there.

    Nothing changes: not the weights, their ``.grad``, the statistics of norms, or the state of the random
    generators. Each point sees the same random draws (dropout). Everything is computed in the weights' own precision.

    Args:
        network: in training or evaluation mode, as it shall be measured.
        loss_fn: of scores, targets and images.
        images: a batch.
        targets: its labels, or soft targets.
        step_sizes: multiples of the gradient, above 0.
    """
    learned = {name: value.detach() for name, value in network.named_parameters() if value.requires_grad}
    output = output_parameters(network)
    with _same_draws(images.device) as restart:

        def measure(weights: Mapping[str, Tensor]) -> tuple[Tensor, dict[str, Tensor]]:
            restart()
            return _loss_and_gradient(network, weights, lambda scores: loss_fn(scores, targets, images), images)

        loss, gradient = measure(learned)
        length = _norm(gradient.values())
        losses, changes, output_changes = [], [], []
        for size in step_sizes:
            moved, there = measure({name: value - size * gradient[name] for name, value in learned.items()})
            difference = {name: there[name] - value for name, value in gradient.items()}
            losses.append(moved)
            changes.append(_norm(difference.values()))
            output_changes.append(_norm(difference[name] for name in output))
    # Tensors up to here and no numbers: reading one would wait for the device.
    distances = length * torch.tensor(step_sizes, dtype=length.dtype, device=length.device)
    return Surface(loss, distances, torch.stack(losses), torch.stack(changes), torch.stack(output_changes))


def _loss_and_gradient(
    network: nn.Module, weights: Mapping[str, Tensor], loss_of: Callable[[Tensor], Tensor], images: Tensor
) -> tuple[Tensor, dict[str, Tensor]]:
    """Compute both at other weights, on copies of the buffers, because norms change these in training mode."""
    point = {name: value.detach().requires_grad_() for name, value in weights.items()}
    buffers = {name: value.clone() for name, value in network.named_buffers()}
    loss = loss_of(functional_call(network, {**point, **buffers}, (images,)))
    return loss.detach(), dict(
        zip(point, torch.autograd.grad(loss, list(point.values()), materialize_grads=True), strict=True)
    )


def _norm(tensors: Iterable[Tensor]) -> Tensor:
    norm: Tensor = torch.linalg.vector_norm(torch.stack([torch.linalg.vector_norm(tensor) for tensor in tensors]))
    return norm


@contextmanager
def _same_draws(device: torch.device) -> Iterator[Callable[[], None]]:
    """Give a function that resets the random generators to their present state, in which they are also left."""
    before = random_states(device)
    try:
        yield lambda: restore_random_states(before, device)
    finally:
        restore_random_states(before, device)
