"""A probe's files in a run folder, as arrays."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from assay.base.json_files import JsonObject, LineLog
from assay.base.text import shorten
from assay.run.probing.probe import STEPS_FILE, SURFACE_FILE

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Traces:
    """A probed run: T steps, L looks along the gradient, each over S distances; nan where a value was not finite.

    Attributes:
        losses: the training loss of each step, before its update, ``[T]``.
        output_gradient_changes: l2 distance of the output layer's gradient to that of the step before, ``[T]``.
        looks: steps taken before each look, ``[L]``.
        distances: moved along the gradient, ``[L, S]``.
        surface: the loss there, ``[L, S]``.
        changes: l2 norm of the whole gradient's change, ``[L, S]``.
        output_changes: that of the output layer's, ``[L, S]``.
        cosines: of the angle between the gradient and that there, ``[L, S]``.
        gradients: l2 norm of the gradient, ``[L]``.
        own_steps: l2 length of the optimizer's own step from there, ``[L]``.
        rates: the learning rate of that step, ``[L]``.

    Runs of earlier versions lack the last four, and moved by other distances: they are nan.
    """

    losses: Floats
    output_gradient_changes: Floats
    looks: Floats
    distances: Floats
    surface: Floats
    changes: Floats
    output_changes: Floats
    cosines: Floats
    gradients: Floats
    own_steps: Floats
    rates: Floats


def read_traces(folder: Path) -> Traces | None:
    """Read a run's traces; None if it was not probed. Raises ``ValueError`` if they are damaged."""
    steps, looks = LineLog(folder / STEPS_FILE).rows(), LineLog(folder / SURFACE_FILE).rows()
    if not steps or not looks:
        return None
    try:
        return Traces(
            losses=_column(steps, "loss"),
            output_gradient_changes=_column(steps, "output_gradient_change"),
            looks=_column(looks, "step"),
            distances=_column(looks, "distances"),
            surface=_column(looks, "losses"),
            changes=_column(looks, "changes"),
            output_changes=_column(looks, "output_changes"),
            cosines=_column(looks, "cosines") if "cosines" in looks[0] else np.full(_shape(looks), np.nan),
            gradients=_later(looks, "gradient"),
            own_steps=_later(looks, "own_step"),
            rates=_later(looks, "rate"),
        )
    except (KeyError, TypeError, ValueError) as error:
        raise ValueError(f"{folder}: damaged traces ({shorten(str(error), 200)})") from None


def _shape(looks: Sequence[JsonObject]) -> tuple[int, int]:
    return len(looks), len(looks[0]["distances"])


def _later(looks: Sequence[JsonObject], name: str) -> Floats:
    return np.array([look.get(name) for look in looks], dtype=np.float64)


def _column(rows: Sequence[JsonObject], name: str) -> Floats:
    return np.array([row[name] for row in rows], dtype=np.float64)  # None becomes nan
