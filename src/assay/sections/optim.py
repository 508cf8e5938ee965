"""The optimizer. Fields left at None take torch's own value."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from assay.sections.base import Fraction, Positive, Section


class OptimSection(Section):
    """The optimizer. Fields left at None take torch's own value."""

    name: Literal["sgd", "adam"] = "sgd"
    """update rule"""
    lr: Annotated[float, Field(gt=0, le=100)] = 0.1
    """learning rate at the schedule's factor 1"""
    weight_decay: Annotated[float, Field(ge=0, le=1)] = 0.0
    """L2 penalty: this times the weight is added to its gradient"""
    momentum: Fraction | None = None
    """SGD: momentum"""
    nesterov: bool | None = None
    """SGD: Nesterov's form of momentum"""
    beta1: Fraction | None = None
    """Adam: decay of the mean of the gradient"""
    beta2: Fraction | None = None
    """Adam: decay of the mean of the squared gradient"""
    eps: Positive | None = None
    """Adam: added to the denominator"""
