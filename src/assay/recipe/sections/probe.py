"""Measurements of the loss surface while the network trains; they do not change the training."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from assay.base.strict_model import Count, Positive, StrictModel

Distances = Annotated[tuple[Positive, ...], Field(min_length=1, max_length=64)]


class ProbeSection(StrictModel):
    """Measurements of the loss surface while the network trains; they do not change the training."""

    every: Count | None = None
    """steps from one look along the gradient to the next (default: none is taken)"""
    step_sizes: Distances | None = None
    """how far each look goes: multiples of the gradient (default 0.05, 0.1, 0.2, 0.4)"""
