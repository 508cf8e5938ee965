"""Checkpoints: everything that a run needs to go on as if it had never stopped."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from assay.base.atomic import replace_file
from assay.base.text import shorten
from assay.training.position import Position

State = dict[str, Any]
_MAPPINGS = ("recipe", "position", "preprocessing", "network", "optimizer", "scheduler", "scaler", "average", "random")
_OPTIONAL = ("identity", "pretrained_input")
"""mappings that earlier versions did not write, or that not every run has"""
_FIELDS: dict[str, type] = {**dict.fromkeys(_MAPPINGS, dict), "threads": int, "data": str}


def save_checkpoint(path: Path, state: State) -> None:
    """Write tensors and plain values, atomically. Raises ``OSError``."""
    buffer = io.BytesIO()  # torch would write into the file itself, which a kill leaves half done
    torch.save(state, buffer)
    replace_file(path, buffer.getvalue())


def load_checkpoint(path: Path) -> State:
    """Read a checkpoint; nothing in it is executed.

    Raises:
        ValueError: one line; it is not a checkpoint, is cut off, or lacks a field or holds another kind of value there.
    """
    try:
        state: State = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # text, and a damaged file of the older format, fail in torch in any way
        reason = shorten(str(error).split("\n")[0], 120) or type(error).__name__
        raise ValueError(f"{path}: not a readable checkpoint ({reason})") from None
    try:
        _check(state)
    except ValueError as error:
        raise ValueError(f"{path}: not a checkpoint of assay, or damaged ({error})") from None
    return state


def _check(state: Any) -> None:
    if not isinstance(state, dict):
        raise ValueError(f"expected a mapping, not {type(state).__name__}")
    for name, kind in _FIELDS.items():
        if not isinstance(state.get(name), kind):
            raise ValueError(f"{name}: expected {kind.__name__}, not {type(state.get(name)).__name__}")
    for name in _OPTIONAL:
        if not isinstance(state.get(name), dict | None):
            raise ValueError(f"{name}: expected dict, not {type(state[name]).__name__}")
    identity = state.get("identity") or {}
    if not all(isinstance(text, str) for text in (*identity, *identity.values())):
        raise ValueError("identity: expected digests by name")
    if state["threads"] < 1:
        raise ValueError("threads: expected at least 1")
    Position.check(state["position"])


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
