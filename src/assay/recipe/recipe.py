"""The recipe: everything that decides how a model is trained, in frozen and typed sections."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Self

import yaml
from pydantic import ValidationError, model_validator

from assay.base.registry import nearest
from assay.base.strict_model import StrictModel
from assay.base.strict_yaml import parse_yaml
from assay.recipe.sections import (
    AugmentSection,
    DataSection,
    LossSection,
    ModelSection,
    OptimSection,
    ProbeSection,
    ScheduleSection,
    TestSection,
    TrainSection,
    TransferSection,
)


class Recipe(StrictModel):
    """All that decides how a model is trained; equal recipes give equal runs."""

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

    @model_validator(mode="after")
    def _selection_has_its_split(self) -> Self:
        if self.train.select == "held-out" and self.data.held_out == 0:
            raise ValueError("train.select held-out needs data.held_out above 0; or choose last")
        if self.train.patience and self.train.select == "last":
            raise ValueError("train.patience needs train.select held-out or test: the last epoch is no better or worse")
        return self

    @model_validator(mode="after")
    def _each_field_has_an_effect(self) -> Self:
        changed = self.augment.model_dump(exclude={"where"}, exclude_defaults=True)
        if self.augment.where != "train" and not changed.keys() - {"mixup", "cutmix"}:
            raise ValueError(f"augment.where {self.augment.where} changes nothing: no augmentation is on")
        if self.augment.where == "test" and (self.augment.mixup or self.augment.cutmix):
            raise ValueError("augment.where test: mixup and cutmix are for the training images alone")
        if self.train.batch_size % self.train.accumulate:
            raise ValueError(f"train.accumulate: {self.train.accumulate} does not divide {self.train.batch_size}")
        return self

    @model_validator(mode="after")
    def _gradients_are_those_of_the_batch(self) -> Self:
        if self.probe.every is None:
            if self.probe.step_sizes is not None:
                raise ValueError("probe.step_sizes changes nothing without probe.every")
            return self
        in_the_way = {
            "train.accumulate": self.train.accumulate > 1,
            "train.precision fp16": self.train.precision == "fp16",
            "optim.clip": self.optim.clip is not None,
        }
        for name, is_set in in_the_way.items():
            if is_set:
                raise ValueError(f"probe.every measures the gradient of a whole batch as it is: not with {name}")
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
            check_field(name)
            section, field = name.split(".")
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
            if section not in _sections():
                check_field(f"{section}.")
            for field in fields:
                check_field(f"{section}.{field}")
        try:
            return cls.model_validate(values)
        except ValidationError as error:
            raise ValueError(_one_line(error)) from None

    @classmethod
    def from_yaml(cls, text: str) -> Recipe:
        """The inverse of :meth:`to_yaml`. Raises ``ValueError`` as :meth:`from_dict` does, and where a key is twice."""
        values = parse_yaml(text)
        values = {} if values is None else values
        if not isinstance(values, dict):
            raise ValueError(f"a recipe is a mapping of sections, not {type(values).__name__}")
        return cls.from_dict(values)

    def to_dict(self) -> dict[str, Any]:
        """Nested dictionaries of plain values, without the fields that are None and sections of nothing else."""
        sections = self.model_dump(mode="json", exclude_none=True)
        return {name: fields for name, fields in sections.items() if fields}

    def to_yaml(self) -> str:
        """The recipe as YAML, sections and fields in the order of this file."""
        return yaml.safe_dump(self.to_dict(), sort_keys=False)

    def differences(self, other: Recipe) -> dict[str, tuple[Any, Any]]:
        """The dotted fields in which the two differ, each with (this value, the other's)."""
        pairs = {name: (self.get(name), other.get(name)) for name in field_names()}
        return {name: pair for name, pair in pairs.items() if pair[0] != pair[1]}

    def get(self, name: str) -> Any:
        """The value of the field of that dotted name; raises ``ValueError`` for an unknown field."""
        check_field(name)
        section, field = name.split(".")
        return getattr(getattr(self, section), field)

    def flat(self) -> dict[str, Any]:
        """The values of :meth:`to_dict` under dotted names."""
        return {
            f"{section}.{name}": value for section, fields in self.to_dict().items() for name, value in fields.items()
        }


def read_recipe(path: Path) -> Recipe:
    """A recipe from a YAML file; raises ``ValueError`` that names the file."""
    try:
        return Recipe.from_yaml(path.read_text())
    except FileNotFoundError:
        raise ValueError(f"{path}: no such recipe file") from None
    except (ValueError, OSError, RecursionError) as error:
        raise ValueError(f"{path}: {error}") from None


def field_names() -> list[str]:
    """The dotted name of every field of a recipe."""
    return [f"{section}.{field}" for section, kind in _sections().items() for field in kind.model_fields]


def describe_field(name: str) -> tuple[str, str, Any]:
    """A field's description, its type with its range in words, and its default."""
    section, field = name.split(".")
    info = _sections()[section].model_fields[field]
    return info.description or "", _range_in_words(name), info.default


def field_schema(name: str) -> list[dict[str, Any]]:
    """What a field can hold, besides null, as parts of a JSON schema of which a value has to fit one."""
    section, field = name.split(".")
    schema = _sections()[section].model_json_schema()["properties"][field]
    return [part for part in schema.get("anyOf", [schema]) if part.get("type") != "null"]


def check_field(name: str) -> None:
    """Raise ``ValueError`` with the nearest name where a recipe has no field of that dotted name."""
    if name not in field_names():
        within = [known for known in field_names() if known.startswith(f"{name.partition('.')[0]}.")]
        raise ValueError(f"unknown field {name}: {nearest(name, within or _sections())}")


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


def _sections() -> dict[str, type[StrictModel]]:
    annotations = {name: info.annotation for name, info in Recipe.model_fields.items()}
    return {name: kind for name, kind in annotations.items() if isinstance(kind, type)}


def _range_in_words(name: str) -> str:
    """From the JSON schema, so that help and errors cannot disagree with the check."""
    return " or ".join(_part_in_words(part) for part in field_schema(name))


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
    name = f"{place[0]}.{place[1]}"
    reason = f" ({first['ctx']['error']})" if first["type"] == "value_error" else ""
    options = [option for part in field_schema(name) for option in part.get("enum", ())]
    hint = f"; {nearest(str(first['input']), options)}" if options else ""
    return f"{name}: {first['input']!r} is not {_range_in_words(name)}{reason}{hint}"
