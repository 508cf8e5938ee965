"""All options of a ResNet go together, or are refused."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from assay.models import build_model

OPTIONS: dict[str, list[Any]] = {
    "stem_kernel": [None, 3, 5, 11],
    "stem_stride": [None, 1, 2],
    "stem_pool": [None, True, False],
    "width": [1 / 8, 0.15, 0.2],
    "activation": [None, "elu", "rrelu", "gelu"],
    "hidden": [None, 1, 6],
    "dropout": [None, 0.0, 0.5],
    "dropout_place": [None, "before_norm", "after_norm"],
    "shortcut": [None, "projection", "conv", "pad"],
    "tweak": [None, "a", "b", "c", "d"],
    "zero_gamma": [None, True, False],
    "init": [None, "he", "xavier", "torch"],
}


def goes_together(name: str, options: dict[str, Any]) -> bool:
    return not (
        (options["tweak"] == "a" and name in {"resnet18", "resnet34"})
        or (options["tweak"] in {"c", "d"} and options["stem_kernel"] is not None)
        or (options["tweak"] == "d" and options["shortcut"] == "pad")
        or (options["hidden"] is None and options["dropout_place"] is not None)
    )


@settings(max_examples=60, deadline=None, derandomize=True, database=None)
@given(
    name=st.sampled_from(["resnet18", "resnet50"]),
    options=st.fixed_dictionaries({key: st.sampled_from(values) for key, values in OPTIONS.items()}),
    channels=st.sampled_from([1, 3]),
    size=st.integers(1, 40),
)
def test_options_go_together_or_are_refused(name: str, options: dict[str, Any], channels: int, size: int) -> None:
    if not goes_together(name, options):
        with pytest.raises(ValueError, match=r"tweak|dropout_place"):
            build_model(name, classes=3, channels=channels, image_size=size, **options)
        return
    model = build_model(name, classes=3, channels=channels, image_size=size, **options)
    output = model(torch.randn(2, channels, size, size))
    assert output.shape == (2, 3)
    output.square().sum().backward()
    assert all(p.grad is not None and p.grad.isfinite().all() for p in model.parameters())
