from __future__ import annotations

import math

import numpy as np
import pytest

from assay.base.numbers import is_number, is_whole


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
