"""The architecture. Fields left at None take the architecture's own value."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, field_validator

from assay.base.strict_model import Count, Fraction, StrictModel


class ModelSection(StrictModel):
    """The architecture. Fields left at None take the architecture's own value."""

    name: str = "simple-cnn"
    """simple-cnn, resnet18/34/50/101/152, vgg11/13/16/19 (vgg11 is configuration A), torchvision:NAME or timm:NAME"""
    pretrained: str | None = None
    """start from these weights: default, a name of the library's, a state dict's file, or a run folder"""
    activation: str | None = None
    """relu, elu, leaky_relu, rrelu, sigmoid, tanh, gelu or silu"""
    width: Annotated[float, Field(ge=0.125, le=16)] | None = None
    """factor on every number of channels"""
    dropout: Fraction | None = None
    """probability that a feature in the head is dropped (library models: their own dropout before the final layer)"""
    init: Literal["he", "xavier", "torch"] | None = None
    """initialisation of convolutions and linear layers"""
    stem_kernel: Annotated[int, Field(ge=3, le=11)] | None = None
    """ResNet: side of the first convolution's kernel, in pixels, odd"""
    stem_stride: Annotated[int, Field(ge=1, le=2)] | None = None
    """ResNet: stride of the first convolution, in pixels"""
    stem_pool: bool | None = None
    """ResNet: whether a 3x3 max pool of stride 2 follows the first convolution"""
    shortcut: Literal["projection", "conv", "pad"] | None = None
    """ResNet: 1x1 convolution where the shape changes, in every block, or zero padding"""
    tweak: Literal["a", "b", "c", "d"] | None = None
    """ResNet: form of He et al. 2018 (a: the original, b: torchvision's)"""
    zero_gamma: bool | None = None
    """ResNet: start the last norm of every residual block at zero"""
    hidden: Count | None = None
    """ResNet: units of a hidden layer in the head"""
    dropout_place: Literal["before_norm", "after_norm"] | None = None
    """ResNet: where the dropout of the hidden layer stands"""
    batch_norm: bool | None = None
    """VGG: batch norm after every convolution"""
    head_norm: bool | None = None
    """VGG: batch norm after the hidden layers of the head too"""
    head: Literal["cifar", "imagenet"] | None = None
    """VGG: hidden layers of 512 (cifar) or 4096 units (imagenet)"""

    @field_validator("pretrained", mode="before")
    @classmethod
    def _as_name(cls, value: object) -> object:
        """True and false say whether the usual weights are wanted."""
        return {True: "default", False: None}[value] if isinstance(value, bool) else value

    @field_validator("stem_kernel")
    @classmethod
    def _odd(cls, value: int | None) -> int | None:
        if value is not None and value % 2 == 0:
            raise ValueError("must be odd")
        return value
