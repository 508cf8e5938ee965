"""The learning rate over time, as a factor on ``optim.lr``."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from assay.base.strict_model import Count, Positive, StrictModel

Factor = Annotated[float, Field(ge=0, le=1)]


class ScheduleSection(StrictModel):
    """The learning rate over time, as a factor on ``optim.lr``."""

    name: Literal[
        "constant",
        "step",
        "multistep",
        "exponential",
        "linear",
        "cosine",
        "cosine-periodic",
        "cosine-restarts",
        "one-cycle",
    ] = "constant"
    """shape of the curve"""
    every: Positive | None = None
    """step and exponential: epochs per multiplication by the factor"""
    factor: Annotated[float, Field(gt=0, le=1)] | None = None
    """step, multistep and exponential: what the rate is multiplied by"""
    milestones: tuple[Positive, ...] | None = None
    """multistep: the epochs at which the rate is multiplied, ascending"""
    final: Factor | None = None
    """linear, the cosines and one-cycle: the factor at the end (of a period)"""
    period: Positive | None = None
    """cosine-periodic and cosine-restarts: epochs from the top to the bottom"""
    multiply: Count | None = None
    """cosine-restarts: how many times longer each period is than the one before"""
    rise: Annotated[float, Field(gt=0, lt=1)] | None = None
    """one-cycle: fraction of the epochs in which the rate rises"""
    start: Factor | None = None
    """one-cycle: the factor at the beginning"""
    warmup: Annotated[float, Field(ge=0)] = 0.0
    """epochs of a straight rise in front of the schedule, which counts its own epochs from there"""
    warmup_start: Factor | None = None
    """the factor at the beginning of the warmup (default 0.01)"""
    update: Literal["step", "epoch"] = "step"
    """whether the rate changes at every step or only between epochs"""
