"""The recipe: everything that decides how a model is trained, in frozen and typed sections.

Every field says its unit in its description and its range in its type. A field that is None
takes the default of the thing that it configures (a model's own stem, an optimizer's own
momentum); a field that the chosen model, optimizer or schedule does not have is refused when
the run is built, never ignored.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, Self

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from assay.choices import nearest

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
    channels_last: bool = True
    """memory layout of images and filters: channels_last (True) or contiguous (False)"""
    compile: bool = False
    """compile the network with torch.compile: slower to start, then often faster"""
    checkpoint_minutes: Annotated[float, Field(ge=0, le=10_080)] = 5.0
    """minutes between checkpoints inside an epoch (0: at every step); one is written after each epoch too"""


class Recipe(Section):
    """All that decides how a model is trained; equal recipes give equal runs."""

    data: DataSection = DataSection()
    augment: AugmentSection = AugmentSection()
    model: ModelSection = ModelSection()
    optim: OptimSection = OptimSection()
    schedule: ScheduleSection = ScheduleSection()
    train: TrainSection = TrainSection()

    @model_validator(mode="after")
    def _selection_has_its_split(self) -> Self:
        if self.train.select == "held-out" and self.data.held_out == 0:
            raise ValueError("train.select held-out needs data.held_out above 0; or choose last")
        return self

    def but(self, changes: Mapping[str, Any]) -> Recipe:
        """This recipe with some fields changed, and everything checked again.

        Args:
            changes: values under dotted names: ``{"optim.lr": 0.05}``.

        Raises:
            ValueError: one line that names the field, what was expected, and the nearest valid one.
        """
        values = self.model_dump()
        for name, value in changes.items():
            section, _, field = name.partition(".")
            _check_field(name)
            values[section][field] = value
        return Recipe.from_dict(values)

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Recipe:
        """A recipe from nested dictionaries; missing fields take their defaults.

        Raises:
            ValueError: one line that names the field, what was expected, and the nearest valid one.
        """
        for section, fields in values.items():
            if not isinstance(fields, Mapping):
                raise ValueError(f"section {section}: expected a mapping of fields, not {fields!r}")
            for name in [f"{section}.{field}" for field in fields] or [f"{section}."]:
                _check_field(name)
        try:
            return cls.model_validate(values)
        except ValidationError as error:
            raise ValueError(_one_line(error)) from None

    @classmethod
    def from_yaml(cls, text: str) -> Recipe:
        """The inverse of :meth:`to_yaml`. Raises ``ValueError`` as :meth:`from_dict` does."""
        try:
            values = yaml.safe_load(text)
        except yaml.YAMLError as error:
            raise ValueError(f"not YAML: {' '.join(str(error).split())}") from None
        values = {} if values is None else values
        if not isinstance(values, dict):
            raise ValueError(f"a recipe is a mapping of sections, not {type(values).__name__}")
        return cls.from_dict(values)

    def to_dict(self) -> dict[str, Any]:
        """Nested dictionaries of plain values, without the fields that are None."""
        return self.model_dump(mode="json", exclude_none=True)

    def to_yaml(self) -> str:
        """The recipe as YAML, sections and fields in the order of this file."""
        return yaml.safe_dump(self.to_dict(), sort_keys=False)

    def differences(self, other: Recipe) -> dict[str, tuple[Any, Any]]:
        """The dotted fields in which the two differ, each with (this value, the other's)."""
        pairs = {name: (_get(self, name), _get(other, name)) for name in field_names()}
        return {name: pair for name, pair in pairs.items() if pair[0] != pair[1]}


def field_names() -> list[str]:
    """The dotted name of every field of a recipe."""
    return [f"{section}.{field}" for section, kind in _sections() for field in kind.model_fields]


def describe_field(name: str) -> tuple[str, str, Any]:
    """A field's description, its type with its range in words, and its default."""
    section, field = name.split(".")
    info = dict(_sections())[section].model_fields[field]
    return info.description or "", _range_in_words(section, field), info.default


def parse_value(text: str) -> Any:
    """A command line's text as a value: a number (1e-3 too), true, false, null, a [list], or the text itself."""
    if re.fullmatch(r"[+-]?\d+", text):
        return int(text)
    if text.lower() in ("true", "false", "null", "none"):
        return {"true": True, "false": False}.get(text.lower())
    if text.startswith("["):
        try:
            return yaml.safe_load(text)
        except yaml.YAMLError:
            return text
    try:
        return float(text)
    except ValueError:
        return text


def _sections() -> Iterator[tuple[str, type[Section]]]:
    for name, info in Recipe.model_fields.items():
        assert isinstance(info.annotation, type)
        yield name, info.annotation


def _get(recipe: Recipe, name: str) -> Any:
    section, field = name.split(".")
    return getattr(getattr(recipe, section), field)


def _check_field(name: str) -> None:
    section, _, field = name.partition(".")
    if name in field_names() or (section in dict(_sections()) and not field):
        return
    within = [known for known in field_names() if known.startswith(f"{section}.")]
    raise ValueError(f"unknown field {name}: {nearest(name, within or dict(_sections()))}")


def _range_in_words(section: str, field: str) -> str:
    """From the JSON schema, so that help and errors cannot disagree with the check."""
    schema = dict(_sections())[section].model_json_schema()["properties"][field]
    parts = [part for part in schema.get("anyOf", [schema]) if part.get("type") != "null"]
    return " or ".join(_part_in_words(part) for part in parts)


_LIMITS = {
    "minimum": "at least",
    "exclusiveMinimum": "above",
    "maximum": "at most",
    "exclusiveMaximum": "below",
}


def _part_in_words(part: Mapping[str, Any]) -> str:
    if "enum" in part:
        return ", ".join(part["enum"])
    kind = {"integer": "a whole number", "number": "a number", "boolean": "true or false", "string": "text"}
    words = kind.get(part.get("type", ""), "a list of numbers")
    limits = [f"{text} {part[key]}" for key, text in _LIMITS.items() if key in part]
    return " ".join([words, " and ".join(limits)]).strip()


def _one_line(error: ValidationError) -> str:
    """The first complaint, in the form 'data.size: 2 is not a whole number at least 4 and at most 2048'."""
    first = error.errors()[0]
    place = [str(part) for part in first["loc"]]
    if len(place) < 2:
        return str(first["msg"]).removeprefix("Value error, ")
    expected = _range_in_words(place[0], place[1])
    reason = f" ({first['ctx']['error']})" if first["type"] == "value_error" else ""
    options = dict(_sections())[place[0]].model_json_schema()["properties"][place[1]].get("enum", [])
    hint = f"; {nearest(str(first['input']), options)}" if options else ""
    return f"{place[0]}.{place[1]}: {first['input']!r} is not {expected}{reason}{hint}"
