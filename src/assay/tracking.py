"""TensorBoard: the scalars of a run, under ``tb/`` in its folder."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.utils.tensorboard import SummaryWriter


class Tracker:
    """Writes scalars at their global step.

    Args:
        folder: where the event files go.
        done: the steps that are done; what an earlier process wrote of later ones is marked as
            void, for a resumed run does those again.
    """

    def __init__(self, folder: Path, done: int) -> None:
        self._writer = SummaryWriter(str(folder), purge_step=done + 1)
        self._losses: list[Tensor] = []
        self._next = done

    def step(self, loss: Tensor) -> None:
        """Keep the loss of a step, on its device, until the next ``flush``."""
        self._losses.append(loss)

    def flush(self) -> None:
        """Write the kept losses; the only moment at which an accelerator has to wait."""
        values: Sequence[float] = torch.stack(self._losses).tolist() if self._losses else []
        for value in values:
            self._next += 1
            self._writer.add_scalar("step/loss", value, self._next)
        self._losses = []
        self._writer.flush()

    def epoch(self, row: Mapping[str, Any], timing: Mapping[str, Any]) -> None:
        """Write an epoch's figures: ``loss/train``, ``accuracy/held_out``, ``lr``, ``images_per_second``..."""
        self.flush()
        for name, value in row.items():
            split, _, measure = name.rpartition("_")
            if measure in ("loss", "accuracy"):
                self._writer.add_scalar(f"{measure}/{split}", value, row["step"])
        self._writer.add_scalar("lr", row["lr"], row["step"])
        self._writer.add_scalar("images_per_second", timing["images_per_second"], row["step"])
        self._writer.flush()

    def close(self) -> None:
        """Write what is left and close the file."""
        self.flush()
        self._writer.close()
