from __future__ import annotations

import math

import numpy as np
import pytest

from assay.base.numbers import is_number, is_whole, whole


@pytest.mark.parametrize(
    ("value", "number", "whole"),
    [
        (0, True, True),
        (-3, True, True),
        (0.5, True, False),
        (math.nan, True, False),
        (True, False, False),
        (False, False, False),
        (None, False, False),
        ("1", False, False),
        (np.int64(1), False, False),
    ],
)
def test_what_counts_as_a_number(value: object, number: bool, whole: bool) -> None:
    assert is_number(value) is number
    assert is_whole(value) is whole


@pytest.mark.parametrize(("value", "low"), [(0, 1), (True, 1), (1.0, 1), ("1", 1), (31, 32)])
def test_whole_refuses_other_kinds_and_smaller_numbers(value: object, low: int) -> None:
    with pytest.raises(ValueError, match=rf"^classes must be a whole number of at least {low}, got {value!r}$"):
        whole("classes", value, low=low)  # type: ignore[arg-type]


def test_whole_returns_the_number() -> None:
    assert whole("classes", 32, low=32) == 32
