"""Rows in a file are those of the array that was written."""

from __future__ import annotations

import numpy as np
import pytest

from assay.data.spilled import Spilled


@pytest.mark.parametrize("rows", [slice(0, 4), slice(5, 99), np.array([8, 0, 0, 3]), np.zeros(0, np.int64)])
def test_rows_are_those_of_an_array(rows: slice | np.ndarray) -> None:
    values = np.random.default_rng(0).integers(0, 256, (9, 2, 3), dtype=np.uint8)
    spilled = Spilled((2, 3), np.uint8)
    for part in (values[:4], values[4:4], values[4:]):
        spilled.append(part)

    assert len(spilled) == 9
    assert np.array_equal(spilled[rows], values[rows])
    assert spilled[rows].flags.writeable


def test_no_rows() -> None:
    assert Spilled((2, 3), np.float32)[0:5].shape == (0, 2, 3)
