"""Duration, batch size, seed, selection and hardware of the training."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from assay.base.strict_model import Count, StrictModel


class TrainSection(StrictModel):
    """Duration, batch size, seed, selection and hardware of the training."""

    epochs: Annotated[int, Field(ge=1, le=100_000)] = 10
    """passes over the training images"""
    batch_size: Annotated[int, Field(ge=1, le=65_536)] = 128
    """images per step; the last, smaller batch of an epoch is left out"""
    accumulate: Count = 1
    """parts in which a batch is computed to save memory; their gradients add up"""
    precision: Literal["fp32", "fp16", "bf16"] = "fp32"
    """arithmetic of the layers; weights stay fp32, and the loss is scaled for fp16"""
    ema: Annotated[float, Field(gt=0, lt=1)] | None = None
    """decay per step of the weights' exponential average, which is what is measured and kept"""
    patience: Count | None = None
    """stop after this many epochs without a better one (needs select held-out or test)"""
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
    tensorboard: bool = True
    """write scalars, histograms, pictures and hyperparameters for TensorBoard into the run folder"""
