"""How small pictures are laid out as one."""

import numpy as np

from assay.data.pictures import enlarge, mosaic


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
