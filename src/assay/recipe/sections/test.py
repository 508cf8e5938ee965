"""How the trained network is evaluated."""

from __future__ import annotations

from typing import ClassVar, Literal

from assay.base.strict_model import StrictModel


class TestSection(StrictModel):
    """How the trained network is evaluated."""

    __test__: ClassVar[bool] = False  # its name begins as that of a class of tests does

    views: Literal["none", "flip", "flip-shift", "five-crop", "ten-crop"] = "none"
    """versions of each image whose scores are averaged: also mirrored, also shifted by a pixel, or parts of it"""
    train: bool = False
    """measure the training images too at the end, as they are"""
