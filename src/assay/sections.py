"""The sections of a recipe: every field with its unit in its description and its range in its type.

A field that is None takes the default of the thing that it configures (a model's own stem, an
optimizer's own momentum); a field that the chosen model, optimizer or schedule does not have is
refused when the run is built, never ignored.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator

Fraction = Annotated[float, Field(ge=0, lt=1)]
Probability = Annotated[float, Field(ge=0, le=1)]
Positive = Annotated[float, Field(gt=0)]
Count = Annotated[int, Field(ge=1)]


class Section(BaseModel):
    """A frozen group of fields; unknown ones are refused, and infinities are out of every range."""

    model_config = ConfigDict(
        frozen=True,
        extra="forbid",
        allow_inf_nan=False,
        use_attribute_docstrings=True,
        coerce_numbers_to_str=True,
    )


class DataSection(Section):
    """Which images, how they are split, and the size that the network sees."""

    name: str = "digits"
    """digits, cifar10, cifar100, cifar100-coarse, fashion-mnist, folder:PATH or parquet:PATH"""
    root: Path | None = None
    """folder that holds the named sets (default: $ASSAY_DATA, else the user's cache folder)"""
    label: str | None = None
    """label column of a Parquet set that has several"""
    size: Annotated[int, Field(ge=4, le=2048)] | None = None
    """side of the square image that the network sees, in pixels (default: the images' own)"""
    held_out: Fraction = 0.1
    """fraction of the train split kept aside, stratified by class, to watch and select by"""
    test: Fraction = 0.2
    """fraction cut off as the test split, stratified, where the set has none of its own"""
    split_seed: Annotated[int, Field(ge=0)] = 0
    """seed of the cut into train, held-out and test; independent of train.seed"""
    memory: Annotated[float, Field(ge=0)] = 4.0
    """largest decoded split held in memory, in GiB; larger ones stream from disk"""
    workers: Annotated[int, Field(ge=0, le=256)] | None = None
    """processes that decode a streamed set (default: one per core, at most 8)"""
    on_bad_image: Literal["error", "skip"] = "error"
    """stop at an image that cannot be decoded, or leave it out and name it"""


class AugmentSection(Section):
    """Random changes to the training images, drawn anew for each image of each batch."""

    crop: Annotated[int, Field(ge=0, le=512)] = 0
    """pad by this many zero pixels on each side, then crop back at a random place"""
    translate: Annotated[int, Field(ge=0, le=512)] = 0
    """shift by up to this many pixels up, down, left, right; the gap is filled with zero"""
    flip: Probability = 0.0
    """probability of a horizontal flip"""


class ModelSection(Section):
    """The architecture. Fields left at None take the architecture's own value."""

    name: str = "simple-cnn"
    """simple-cnn, resnet18/34/50/101/152 or vgg11/13/16/19 (vgg11 is configuration A)"""
    activation: str | None = None
    """relu, elu, leaky_relu, rrelu, sigmoid, tanh, gelu or silu"""
    width: Annotated[float, Field(ge=0.125, le=16)] | None = None
    """factor on every number of channels"""
    dropout: Fraction | None = None
    """probability that a feature in the head is dropped"""
    init: Literal["he", "xavier", "torch"] | None = None
    """initialisation of convolutions and linear layers"""
    stem_kernel: Annotated[int, Field(ge=3, le=11)] | None = None
    """ResNet: side of the first convolution's kernel, in pixels, odd"""
    stem_stride: Annotated[int, Field(ge=1, le=4)] | None = None
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
    head: Literal["cifar", "imagenet"] | None = None
    """VGG: hidden layers of 512 (cifar) or 4096 units (imagenet)"""

    @field_validator("stem_kernel")
    @classmethod
    def _odd(cls, value: int | None) -> int | None:
        if value is not None and value % 2 == 0:
            raise ValueError("must be odd")
        return value


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


class ScheduleSection(Section):
    """The learning rate over time, as a factor on ``optim.lr``."""

    name: Literal["constant", "step", "multistep", "exponential", "cosine"] = "constant"
    """shape of the curve"""
    every: Positive | None = None
    """step and exponential: epochs per multiplication by the factor"""
    factor: Annotated[float, Field(gt=0, le=1)] | None = None
    """step, multistep and exponential: what the rate is multiplied by"""
    milestones: tuple[Positive, ...] | None = None
    """multistep: the epochs at which the rate is multiplied, ascending"""
    final: Annotated[float, Field(ge=0, le=1)] | None = None
    """cosine: the factor reached at the end"""
    update: Literal["step", "epoch"] = "step"
    """whether the rate changes at every step or only between epochs"""


class TrainSection(Section):
    """How long, how many at a time, from which seed, and on what."""

    epochs: Annotated[int, Field(ge=1, le=100_000)] = 10
    """passes over the training images"""
    batch_size: Annotated[int, Field(ge=1, le=65_536)] = 128
    """images per step; the last, smaller batch of an epoch is left out"""
    seed: Annotated[int, Field(ge=0, lt=2**63)] = 0
    """seed of the initial weights, the order of the images, augmentation and dropout"""
    select: Literal["held-out", "last", "test"] = "held-out"
    """which epoch's weights are kept: best on held-out, the last, or best on the test split"""
    device: str = "auto"
    """auto, cpu, cuda, cuda:N or mps"""
    threads: Annotated[int, Field(ge=1, le=1024)] | None = None
    """CPU threads of one operation (default: torch's choice); another number may round otherwise"""
    channels_last: bool = True
    """memory layout of images and filters: channels_last (True) or contiguous (False)"""
    compile: bool = False
    """compile the network with torch.compile: slower to start, then often faster"""
    checkpoint_minutes: Annotated[float, Field(ge=0, le=10_080)] = 5.0
    """minutes between checkpoints inside an epoch (0: at every step); one is written after each epoch too"""
