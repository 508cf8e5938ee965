"""The loss that the training minimises."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from assay.base.strict_model import Fraction, Positive, StrictModel


class LossSection(StrictModel):
    """The loss that the training minimises."""

    name: Literal["cross-entropy", "double-softmax"] = "cross-entropy"
    """cross-entropy, or the mistake of a softmax put before it (double-softmax)"""
    label_smoothing: Fraction = 0.0
    """share of the target that is spread evenly over all classes"""
    teacher: str | None = None
    """network to distil from: a run folder, a model.safetensors file, torchvision:NAME or timm:NAME"""
    temperature: Positive | None = None
    """distillation: by what the scores of both networks are divided (default 20)"""
    teacher_weight: Annotated[float, Field(ge=0, le=1000)] | None = None
    """distillation: factor on the teacher's part of the loss (default 1)"""
