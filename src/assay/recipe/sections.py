"""The sections of a recipe but that of the data: every field with its unit in its description, its range in its type.

A field that is None takes the default of the thing that it configures (a model's own stem, an
optimizer's own momentum); a field that the chosen model, optimizer or schedule does not have is
refused when the run is built, never ignored.
"""

from __future__ import annotations

from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field, field_validator

from assay.base.strict_model import Count, Fraction, Positive, StrictModel
from assay.data.augment.strengths import Strengths
from assay.recipe.data_section import SMALLEST, DataSection

Factor = Annotated[float, Field(ge=0, le=1)]
SMALL_SHARE = 0.5
Distances = Annotated[tuple[Positive, ...], Field(min_length=1, max_length=64)]


class _Where(StrictModel):
    where: Literal["train", "test", "both"] = "train"
    """the split whose images are changed: train, test or both"""


# The second base's field comes first in a recipe's YAML and in the help, before the strengths.
class AugmentSection(Strengths, _Where):
    """Random changes to the images of the named split, in this order; 0 leaves one out."""


class ModelSection(StrictModel):
    """The architecture. Fields left at None take the architecture's own value."""

    name: str = "simple-cnn"
    """simple-cnn, fast, resnet18/34/50/101/152, vgg11/13/16/19 (11 is its A), torchvision:NAME or timm:NAME"""
    pretrained: str | None = None
    """start from these weights: default, package, a name of the library's, a state dict's file, or a run folder"""
    activation: str | None = None
    """relu, elu, leaky_relu, rrelu, sigmoid, tanh, gelu or silu"""
    width: Annotated[float, Field(ge=0.125, le=16)] | None = None
    """factor on every number of channels"""
    dropout: Fraction | None = None
    """probability that a feature in the head is dropped (library models: their own dropout before the final layer)"""
    init: Literal["he", "xavier", "dirac", "torch"] | None = None
    """initialisation of convolutions and linear layers (dirac: a convolution's first filters pass their channel on)"""
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
    bias_lr: Annotated[float, Field(gt=0, le=1000)] = 1.0
    """factor on the learning rate of biases, also those of norms"""
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
    normalize: bool | None = None
    """Muon: hold filters at length 1, so that lr is the length of a step relative to them"""
    trust: Positive | None = None
    """LARS: length of a layer's update over that of its weights, at rate 1"""
    eps: Positive | None = None
    """all but SGD: added to the denominator"""

    def options(self) -> dict[str, Any]:
        """What the optimizer's constructor takes: its name, its rate and its own options."""
        return self.model_dump(exclude={"lr_batch", "decay", "bias_lr", "clip"})


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
    freeze_out: Annotated[float, Field(gt=0, lt=1)] | None = None
    """share of the epochs that the first layers learn; those behind them stop one after another, the head at the end"""


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


class TransferSection(StrictModel):
    """Which layers learn, from when, and how fast: fine-tuning, and layers that are fixed from the start."""

    freeze: Literal["none", "body", "gradual"] = "none"
    """none; the body, so that the head alone learns; or gradual: group after group joins the head"""
    unfreeze_after: Count | None = None
    """gradual: epochs in which the head alone learns (default 1)"""
    unfreeze_every: Count | None = None
    """gradual: epochs from one further group of layers to the next (default 1)"""
    freeze_norms: bool = False
    """keep the norms of the body as they are, their running statistics too"""
    freeze_scales: bool = False
    """keep the scales of all norms as they begin; their biases learn"""
    whiten: bool = False
    """the first convolution whitens the training images' patches, and stays so; its bias learns"""
    layer_decay: Annotated[float, Field(gt=0, le=1)] = 1.0
    """factor on the learning rate from each group of layers to the one before it, from the head on"""
    head_lr: Annotated[float, Field(gt=0, le=1000)] = 1.0
    """factor on the learning rate of the head"""
    head: Literal["zero", "fitted"] = "zero"
    """how a new final layer begins: at zero, or as the logistic regression on the pretrained features"""


class TrainSection(StrictModel):
    """Duration, batch size, seed, selection and hardware of the training."""

    epochs: Annotated[int, Field(ge=1, le=100_000)] = 10
    """passes over the training images"""
    batch_size: Annotated[int, Field(ge=1, le=65_536)] = 128
    """images per step; the last, smaller batch of an epoch is left out"""
    accumulate: Count = 1
    """parts in which a batch is computed to save memory; their gradients add up"""
    precision: Literal["auto", "fp32", "fp16", "bf16"] = "fp32"
    """arithmetic of the layers (auto: the fastest, as measured here); weights stay fp32; fp16 has its loss scaled"""
    sync_norm: bool = True
    """several processes: batch norms see the whole batch (True) or each process's own images (False)"""
    size: Annotated[int, Field(ge=SMALLEST, le=2048)] | None = None
    """side of the training images, in pixels; those of the test keep data.size (default: that too)"""
    small_size: Annotated[int, Field(ge=SMALLEST, le=2048)] | None = None
    """side of the training images in the first epochs, in pixels: they are learned faster (default: all)"""
    small_share: Annotated[float, Field(gt=0, lt=1)] | None = None
    """share of the epochs that see images of small_size (default 0.5)"""
    small_ramp: Annotated[float, Field(gt=0, lt=1)] | None = None
    """share of the epochs after those in which the side grows, by multiples of 32 pixels (default: it jumps)"""
    ema: Annotated[float, Field(gt=0, lt=1)] | None = None
    """decay per step of the weights' exponential average, which is what is measured and kept"""
    lookahead: Count | None = None
    """steps after which slow weights, which are measured and kept, move towards the network's, and it goes on there"""
    lookahead_share: Annotated[float, Field(gt=0, le=1)] | None = None
    """share of the way that the slow weights move (default 0.5)"""
    lookahead_curve: Literal["constant", "cubic"] | None = None
    """constant, or cubic: from the whole way at first down to lookahead_share at the end"""
    patience: Count | None = None
    """stop after this many epochs without a better one (needs select held-out or test)"""
    stop_after: Count | None = None
    """end the run after this many epochs, in the middle of the schedule (default: when all epochs are done)"""
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
    """minutes between checkpoints (0: at every step); sooner after an epoch, where it costs little time"""
    tensorboard: bool = True
    """write scalars, histograms, pictures and hyperparameters for TensorBoard into the run folder"""


class TestSection(StrictModel):
    """How the trained network is evaluated."""

    __test__: ClassVar[bool] = False  # pytest would collect a class whose name begins with Test

    views: Literal["none", "flip", "flip-shift", "five-crop", "ten-crop"] = "none"
    """versions of each image whose scores are averaged: also mirrored, also shifted by a pixel, or parts of it"""
    sure: Annotated[float, Field(gt=0, le=1)] | None = None
    """look at an image once, as it is, where its best class has at least this probability (default: never)"""
    train: bool = False
    """measure the training images too at the end, as they are"""


class ProbeSection(StrictModel):
    """Measurements of the loss surface while the network trains; they do not change the training."""

    every: Count | None = None
    """steps from one look along the gradient to the next (default: none is taken)"""
    step_sizes: Distances | None = None
    """how far each look goes: multiples of the optimizer's own step (default 0.5, 1, 2, 4)"""


class Sections(StrictModel):
    """A recipe's sections, in the order of its YAML."""

    data: DataSection = DataSection()
    augment: AugmentSection = AugmentSection()
    model: ModelSection = ModelSection()
    optim: OptimSection = OptimSection()
    schedule: ScheduleSection = ScheduleSection()
    loss: LossSection = LossSection()
    transfer: TransferSection = TransferSection()
    train: TrainSection = TrainSection()
    test: TestSection = TestSection()
    probe: ProbeSection = ProbeSection()

    def get(self, name: str) -> Any:
        """The value of the field of that dotted name, which there is."""
        section, field = name.split(".")
        return getattr(getattr(self, section), field)
