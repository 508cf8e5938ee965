"""Checkpoints: everything that a run needs to go on as if it had never stopped."""

from __future__ import annotations

import io
import pickle
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from assay.base.atomic import replace_file

State = dict[str, Any]


def save_checkpoint(path: Path, state: State) -> None:
    """Write tensors and plain values, atomically. Raises ``OSError``."""
    buffer = io.BytesIO()  # torch would write into the file itself, which a kill leaves half done
    torch.save(state, buffer)
    replace_file(path, buffer.getvalue())


def load_checkpoint(path: Path) -> State:
    """Read a checkpoint; nothing in it is executed.

    Raises:
        ValueError: not a checkpoint, or cut off.
    """
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
    except (RuntimeError, EOFError, pickle.UnpicklingError, OSError) as error:
        reason = str(error).split("\n")[0] or type(error).__name__
        raise ValueError(f"{path}: not a readable checkpoint ({reason})") from None
    if not isinstance(state, dict):
        raise ValueError(f"{path}: not a checkpoint of assay")
    return state


def random_states(device: torch.device) -> dict[str, Tensor]:
    """Return the states of torch's generators on the CPU and on the device, from which dropout draws."""
    states = {"cpu": torch.get_rng_state()}
    if device.type == "cuda":
        states["cuda"] = torch.cuda.get_rng_state(device)
    if device.type == "mps":
        states["mps"] = torch.mps.get_rng_state()
    return states


def restore_random_states(states: dict[str, Tensor], device: torch.device) -> None:
    """The inverse of :func:`random_states`."""
    torch.set_rng_state(states["cpu"])
    if device.type == "cuda" and "cuda" in states:
        torch.cuda.set_rng_state(states["cuda"], device)
    if device.type == "mps" and "mps" in states:
        torch.mps.set_rng_state(states["mps"])
