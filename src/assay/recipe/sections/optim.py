"""The optimizer."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from assay.base.strict_model import Count, Fraction, Positive, StrictModel


class OptimSection(StrictModel):
    """The optimizer. Fields left at None take torch's own value."""

    name: Literal["sgd", "adagrad", "adadelta", "rmsprop", "adam", "adamw", "lars", "muon"] = "sgd"
    """update rule"""
    lr: Annotated[float, Field(gt=0, le=100)] = 0.1
    """learning rate at the schedule's factor 1"""
    lr_batch: Count | None = None
    """batch size that the rate is meant for: it is multiplied by train.batch_size over this (linear scaling)"""
    weight_decay: Annotated[float, Field(ge=0, le=1)] = 0.0
    """L2 penalty: this times the weight is added to its gradient; AdamW and Muon: shrinks the weight itself"""
    decay: Literal["all", "weights"] = "all"
    """what decays: all parameters, or only weights, not biases and the norms' parameters"""
    clip: Positive | None = None
    """largest l2 norm of the whole gradient; a longer one is scaled down to it"""
    momentum: Fraction | None = None
    """SGD, RMSprop, LARS and Muon: momentum"""
    dampening: Annotated[float, Field(ge=0, le=1)] | None = None
    """SGD: the gradient enters the momentum with 1 minus this; equal to the momentum, it is their mean"""
    nesterov: bool | None = None
    """SGD: Nesterov's form of momentum"""
    beta1: Fraction | None = None
    """Adam, AdamW and Muon: decay of the mean of the gradient"""
    beta2: Fraction | None = None
    """Adam, AdamW and Muon: decay of the mean of the squared gradient"""
    rho: Fraction | None = None
    """RMSprop and Adadelta: decay of the mean of the squared gradient"""
    trust: Positive | None = None
    """LARS: length of a layer's update over that of its weights, at rate 1"""
    eps: Positive | None = None
    """all but SGD: added to the denominator"""
