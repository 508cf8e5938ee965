"""The header of a model file: every field with its type and range, checked before anything is built from it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, JsonValue, ValidationError, model_validator

from assay.base.strict_model import Count, Fraction, Probability
from assay.base.text import quoted, shorten
from assay.data.choices import SMALLEST_STD, Interpolation, OnBadImage, OnUnlabelled
from assay.data.preprocess import LARGEST_SIDE, Preprocessing
from assay.models.weights import InputForm

Whole = Annotated[int, Field(ge=0)]
Side = Annotated[int, Field(ge=1, le=LARGEST_SIDE)]
Crop = Annotated[float, Field(gt=0, le=1)]
Means = Annotated[list[Probability], Field(min_length=1, max_length=3)]
Deviations = Annotated[
    list[Annotated[float, Field(ge=SMALLEST_STD, allow_inf_nan=False)]], Field(min_length=1, max_length=3)
]


def _gray_or_color(channels: int) -> int:
    if channels not in (1, 3):
        raise ValueError(f"should be 1 or 3, not {channels}")
    return channels


def _distinct(names: list[str]) -> list[str]:
    if len(set(names)) < len(names):
        twice = next(name for place, name in enumerate(names) if name in names[:place])
        raise ValueError(f"each class should have a name of its own, {shorten(twice, 40)!r} is there twice")
    return names


def _named(options: dict[str, Any]) -> dict[str, Any]:
    if not isinstance(options.get("name"), str):
        raise ValueError("should have the name of a network")
    return options


class _Part(BaseModel):
    """Values as JSON has them: ``true`` is no number, and 5 no text."""

    model_config = ConfigDict(strict=True, frozen=True)


class _Input(_Part):
    """How an image becomes the network's input: the fields of ``Preprocessing``."""

    model_config = ConfigDict(extra="forbid")

    channels: Annotated[int, AfterValidator(_gray_or_color)]
    stored: Side
    size: Side
    mean: Means
    std: Deviations
    crop_pct: Crop | None = None
    interpolation: Interpolation = "bilinear"

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        if not len(self.mean) == len(self.std) == self.channels:
            raise ValueError(f"should have a mean and std for each of {self.channels} channels")
        if self.stored > self.size:  # what is decoded is only ever enlarged, and memory is planned by the size
            raise ValueError(f"stored should be at most the size, {self.size}, not {self.stored}")
        return self


class _InputForm(_Part):
    """The input that pretrained weights were trained on: the fields of ``InputForm``."""

    model_config = ConfigDict(extra="forbid")

    size: Side | None = None
    interpolation: str | None = None
    crop_pct: Crop | None = None
    mean: Means | None = None
    std: Deviations | None = None


class _Open(_Part):
    """Fields that assay reads, and any others, which it keeps."""

    model_config = ConfigDict(extra="allow")
    __pydantic_extra__: dict[str, JsonValue]

    def given(self) -> dict[str, Any]:
        """Return the fields that are in the file, as they are there."""
        return self.model_dump(exclude_unset=True)


class _Data(_Open):
    """The set of images that the network was trained on, and how it was cut."""

    name: str | None = None
    label: str | None = None
    groups: str | None = None
    on_bad_image: OnBadImage | None = None
    unlabelled: OnUnlabelled | None = None
    held_out: Fraction = 0.0
    test: Fraction = 0.0
    split_seed: Whole = 0
    train_images: Count | None = None
    folds: Annotated[int, Field(ge=2)] | None = None
    fold: Count | None = None
    images: dict[str, str] = {}

    @model_validator(mode="after")
    def _says_how_it_was_cut(self) -> Self:
        missing = {"held_out", "test", "split_seed"} - self.model_fields_set
        if self.name is not None and missing:
            raise ValueError(
                f"should say how {shorten(self.name, 60)} was cut, but has no {', '.join(sorted(missing))}"
            )
        return self


class _Metrics(_Open):
    """What was measured of the network."""

    epoch: Whole = 0
    views: str = "none"
    sure: Annotated[float, Field(gt=0, le=1)] | None = None
    test_augmented: bool = False


class Header(_Part):
    """Everything in a model file but the weights; fields of later versions are ignored.

    Attributes:
        version: of assay, that wrote the file.
        architecture: the network's name and options.
        classes: distinct names.
        preprocessing: how an image becomes the network's input.
        data: the images of the training.
        metrics: what was measured.
        pretrained_input: the input of the weights with which the training began.
    """

    model_config = ConfigDict(extra="ignore")

    version: str
    architecture: Annotated[dict[str, bool | int | float | str | None], AfterValidator(_named)]
    classes: Annotated[list[str], Field(min_length=1), AfterValidator(_distinct)]
    preprocessing: _Input
    data: _Data = _Data()
    metrics: _Metrics = _Metrics()
    pretrained_input: _InputForm | None = None

    @classmethod
    def parse(cls, text: str, path: Path) -> Self:
        """Read the header of the file at ``path``; raises ``ValueError`` with a line that names file and field."""
        try:
            values = json.loads(text)
        except (ValueError, RecursionError) as error:
            raise ValueError(f"{path}: its header is not JSON ({error})") from None
        if not isinstance(values, dict):
            raise ValueError(f"{path}: its header is not a mapping")
        try:
            return cls.model_validate(values)
        except ValidationError as error:
            raise ValueError(f"{path}: {_first_error(error)}") from None

    def input(self) -> Preprocessing:
        """Return the preprocessing; raises ``ValueError`` if it scales images beyond all measure."""
        return Preprocessing.from_dict(self.preprocessing.model_dump())

    def input_of_weights(self) -> InputForm | None:
        """Return the input of the weights with which the training began, if it is known."""
        return InputForm.from_dict(self.pretrained_input.model_dump()) if self.pretrained_input else None


def _first_error(error: ValidationError) -> str:
    """Say in a line what is wrong with the first field that is."""
    first = error.errors(include_url=False)[0]
    field = ".".join(str(part) for part in first["loc"][:3])
    reason = str(first["msg"]).removeprefix("Value error, ").replace(" after validation", "")
    if first["type"] in ("model_type", "dict_type"):  # pydantic names the class
        reason = "should be a mapping"
    has_value = first["type"] in ("missing", "value_error", "too_long", "too_short")
    found = "" if has_value else f", not {quoted(first['input'], 60)}"
    return f"the field {shorten(field, 60)} of its header: {reason[0].lower()}{reason[1:]}{found}"
