"""The space of a search: a recipe's fields, each with the range or the list of its values."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution, IntDistribution
from pydantic import ValidationError

from assay.base.json_files import JsonObject
from assay.base.numbers import is_number
from assay.base.registry import nearest
from assay.recipe.fields import check_field, field_schema, parse_field, parse_value
from assay.recipe.recipe import Recipe
from assay.run.folder import WITHOUT_EFFECT

_DATA = ("data.name", "data.label", "data.held_out", "data.test", "data.split_seed", "data.on_bad_image")
_COMPARISON_FIELDS = frozenset({*_DATA, "train.seed", "train.select"})  # accuracies compare only if these are equal
_OWN_FACTOR = 10.0  # a field's own range goes from its value divided by this to its value times this
_SMALL = frozenset({"optim.weight_decay"})  # narrow limits, but only the order of magnitude matters
_MARGIN = 1e-3  # distance from a limit that is itself excluded, as a share of the field's span


@dataclass(frozen=True)
class Range:
    """All numbers from ``low`` to ``high``, ends included.

    Attributes:
        low: the lowest.
        high: the highest.
        log: draw uniformly on a logarithmic scale.
        whole: only whole numbers.
    """

    low: float
    high: float
    log: bool
    whole: bool

    def distribution(self) -> BaseDistribution:
        """Return the range as Optuna takes it."""
        if self.whole:
            return IntDistribution(int(self.low), int(self.high), log=self.log)
        return FloatDistribution(self.low, self.high, log=self.log)

    def value(self, drawn: float) -> float:
        """Return the recipe's value for a number that Optuna has drawn."""
        # More digits than four make no difference and are hard to read. Rounding may step over an end.
        return int(drawn) if self.whole else min(max(rounded(drawn), self.low), self.high)

    def drawn(self, value: Any) -> float | None:
        """Return Optuna's number for a recipe's value; None if it is out of the range."""
        return value if value is not None and self.low <= value <= self.high else None

    def __str__(self) -> str:
        return f"{self.low:g} to {self.high:g}{', log scale' if self.log else ''}"


@dataclass(frozen=True)
class Choices:
    """A few values without an order, under their texts, because Optuna stores texts but no lists."""

    values: Mapping[str, Any]

    def distribution(self) -> BaseDistribution:
        """Return the choices as Optuna takes them."""
        return CategoricalDistribution(tuple(self.values))

    def value(self, drawn: str) -> Any:
        """Return the recipe's value for a choice that Optuna has drawn."""
        return self.values[drawn]

    def drawn(self, value: Any) -> str | None:
        """Return Optuna's choice for a recipe's value; None if it is not among them."""
        return next((text for text, one in self.values.items() if one == value), None)

    def __str__(self) -> str:
        return ", ".join(self.values)


Space = Mapping[str, Range | Choices]


def rounded(number: float) -> float:
    """Round to four significant digits."""
    return float(f"{number:.4g}")


def values_of(space: Space, drawn: Mapping[str, Any]) -> dict[str, Any]:
    """Return the recipe's values, by dotted name, for what Optuna has drawn."""
    return {name: space[name].value(one) for name, one in drawn.items()}


def drawn_of(space: Space, recipe: Recipe) -> dict[str, Any] | None:
    """Return what Optuna would have drawn for a recipe's own values; None if one of them is not in the space."""
    drawn = {name: kind.drawn(recipe.get(name)) for name, kind in space.items()}
    return None if None in drawn.values() else drawn


def read_space(recipe: Recipe, fields: Sequence[str]) -> Space:
    """Read the values to try.

    Args:
        recipe: its own values give a range to the fields that come without one.
        fields: ``optim.lr`` (a range around the recipe's own value, or all of the field's values),
            ``optim.lr=0.001..0.3`` (a range; with ``:log`` or ``:linear`` at its end, else on a log scale
            if both ends are positive and a factor of 10 or more apart), or ``train.batch_size=64,128`` (values).

    Raises:
        ValueError: one line that names the field, what was expected, and the nearest valid choice.
    """
    space: dict[str, Range | Choices] = {}
    for text in fields:
        name, equals, values = text.partition("=")
        check_field(name)
        if name in _COMPARISON_FIELDS:
            raise ValueError(f"{name}: cannot be searched over, for it decides by what recipes are compared")
        if name in WITHOUT_EFFECT:
            raise ValueError(f"{name}: cannot be searched over, for it changes no number of a run")
        if name in space:
            raise ValueError(f"{name}: given twice; name all of its values at once")
        [schema] = field_schema(name)  # every field has one type, besides null
        field = _Field(recipe, name, schema)
        space[name] = field.read(values) if equals else field.own_range()
    if not space:
        raise ValueError("no field to search over; name one, such as optim.lr")
    return space


@dataclass(frozen=True)
class _Field:
    """A field of a recipe, with the JSON schema of its values."""

    recipe: Recipe
    name: str
    schema: JsonObject

    @property
    def is_number(self) -> bool:
        """Whether the field holds numbers."""
        return self.schema["type"] in ("integer", "number")

    @property
    def is_whole(self) -> bool:
        """Whether the field holds whole numbers only."""
        return bool(self.schema["type"] == "integer")

    @property
    def options(self) -> tuple[str, ...]:
        """All values of the field as texts, if they are few; else empty."""
        return ("true", "false") if self.schema["type"] == "boolean" else tuple(self.schema.get("enum", ()))

    def read(self, text: str) -> Range | Choices:
        """Read ``LOW..HIGH``, with a scale or without, or ``A,B,...``."""
        if self.is_number and ".." in text:
            low, _, rest = text.partition("..")
            high, colon, scale = rest.partition(":")
            return self._read_range(low, high, scale if colon else None)
        texts = re.findall(r"\[[^]]*]|[^,]+", text)  # a list in brackets is one value
        values = {one: self._check(parse_field(self.name, one)) for one in texts}
        if len(values) < max(2, len(texts)):
            raise ValueError(
                f"{self.name}={text}: expected LOW..HIGH, or two or more different values: {self.name}=A,B"
            )
        return Choices(values)

    def own_range(self) -> Range | Choices:
        """Return all the field's values if they are few or between narrow limits, else a range around its own."""
        own, schema = self.recipe.get(self.name), self.schema
        if self.options:
            without = {"null": None} if own is None else {}
            return Choices(without | {text: self._check(text) for text in self.options})
        bounds = {"exclusiveMinimum": -math.inf, "exclusiveMaximum": math.inf, **schema}
        low, high = (bounds.get(end, bounds[f"exclusive{end.title()}"]) for end in ("minimum", "maximum"))
        if self.is_number and high - low <= 1 and self.name not in _SMALL:  # such as a probability
            margin = _MARGIN * (high - low)
            low, high = low + margin * ("exclusiveMinimum" in schema), high - margin * ("exclusiveMaximum" in schema)
            return Range(low, high, log=False, whole=False)
        if self.is_number and own:  # no factor leads away from 0
            low, high = max(rounded(own / _OWN_FACTOR), low), min(rounded(own * _OWN_FACTOR), high)
            if self.is_whole:
                low, high = math.ceil(low), math.floor(high)
            if low < high:
                return Range(low, high, log=True, whole=self.is_whole)
        example = f"{self.name}=LOW..HIGH or {self.name}=A,B" if self.is_number else f"{self.name}=A,B"
        shown = "default" if own is None else own
        raise ValueError(f"{self.name}: its own value ({shown}) gives no range; say which values, as {example}")

    def _read_range(self, first: str, last: str, scale: str | None) -> Range:
        text = f"{self.name}={first}..{last}"
        if scale not in (None, "log", "linear"):
            raise ValueError(f"{text}: unknown scale {scale!r}: {nearest(scale, ['log', 'linear'])}")
        ends = parse_value(first), parse_value(last)
        if not all(is_number(end) for end in ends):
            raise ValueError(f"{text}: expected two numbers, as {self.name}=LOW..HIGH")
        low, high = (self._check(end) for end in ends)
        if low >= high:
            raise ValueError(f"{text}: {low} is not below {high}")
        if scale == "log" and low <= 0:
            raise ValueError(f"{text}:log: a log scale begins above 0")
        is_wide = low > 0 and high / low >= _OWN_FACTOR
        return Range(low, high, log=is_wide if scale is None else scale == "log", whole=self.is_whole)

    def _check(self, value: Any) -> Any:
        """Return the value as the field takes it; whether it suits the other fields is found when it is tried."""
        section, field = self.name.split(".")
        try:
            return getattr(type(getattr(self.recipe, section)).model_validate({field: value}), field)
        except ValidationError:
            self.recipe.but({self.name: value})  # raises the same complaint in one line
            raise
