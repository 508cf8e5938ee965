"""What a probe wrote, in a line of JSON: nothing is lost, and what is damaged is named."""

from __future__ import annotations

import base64
import json
import struct
import zlib
from typing import Any

import numpy as np
import pytest

from assay.run.probing.traces import Traces
from assay.studies.execution.packed import packed, unpacked

STEPS, LOOKS, SIZES = 5, 3, 4


def made() -> Traces:
    draw = np.random.default_rng(0)
    per_look = {name: draw.normal(size=LOOKS) for name in ("looks", "gradients", "own_steps", "rates")}
    names = ("distances", "surface", "changes", "output_changes", "cosines")
    surfaces = {name: draw.normal(size=(LOOKS, SIZES)) for name in names}
    losses = np.array([1.5, np.nan, np.inf, 1e-300, 0.1])
    return Traces(losses=losses, output_gradient_changes=draw.normal(size=STEPS), **per_look, **surfaces)


def test_every_number_comes_back_to_the_bit() -> None:
    traces = made()
    again = unpacked(json.loads(json.dumps(packed(traces))))
    for name, values in vars(traces).items():
        assert getattr(again, name).tobytes() == values.tobytes()
        assert getattr(again, name).shape == values.shape


def test_a_reader_needs_nothing_but_zlib() -> None:
    """As docs/studies.md describes the form."""
    line = packed(made())["losses"]
    assert struct.unpack("<5d", zlib.decompress(base64.b64decode(line["values"])))[0] == 1.5
    assert line["shape"] == [5]


def text(*numbers: float) -> str:
    return base64.b64encode(zlib.compress(struct.pack(f"<{len(numbers)}d", *numbers))).decode()


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("losses", None, "losses: expected a shape and values, not None"),
        ("losses", {"shape": [-1], "values": ""}, "losses: expected a shape and values"),
        ("losses", {"shape": [10**9], "values": ""}, "losses: expected a shape and values"),
        ("losses", {"shape": [5], "values": "?"}, "losses: expected compressed numbers in base64"),
        ("losses", {"shape": [5], "values": "AAAA"}, "losses: expected compressed numbers in base64"),
        ("losses", {"shape": [5], "values": text(1, 2)}, "losses: expected 5 numbers, not 2"),
        ("losses", {"shape": [1], "values": text(*range(1000))}, "losses: expected 1 numbers, not 1.125"),
        ("looks", {"shape": [2], "values": text(1, 2)}, r"looks: expected the shape \[3\], not \[2\]"),
        ("surface", {"shape": [3], "values": text(1, 2, 3)}, r"surface: expected the shape \[3, 4\], not \[3\]"),
        ("distance", {}, "unknown array 'distance': did you mean distances"),
    ],
)
def test_what_is_damaged_is_named(name: str, value: Any, said: str) -> None:
    with pytest.raises(ValueError, match=f"^traces: {said}"):
        unpacked({**packed(made()), name: value})
