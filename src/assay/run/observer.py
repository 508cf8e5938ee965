"""What a run tells while it goes on, and to whom: a progress bar, a log for TensorBoard, a probe, yours."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from torch import Tensor

from assay.classifier.evaluation import Evaluation
from assay.recipe.recipe import Recipe
from assay.training.checkpoint import State
from assay.training.loop import Step

Batch = tuple[Tensor, Tensor]
Evaluations = Mapping[str, Evaluation]
"""by split: ``held_out``, ``test``, ``train``"""


class Observer:
    """Follows a run without changing it. Every method does nothing; a subclass overrides those that it needs.

    A run calls its observers one after another, in the order of the methods below.

    Attributes:
        key: the name of ``state`` in the checkpoint; empty for an observer that has none to keep.
    """

    key = ""

    def say(self, text: str) -> None:
        """Receive a remark, one line; the first may come before ``start``."""

    def start(self, *, epochs: int, steps: int, done: int) -> None:
        """Training begins: ``epochs`` of ``steps`` steps, of which ``done`` steps were taken before."""

    def watch(self, batches: Iterator[Batch], done: int) -> Iterator[Batch]:  # noqa: ARG002 - for subclasses
        """Return the batches of an epoch, to see each before its step; the run took ``done`` steps before them."""
        return batches

    def step(self, step: Step) -> None:
        """A step has been taken: the weights are new, and their ``.grad`` is still that of the step."""

    def epoch(self, row: Mapping[str, Any], timing: Mapping[str, Any], evaluations: Evaluations) -> None:
        """An epoch is over: its lines in the run's record, and the evaluations behind them."""

    def flush(self) -> None:
        """Write down everything so far; only here and in ``epoch`` may an accelerator be waited for."""

    def state(self) -> State:
        """Return what the checkpoint must hold for a resumed run to go on from here; called after ``flush``."""
        return {}

    def stop(self) -> None:
        """Training has ended, or failed."""

    def end(self, recipe: Recipe, evaluations: Evaluations, step: int) -> None:
        """The run is finished after so many steps; the evaluations are those of the selected weights."""

    def close(self) -> None:
        """Free what is held; called once at the very end, also after an error."""
