"""The section of a recipe on its images: which ones, how they are cut into splits, and how the network sees them."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

from pydantic import Field, field_validator

from assay.base.strict_model import Count, Fraction, Probability, StrictModel
from assay.data.choices import SMALLEST_STD, CacheUse, Interpolation, OnBadImage, OnUnlabelled

Means = Annotated[tuple[Probability, ...], Field(min_length=1, max_length=3)]
Deviations = Annotated[tuple[Annotated[float, Field(ge=SMALLEST_STD)], ...], Field(min_length=1, max_length=3)]


SMALLEST = 4  # pixels of a side


class DataSection(StrictModel):
    """The images, their splits, and the size that the network sees."""

    name: str = "digits"
    """digits, cifar10, cifar100, cifar100-coarse, fashion-mnist, folder:PATH, parquet:PATH or webdataset:PATH"""
    root: Path | None = None
    """folder that holds the named sets (default: $ASSAY_DATA, else the user's cache folder)"""
    label: str | None = None
    """label column of a Parquet set that has several, or field of the .json files in tar shards"""
    size: Annotated[int, Field(ge=SMALLEST, le=2048)] | None = None
    """side of the square image that the network sees, in pixels (default: the weights', else the images' own)"""
    crop_pct: Annotated[float, Field(gt=0, le=1)] | None = None
    """central part that the network sees, as a fraction of the shorter side (default: the weights', else all of it)"""
    interpolation: Interpolation | None = None
    """how images are scaled (default: the weights' own, else bilinear)"""
    mean: Means | None = None
    """what is subtracted from each channel, pixels in [0, 1] (default: the weights' own, else the training images')"""
    std: Deviations | None = None
    """what each channel is divided by then (default: likewise)"""
    held_out: Fraction = 0.1
    """fraction of the train split kept aside, stratified by class, to watch and select by"""
    test: Fraction = 0.2
    """fraction cut off as the test split, stratified, where the set has none of its own"""
    train_images: Count | None = None
    """training images to use at most, after the other splits are cut off; stratified by class (default: all)"""
    split_seed: Annotated[int, Field(ge=0)] = 0
    """seed of the cut into train, held-out and test; independent of train.seed"""
    folds: Annotated[int, Field(ge=2, le=1000)] | None = None
    """cross-validation: parts of the images outside the set's test split; a model for each, and one of all images"""
    fold: Count | None = None
    """train the model of this fold alone, counted from 1: the fold is its test split (default: all of them)"""
    groups: str | None = None
    """images that stay in one split: near-duplicates, or a Parquet column whose equal values mark them"""
    memory: Annotated[float, Field(ge=0)] = 4.0
    """largest set held in memory, in GiB: decoded, and of Parquet files encoded; larger ones are read as needed"""
    workers: Annotated[int, Field(ge=0, le=256)] | None = None
    """processes that decode a streamed set (default: one per core, at most 8)"""
    cache: CacheUse = "on"
    """decoded images kept on disk: for files of the same times, of the same contents, or neither read nor written"""
    on_bad_image: OnBadImage = "error"
    """stop at an image that cannot be decoded, or leave it out and name it"""
    unlabelled: OnUnlabelled = "error"
    """stop at an image without a label (of a Parquet set: null, NaN or -1), or leave all such images out"""

    @field_validator("cache", mode="before")
    @classmethod
    def _is_no_boolean(cls, value: Any) -> Any:
        """To YAML a bare ``on`` is true."""
        return {True: "on", False: "off"}[value] if isinstance(value, bool) else value
