"""How small pictures are laid out as one."""

import numpy as np
import pytest
from matplotlib.figure import Figure

from assay.analysis.figures.mosaic import columns_for, show_mosaic


def test_gaps_are_empty_or_white() -> None:
    for shape, gap in (((2, 3, 3), np.nan), ((2, 3, 3, 3), [1, 1, 1])):
        axes = Figure().subplots()
        show_mosaic(axes, np.zeros(shape))
        drawn = np.ma.filled(axes.get_images()[0].get_array(), np.nan)
        assert drawn.shape[:2] == (24, 50)
        np.testing.assert_array_equal(drawn[0, 25], gap)


@pytest.mark.parametrize(("count", "columns"), [(1, 1), (6, 6), (8, 8), (16, 8), (64, 16)])
def test_a_grid_is_wide(count: int, columns: int) -> None:
    assert columns_for(count) == columns
