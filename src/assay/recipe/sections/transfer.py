"""Fine-tuning: which layers learn, from when, and how fast."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from assay.base.strict_model import Count, StrictModel


class TransferSection(StrictModel):
    """Fine-tuning: which layers learn, from when, and how fast."""

    freeze: Literal["none", "body", "gradual"] = "none"
    """none; the body, so that the head alone learns; or gradual: group after group joins the head"""
    unfreeze_after: Count | None = None
    """gradual: epochs in which the head alone learns (default 1)"""
    unfreeze_every: Count | None = None
    """gradual: epochs from one further group of layers to the next (default 1)"""
    freeze_norms: bool = False
    """keep the norms of the body as they are, their running statistics too"""
    layer_decay: Annotated[float, Field(gt=0, le=1)] = 1.0
    """factor on the learning rate from each group of layers to the one before it, from the head on"""
    head_lr: Annotated[float, Field(gt=0, le=1000)] = 1.0
    """factor on the learning rate of the head"""
