"""How small pictures are laid out as one."""

import numpy as np
import pytest
from matplotlib.figure import Figure

from assay.analysis.figures.mosaic import columns_for, enlarge, mosaic, show_mosaic


def test_a_mosaic_keeps_every_picture_and_leaves_gaps() -> None:
    pictures = np.arange(5.0)[:, None, None] * np.ones((5, 24, 24))
    whole = mosaic(pictures, 3, gap=2, fill=np.nan)
    assert whole.shape == (2 * 24 + 2, 3 * 24 + 2 * 2)
    assert (whole[:24, 26:50] == 1).all()
    assert (whole[26:, 26:50] == 4).all()
    assert np.isnan(whole[24:26]).all()
    assert np.isnan(whole[26:, 52:]).all()  # there is no sixth


def test_small_pictures_are_enlarged_by_repeating() -> None:
    (large,) = enlarge(np.array([[[0.0, 1.0], [2.0, 3.0]]]))
    assert large.shape == (24, 24)
    assert (large[:12, 12:] == 1).all()


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
