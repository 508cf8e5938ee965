"""The loss's surface along the gradient, at the weights and the batch of one step."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.func import functional_call

from assay.models.structure import final_layers, is_within
from assay.training.checkpoint import State, random_states, restore_random_states
from assay.training.losses import LossFunction

MULTIPLES = (0.5, 1.0, 2.0, 4.0)
"""of the step that the network trains with: the range of Santurkar et al. 2018, appendix A.2.2"""


@dataclass(frozen=True)
class Surface:
    """The loss and its gradient along the gradient g from weights w, at each of S distances.

    Santurkar et al. 2018, "How Does Batch Normalization Help Optimization?", section 3.1 and figure 4: the range of
    ``losses`` is the variation of the loss, that of ``changes`` the predictiveness of the gradient, and the
    largest of ``changes / distances`` the effective beta-smoothness. Norms change the weights' scale and so the size
    of every gradient; ``changes / gradient`` and ``cosines`` do not depend on it.

    Attributes:
        loss: at w, a scalar.
        gradient: l2 norm of g, a scalar.
        distances: l2 length of each move, ``[S]``.
        losses: after each move, ``[S]``.
        changes: l2 norm of the gradient's change over all learned parameters, ``[S]``.
        output_changes: the same over the parameters of the output layer alone, after the same moves, ``[S]``.
        cosines: of the angle between g and the gradient there, ``[S]``; nan where either is 0.
    """

    loss: Tensor
    gradient: Tensor
    distances: Tensor
    losses: Tensor
    changes: Tensor
    output_changes: Tensor
    cosines: Tensor


@dataclass(frozen=True)
class Place:
    """Where a look begins: the weights that are learned, by name, and the state of the random generators."""

    weights: Mapping[str, Tensor]
    draws: State

    @classmethod
    def of(cls, network: nn.Module, device: torch.device) -> Place:
        """Copy a network's present weights and the present state."""
        return cls({name: value.clone() for name, value in _learned(network).items()}, random_states(device))

    def distance_to(self, network: nn.Module) -> Tensor:
        """The l2 distance from here to a network's present weights."""
        now = _learned(network)
        return _norm(now[name] - value for name, value in self.weights.items())


def output_parameters(network: nn.Module) -> list[str]:
    """Return the names of the learned parameters of the layer that gives the scores."""
    layers = final_layers(network)
    return [name for name, value in network.named_parameters() if value.requires_grad and is_within(name, layers)]


def look_along_gradient(
    network: nn.Module,
    loss_fn: LossFunction,
    images: Tensor,
    targets: Tensor,
    multiples: Sequence[float] = MULTIPLES,
    *,
    step: Tensor | None = None,
    place: Place | None = None,
) -> Surface:
    """Move against the gradient by several distances, and measure loss and gradient there.

    Nothing changes: not the weights, their ``.grad``, the statistics of norms, or the state of the random
    generators. Each point sees the same random draws (dropout). Everything is computed in the weights' own precision.

    Args:
        network: in training or evaluation mode, as it shall be measured.
        loss_fn: of scores, targets and images.
        images: a batch.
        targets: its labels, or soft targets.
        multiples: the distances, above 0, in ``step``.
        step: l2 length of the step that the network trains with; by default that of the gradient.
        place: where to begin; by default where the network is.
    """
    place = place or Place(_learned(network), random_states(images.device))
    learned, output = place.weights, output_parameters(network)
    with _same_draws(place.draws, images.device) as restart:

        def measure(weights: Mapping[str, Tensor]) -> tuple[Tensor, dict[str, Tensor]]:
            restart()
            return _loss_and_gradient(network, weights, lambda scores: loss_fn(scores, targets, images), images)

        loss, gradient = measure(learned)
        length = _norm(gradient.values())
        sizes = torch.tensor(multiples, dtype=length.dtype, device=length.device)
        if step is not None:  # at a gradient of 0 there is no direction to move in
            sizes = sizes * torch.where(length > 0, step / length, 0.0)
        losses, changes, output_changes, cosines = [], [], [], []
        for size in sizes:
            moved, there = measure({name: value - size * gradient[name] for name, value in learned.items()})
            difference = {name: there[name] - value for name, value in gradient.items()}
            losses.append(moved)
            changes.append(_norm(difference.values()))
            output_changes.append(_norm(difference[name] for name in output))
            product = torch.stack([(there[name] * value).sum() for name, value in gradient.items()]).sum()
            cosines.append(product / (length * _norm(there.values())))
    # Tensors up to here and no numbers: reading one would wait for the device.
    columns = (torch.stack(column) for column in (losses, changes, output_changes, cosines))
    return Surface(loss, length, length * sizes, *columns)


def _learned(network: nn.Module) -> dict[str, Tensor]:
    return {name: value.detach() for name, value in network.named_parameters() if value.requires_grad}


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
def _same_draws(draws: State, device: torch.device) -> Iterator[Callable[[], None]]:
    """Give a function that sets the random generators to a state; in the end they are left in their present one."""
    before = random_states(device)
    try:
        yield lambda: restore_random_states(draws, device)
    finally:
        restore_random_states(before, device)
