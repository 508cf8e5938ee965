"""A probe's figures as values of JSON: each array as its shape and its float64 numbers, compressed, in base64."""

from __future__ import annotations

import base64
import binascii
import math
import zlib
from collections.abc import Mapping
from dataclasses import fields
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from assay.base.json_files import JsonObject
from assay.base.numbers import is_count
from assay.base.registry import nearest
from assay.base.text import quoted

if TYPE_CHECKING:
    from assay.run.probing.traces import Traces  # imports torch

_MOST_NUMBERS = 100_000_000


def packed(traces: Traces) -> JsonObject:
    """Return the arrays by name; nothing is lost: float64 holds every number, and nan."""
    return {name: _packed(values) for name, values in vars(traces).items()}


def unpacked(values: Any) -> Traces:
    """The inverse of `packed`.

    Raises:
        ValueError: one line that names the array that is missing or damaged.
    """
    from assay.run.probing.traces import Traces

    if not isinstance(values, Mapping):
        raise ValueError(f"traces: expected a mapping, not {quoted(values)}")
    names = [field.name for field in fields(Traces)]
    for name in values:
        if name not in names:
            raise ValueError(f"traces: unknown array {quoted(name)}: {nearest(str(name), names)}")
    traces = Traces(**{name: _unpacked(name, values.get(name)) for name in names})
    steps, looks = len(traces.losses), traces.distances.shape
    per_step = {"losses", "output_gradient_changes"}
    per_look = {"looks", "gradients", "own_steps", "rates"}
    for name, array in vars(traces).items():
        expected = (steps,) if name in per_step else looks[:1] if name in per_look else looks
        if array.shape != expected or len(looks) != 2:
            raise ValueError(f"traces: {name}: expected the shape {list(expected)}, not {list(array.shape)}")
    return traces


def _packed(values: NDArray[np.float64]) -> JsonObject:
    content = zlib.compress(values.astype("<f8").tobytes(), level=9)
    return {"shape": list(values.shape), "values": base64.b64encode(content).decode()}


def _unpacked(name: str, values: Any) -> NDArray[np.float64]:
    shape = values.get("shape") if isinstance(values, Mapping) else None
    if not isinstance(shape, list) or not all(map(is_count, shape)) or math.prod(shape) > _MOST_NUMBERS:
        raise ValueError(f"traces: {name}: expected a shape and values, not {quoted(values)}")
    size = 8 * math.prod(shape)
    try:
        # A few bytes can stand for gigabytes: no more than the shape says is taken out.
        content = zlib.decompressobj().decompress(base64.b64decode(str(values.get("values")), validate=True), size + 1)
    except (binascii.Error, ValueError, zlib.error):
        raise ValueError(f"traces: {name}: expected compressed numbers in base64") from None
    if len(content) != size:
        raise ValueError(f"traces: {name}: expected {math.prod(shape)} numbers, not {len(content) / 8:g}")
    return np.frombuffer(content, "<f8").astype(np.float64).reshape(shape)
