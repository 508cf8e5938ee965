"""The observer that measures the loss's surface: it sees each batch before its step, and each step.

A look begins where the step began, and goes as far as the step went: so it is taken once the step is known.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from assay.base.json_files import LineLog
from assay.base.numbers import is_count
from assay.run.observer import Batch, Observer
from assay.run.probing.surface import MULTIPLES, Place, Surface, look_along_gradient, output_parameters
from assay.training.checkpoint import State
from assay.training.loop import Step
from assay.training.losses import LossFunction

SURFACE_FILE = "surface.jsonl"
STEPS_FILE = "steps.jsonl"


def check_probe(folder: Path, before: Any) -> None:
    """Raise ``ValueError`` unless ``before`` is a probe's state in a checkpoint, and its files have its lines."""
    sizes = before.get("sizes") if isinstance(before, Mapping) else None
    previous = before.get("previous") if isinstance(before, Mapping) else None
    are_counts = isinstance(sizes, Mapping) and all(is_count(sizes.get(name)) for name in (SURFACE_FILE, STEPS_FILE))
    if sizes is None or not are_counts or not (previous is None or isinstance(previous, Tensor)):
        raise ValueError(f"{folder}: the probe's state in the checkpoint is missing or damaged")
    for name in (SURFACE_FILE, STEPS_FILE):
        LineLog(folder / name).rows_until(sizes[name])


class SurfaceProbe(Observer):
    """Looks along the gradient at every so many steps, and follows the output layer's gradient from step to step.

    Writes ``surface.jsonl``, a line for each look (``step``: the steps taken before it; ``rate``: the learning rate of
    the first group; ``own_step``: the l2 length of the step; and what a `Surface` holds), and ``steps.jsonl``, a line
    for each step (``step``, from 1; ``loss``, before the update; ``output_gradient_change``: l2 distance of the
    output layer's gradient to that of the step before, null at the first).

    Args:
        network: the network that is trained.
        loss_fn: the loss that it is trained with.
        folder: the run folder.
        every: steps from one look to the next; the first look is before the first step.
        optimizer: of the network.
        step_sizes: how far a look goes, in multiples of the optimizer's own step from there, above 0.
        before: the probe's state in the checkpoint that a run resumes from; lines written after it are cut away.
    """

    key = "probe"

    def __init__(
        self,
        network: nn.Module,
        loss_fn: LossFunction,
        folder: Path,
        *,
        every: int,
        optimizer: torch.optim.Optimizer,
        step_sizes: Sequence[float] = MULTIPLES,
        before: Mapping[str, Any] | None = None,
    ) -> None:
        self._network, self._loss_fn, self._every, self._step_sizes = network, loss_fn, every, step_sizes
        learned = dict(network.named_parameters())
        self._output = [learned[name] for name in output_parameters(network)]
        self._logs = {name: LineLog(folder / name) for name in (SURFACE_FILE, STEPS_FILE)}
        before = before or {"previous": None, "sizes": dict.fromkeys(self._logs, 0)}
        for name, log in self._logs.items():
            log.cut(before["sizes"][name])
        self._previous: Tensor | None = before["previous"]
        self._optimizer = optimizer
        self._begun: tuple[int, float, Place, Batch] | None = None
        self._looks: list[tuple[dict[str, Any], Tensor, Surface]] = []
        self._steps: list[Tensor] = []
        self._done = 0

    def watch(self, batches: Iterator[Batch], done: int) -> Iterator[Batch]:
        """Keep where every so many steps begin."""
        self._done = done
        for number, (images, targets) in enumerate(batches, start=done):
            if number % self._every == 0:
                rate = float(self._optimizer.param_groups[0]["lr"])
                self._begun = number, rate, Place.of(self._network, images.device), (images, targets)
            yield images, targets

    def step(self, step: Step) -> None:
        """Look from where the step began; keep all figures on the device, so that nothing has to wait for it."""
        if self._begun is not None:
            number, rate, place, batch = self._begun
            own = place.distance_to(self._network)
            sizes = self._step_sizes
            found = look_along_gradient(self._network, self._loss_fn, *batch, sizes, step=own, place=place)
            self._looks.append(({"step": number, "rate": rate}, own, found))
            self._begun = None
        gradient = torch.cat([value.grad.flatten() for value in self._output if value.grad is not None])
        # nan, not 0, for the first step: there is no gradient before it. It is null in the file.
        before = gradient.new_full(gradient.shape, torch.nan) if self._previous is None else self._previous
        # The state of a checkpoint is on the CPU.
        change = torch.linalg.vector_norm(gradient - before.to(gradient.device))
        self._steps.append(torch.stack([step.loss, change]))
        self._previous = gradient

    def flush(self) -> None:
        """Write the lines of both files."""
        surface, steps = self._logs.values()
        surface.extend(
            {**about, "own_step": own.tolist(), **{name: value.tolist() for name, value in vars(found).items()}}
            for about, own, found in self._looks
        )
        values = torch.stack(self._steps).tolist() if self._steps else []
        steps.extend(
            {"step": number, "loss": loss, "output_gradient_change": change}
            for number, (loss, change) in enumerate(values, start=self._done + 1)
        )
        self._done += len(self._steps)
        self._looks, self._steps = [], []

    def state(self) -> State:
        """Return the last gradient of the output layer, and the sizes of the files."""
        return {"previous": self._previous, "sizes": {name: log.size() for name, log in self._logs.items()}}
