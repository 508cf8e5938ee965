"""The observer that writes a run down for TensorBoard."""

from __future__ import annotations

import json
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.utils.tensorboard import SummaryWriter
from torch.utils.tensorboard.summary import hparams

from assay.base.numbers import is_number
from assay.recipe.recipe import Recipe
from assay.run.observer import Evaluations, Observer
from assay.run.tracking.event_files import wait_for_new_name
from assay.run.tracking.histograms import Histogram, histograms
from assay.run.tracking.pictures import draw_kernels, draw_mistakes
from assay.training.loop import Step


class TensorBoard(Observer):
    """Writes event files.

    Args:
        folder: where they go.
        network: the one that is trained.
        steps: steps of an epoch; after its last one the weights and the gradients are written.
        done: steps taken so far in the run; a TensorBoard that has the folder open forgets later ones, which a
            resumed run takes again.
    """

    def __init__(self, folder: Path, network: nn.Module, steps: int, done: int) -> None:
        self._network, self._steps, self._done, self._folder = network, steps, done, folder
        self._print_failure, threading.excepthook = threading.excepthook, self._leave_to_the_run
        wait_for_new_name(folder)
        self._writer = SummaryWriter(str(folder), purge_step=done + 1)
        self._losses: list[Tensor] = []

    def step(self, step: Step) -> None:
        """Keep the loss, on its device, until the next ``flush``; look into the network after an epoch's last step."""
        self._losses.append(step.loss)
        self._done += 1
        if self._done % self._steps == 0:
            self._look_inside()

    def flush(self) -> None:
        """Write the losses that were kept."""
        values: Sequence[float] = torch.stack(self._losses).tolist() if self._losses else []
        for step, value in enumerate(values, self._done - len(values) + 1):
            self._writer.add_scalar("step/loss", value, step)
        self._losses = []
        self._writer.flush()

    def epoch(self, row: Mapping[str, Any], timing: Mapping[str, Any], evaluations: Evaluations) -> None:
        """Write ``loss/train``, ``accuracy/held_out``, ``lr``, ``images_per_second``... and ``mistakes/held_out``."""
        for name, value in row.items():
            split, _, measure = name.rpartition("_")
            if measure in ("loss", "accuracy"):
                self._writer.add_scalar(f"{measure}/{split}", value, row["step"])
        self._writer.add_scalar("lr", row["lr"], row["step"])
        self._writer.add_scalar("images_per_second", timing["images_per_second"], row["step"])
        self._write_mistakes("mistakes", evaluations, row["step"])
        self.flush()

    def end(self, recipe: Recipe, evaluations: Evaluations, step: int) -> None:
        """Write the selected model's mistakes and figures, the recipe, and the run's line in the hyperparameter tab."""
        self._write_mistakes("mistakes_of_the_kept_model", evaluations, step)
        for split, evaluation in evaluations.items():
            self._writer.add_scalar(f"hparam/{split}_accuracy", evaluation.accuracy, step)
            self._writer.add_scalar(f"hparam/{split}_loss", evaluation.loss, step)
        self._writer.add_text("recipe", f"```yaml\n{recipe.to_yaml()}```", step)
        # What ``add_hparams`` writes, but into this file: that would open one of its own, in a subfolder.
        make_summaries: Any = hparams
        file: Any = self._writer.file_writer
        _, start, end = make_summaries(as_hyperparameters(recipe), {})
        for summary in (start, end):
            file.add_summary(summary, step)
        self._writer.flush()

    def close(self) -> None:
        """Write what is kept and close the file."""
        try:
            self.flush()
        finally:
            self._writer.close()
            threading.excepthook = self._print_failure

    def _leave_to_the_run(self, failure: threading.ExceptHookArgs) -> None:
        """Print no traceback where the thread that writes meets a full disk: the run's next write raises its error."""
        if type(failure.thread).__name__ == "_AsyncWriterThread" and isinstance(failure.exc_value, OSError):
            failure.exc_value.filename = str(self._folder)
        else:
            self._print_failure(failure)

    def _look_inside(self) -> None:
        """Write histograms of weights and gradients, and the kernels, after the epoch's last step."""
        parameters = dict(self._network.named_parameters())
        # Of both at once: each call waits for the device.
        found = histograms(
            {f"weights/{name}": weight for name, weight in parameters.items()}
            | {f"gradients/{name}": weight.grad for name, weight in parameters.items() if weight.grad is not None}
        )
        for kind in ("weights", "gradients"):
            self._write_histograms(kind, {tag: one for tag, one in found.items() if tag.startswith(f"{kind}/")})
        kernels = draw_kernels(self._network)
        if kernels is not None:
            self._writer.add_image("first_layer_kernels", kernels, self._done)

    def _write_histograms(self, kind: str, found: Mapping[str, Histogram]) -> None:
        lost = sum(one.non_finite for one in found.values())
        self._writer.add_scalar(f"non_finite/{kind}", lost, self._done)
        if kind == "gradients" and lost:
            return  # they overflowed: the step was skipped, and they may still be scaled
        for tag, one in found.items():
            if one.count:
                figures = (one.low, one.high, one.count, one.total, one.squares)
                self._writer.add_histogram_raw(tag, *figures, one.limits, one.counts, self._done)

    def _write_mistakes(self, tag: str, evaluations: Evaluations, step: int) -> None:
        for split, evaluation in evaluations.items():
            picture = np.asarray(draw_mistakes(evaluation))
            self._writer.add_image(f"{tag}/{split}", picture, step, dataformats="HWC")


def as_hyperparameters(recipe: Recipe) -> dict[str, float | str]:
    """Return the recipe's fields that are not None, by dotted name: numbers as they are, the others as text."""
    return {
        name: value if isinstance(value, str) or is_number(value) else json.dumps(value)
        for name, value in recipe.flat().items()
    }
