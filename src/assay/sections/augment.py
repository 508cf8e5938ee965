"""Random changes to the training images, drawn anew for each image of each batch."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from assay.sections.base import Probability, Section


class AugmentSection(Section):
    """Random changes to the training images, drawn anew for each image of each batch."""

    crop: Annotated[int, Field(ge=0, le=512)] = 0
    """pad by this many zero pixels on each side, then crop back at a random place"""
    translate: Annotated[int, Field(ge=0, le=512)] = 0
    """shift by up to this many pixels up, down, left, right; the gap is filled with zero"""
    flip: Probability = 0.0
    """probability of a horizontal flip"""
