"""The recipe: everything that decides how a model is trained, in frozen and typed sections."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Self

from pydantic import ValidationError, model_validator

from assay.base.strict_yaml import dump_yaml, parse_yaml, read_yaml
from assay.base.text import quoted, shorten
from assay.recipe.fields import check_field, field_names, first_error, section_types
from assay.recipe.sections import SMALL_SHARE, Sections


class Recipe(Sections):
    """All that decides how a model is trained; equal recipes give equal runs."""

    @model_validator(mode="after")
    def _selection_has_its_split(self) -> Self:
        if self.train.select == "held-out" and self.data.held_out == 0:
            raise ValueError("train.select held-out needs data.held_out above 0; or choose last")
        if self.train.patience and self.train.select == "last":
            raise ValueError("train.patience needs train.select held-out or test: the last epoch is no better or worse")
        return self

    @model_validator(mode="after")
    def _stops_at_the_end_at_the_latest(self) -> Self:
        if (self.train.stop_after or 0) > self.train.epochs:
            raise ValueError(f"train.stop_after: {self.train.stop_after} is more than train.epochs {self.train.epochs}")
        return self

    @model_validator(mode="after")
    def _last_epochs_see_the_largest_images(self) -> Self:
        share, ramp = self.train.small_share or SMALL_SHARE, self.train.small_ramp or 0
        if share + ramp > 1:
            raise ValueError(f"train.small_share {share} and small_ramp {ramp}: more than all of the epochs")
        return self

    @model_validator(mode="after")
    def _mean_has_its_deviation(self) -> Self:
        mean, std = self.data.mean, self.data.std
        if (mean is None) != (std is None):
            raise ValueError("data.mean and data.std: give both of them, or neither")
        if mean and std and len(mean) != len(std):
            raise ValueError(f"data.mean and data.std: {len(mean)} and {len(std)} numbers; give one of each a channel")
        return self

    @model_validator(mode="after")
    def _a_fold_is_a_test_split(self) -> Self:
        data = self.data
        if data.fold is not None and data.fold > (data.folds or 0):
            raise ValueError(f"data.fold: {data.fold} is not one of data.folds ({data.folds or 'which is not given'})")
        if data.folds and self.train.select == "test":
            raise ValueError("train.select test: nothing may be selected on a fold that the model is tested on")
        return self

    @model_validator(mode="after")
    def _each_field_has_an_effect(self) -> Self:
        changed = self.augment.model_dump(exclude={"where"}, exclude_defaults=True)
        if self.augment.where != "train" and not changed.keys() - {"mixup", "cutmix"}:
            raise ValueError(f"augment.where {self.augment.where} changes nothing: no augmentation is on")
        if self.augment.where == "test" and (self.augment.mixup or self.augment.cutmix):
            raise ValueError("augment.where test: mixup and cutmix are for the training images alone")
        for name in ("small_share", "small_ramp"):
            if self.train.small_size is None and getattr(self.train, name) is not None:
                raise ValueError(f"train.{name} changes nothing without train.small_size")
        if self.train.lookahead is None and (self.train.lookahead_share or self.train.lookahead_curve):
            raise ValueError("train.lookahead_share and lookahead_curve change nothing without train.lookahead")
        if self.train.lookahead and self.train.ema:
            raise ValueError("train.lookahead and train.ema: both say which weights are kept; choose one of them")
        if self.test.sure is not None and self.test.views == "none":
            raise ValueError("test.sure changes nothing without test.views")
        if self.train.batch_size % self.train.accumulate:
            raise ValueError(f"train.accumulate: {self.train.accumulate} does not divide {self.train.batch_size}")
        return self

    @model_validator(mode="after")
    def _one_rule_says_what_learns(self) -> Self:
        if self.schedule.freeze_out is not None and self.transfer.freeze != "none":
            freeze = self.transfer.freeze
            raise ValueError(f"schedule.freeze_out and transfer.freeze {freeze}: both say what learns; choose one")
        return self

    @model_validator(mode="after")
    def _gradients_are_those_of_the_batch(self) -> Self:
        if self.probe.every is None:
            if self.probe.step_sizes is not None:
                raise ValueError("probe.step_sizes changes nothing without probe.every")
            return self
        conflicts = {
            "train.accumulate": self.train.accumulate > 1,
            "train.precision fp16": self.train.precision == "fp16",
            "optim.clip": self.optim.clip is not None,
            "schedule.freeze_out": self.schedule.freeze_out is not None,
        }
        for name, is_set in conflicts.items():
            if is_set:
                raise ValueError(f"probe.every measures the gradient of a whole batch as it is: not with {name}")
        return self

    @property
    def is_cross_validated(self) -> bool:
        """Whether it asks for a model for each fold, and a final one."""
        return self.data.folds is not None and self.data.fold is None

    @property
    def top_rate(self) -> float:
        """The rate at the schedule's factor 1, scaled with the batch where ``lr_batch`` is set (Goyal et al. 2017)."""
        return self.optim.lr * self.train.batch_size / (self.optim.lr_batch or self.train.batch_size)

    def as_trained(self) -> Recipe:
        """The recipe of the network in the run's own folder: this one, or with folds that of the final model.

        That learns from all images that are cut into folds, so that none is left to select an epoch by.
        """
        if not self.is_cross_validated:
            return self
        return self.but({"data.held_out": 0, "data.test": 0, "train.select": "last", "train.patience": None})

    def of_fold(self, number: int) -> Recipe:
        """The recipe of the model of one fold, counted from 1."""
        return self.but({"data.fold": number})

    def but(self, changes: Mapping[str, Any]) -> Recipe:
        """This recipe with some fields changed, and everything checked again.

        Args:
            changes: values under dotted names: ``{"optim.lr": 0.05}``.

        Raises:
            ValueError: one line that names the field, what was expected, and the nearest valid one.
        """
        return Recipe.from_dict(self._values_with(changes))

    def sections_with(self, changes: Mapping[str, Any]) -> Sections:
        """As :meth:`but`, but each field is checked by itself alone, and not what fields demand of each other."""
        try:
            return Sections.model_validate(self._values_with(changes))
        except ValidationError as error:
            raise ValueError(first_error(error)) from None

    def _values_with(self, changes: Mapping[str, Any]) -> dict[str, Any]:
        values = self.model_dump()  # all values, so that a check of several fields sees every one
        for name, value in changes.items():
            check_field(name)
            section, field = name.split(".")
            values[section][field] = value
        return values

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Recipe:
        """A recipe from nested dictionaries; missing fields take their defaults.

        Raises:
            ValueError: one line that names the field, what was expected, and the nearest valid one.
        """
        for section, fields in values.items():
            if not isinstance(fields, Mapping):
                raise ValueError(
                    f"section {shorten(str(section), 80)}: expected a mapping of fields, not {quoted(fields)}"
                )
            if section not in section_types():
                check_field(f"{section}.")  # fails, with the nearest section
            for field in fields:
                check_field(f"{section}.{field}")
        try:
            return cls.model_validate(values)
        except ValidationError as error:
            raise ValueError(first_error(error)) from None

    @classmethod
    def from_yaml(cls, text: str) -> Recipe:
        """The inverse of :meth:`to_yaml`. Raises ``ValueError`` as :meth:`from_dict` and ``parse_yaml`` do."""
        return cls.from_content(parse_yaml(text))

    @classmethod
    def from_content(cls, values: Any) -> Recipe:
        """A recipe from the content of a YAML file; nothing at all is the default recipe. Raises as `from_dict`."""
        values = {} if values is None else values
        if not isinstance(values, dict):
            raise ValueError(f"a recipe is a mapping of sections, not {type(values).__name__}")
        return cls.from_dict(values)

    def to_dict(self) -> dict[str, Any]:
        """Nested dictionaries of plain values, without the fields that are None and sections of nothing else."""
        sections = self.model_dump(mode="json", exclude_none=True)
        return {name: fields for name, fields in sections.items() if fields}

    def to_yaml(self) -> str:
        """The recipe as YAML, sections and fields in the order of their classes."""
        return dump_yaml(self.to_dict())

    def differences(self, other: Recipe) -> dict[str, tuple[Any, Any]]:
        """The dotted fields in which the two differ, each with (this value, the other's)."""
        pairs = {name: (self.get(name), other.get(name)) for name in field_names()}
        return {name: pair for name, pair in pairs.items() if pair[0] != pair[1]}

    def get(self, name: str) -> Any:
        """The value of the field of that dotted name; raises ``ValueError`` for an unknown field."""
        check_field(name)
        return super().get(name)

    def flat(self) -> dict[str, Any]:
        """The values of :meth:`to_dict` under dotted names."""
        return {
            f"{section}.{name}": value for section, fields in self.to_dict().items() for name, value in fields.items()
        }


def read_recipe(path: Path) -> Recipe:
    """A recipe from a YAML file; raises ``ValueError`` that names the file."""
    try:
        return Recipe.from_content(read_yaml(path))
    except FileNotFoundError:
        raise ValueError(f"{path}: no such recipe file") from None
    except OSError as error:
        raise ValueError(f"{path}: {error.strerror}") from None
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from None
