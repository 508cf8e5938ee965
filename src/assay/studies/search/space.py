"""Which values a search may try: a recipe's fields, each with a range or a list."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution, IntDistribution
from pydantic import ValidationError

from assay.base.numbers import is_number
from assay.base.registry import nearest
from assay.recipe.recipe import Recipe, check_field, parse_value
from assay.run.folder import WITHOUT_EFFECT
from assay.studies.search.limits import Limits, limits_of, rounded

_YARDSTICK = frozenset(
    {
        *("data.name", "data.label", "data.held_out", "data.test", "data.split_seed", "data.on_bad_image"),
        *("train.seed", "train.select"),
    }
)
_OWN_SCALE = 10.0  # a field without narrow limits goes from its own value over this to its own value times this
_SMALL = frozenset({"optim.weight_decay"})  # their limits are narrow, but only their order of magnitude counts


@dataclass(frozen=True)
class Range:
    """All numbers from ``low`` to ``high``, ends included.

    Attributes:
        low: the lowest.
        high: the highest.
        log: whether equal ratios, not equal steps, are equally likely.
        whole: whether only whole numbers are meant.
    """

    low: float
    high: float
    log: bool
    whole: bool

    def distribution(self) -> BaseDistribution:
        """As Optuna takes it."""
        if self.whole:
            return IntDistribution(int(self.low), int(self.high), log=self.log)
        return FloatDistribution(self.low, self.high, log=self.log)

    def value(self, drawn: float) -> float:
        """What the recipe takes for a number of Optuna's."""
        return int(drawn) if self.whole else min(max(rounded(drawn), self.low), self.high)

    def drawn(self, value: Any) -> float | None:
        """Optuna's number for a recipe's value; None where it is out of the range."""
        return value if value is not None and self.low <= value <= self.high else None

    def __str__(self) -> str:
        return f"{self.low:g} to {self.high:g}{', log scale' if self.log else ''}"


@dataclass(frozen=True)
class Choices:
    """A few values without an order, under the texts that stand for them."""

    values: Mapping[str, Any]

    def distribution(self) -> BaseDistribution:
        """As Optuna takes it."""
        return CategoricalDistribution(tuple(self.values))

    def value(self, drawn: str) -> Any:
        """What the recipe takes for a choice of Optuna's."""
        return self.values[drawn]

    def drawn(self, value: Any) -> str | None:
        """Optuna's choice for a recipe's value; None where it is not among them."""
        return next((text for text, one in self.values.items() if one == value), None)

    def __str__(self) -> str:
        return ", ".join(self.values)


Space = Mapping[str, Range | Choices]


def values_of(space: Space, drawn: Mapping[str, Any]) -> dict[str, Any]:
    """The recipe's values, by dotted name, for what Optuna has drawn."""
    return {name: space[name].value(one) for name, one in drawn.items()}


def drawn_of(space: Space, recipe: Recipe) -> dict[str, Any] | None:
    """What Optuna would have drawn for a recipe's own values; None where one of them is not in the space."""
    drawn = {name: kind.drawn(recipe.get(name)) for name, kind in space.items()}
    return None if None in drawn.values() else drawn


def read_space(recipe: Recipe, fields: Sequence[str]) -> Space:
    """The values to try.

    Args:
        recipe: whose own values give a range to fields that come without one.
        fields: ``optim.lr`` (a range around the recipe's own value, or all of the field's values),
            ``optim.lr=0.001..0.3`` (a range; with ``:log`` or ``:linear`` at its end, else on a log scale
            where both ends are positive and a factor of 10 or more apart), or ``train.batch_size=64,128`` (values).

    Raises:
        ValueError: one line that names the field, what was expected, and the nearest valid choice.
    """
    space: dict[str, Range | Choices] = {}
    for text in fields:
        name, given, values = text.partition("=")
        _check_field(name)
        if name in space:
            raise ValueError(f"{name}: given twice; name all of its values at once")
        limits = limits_of(name)
        space[name] = _given(recipe, name, limits, values) if given else _own_range(recipe, name, limits)
    if not space:
        raise ValueError("no field to search over; name one, such as optim.lr")
    return space


def _check_field(name: str) -> None:
    check_field(name)
    if name in _YARDSTICK:
        raise ValueError(f"{name}: cannot be searched over, for it decides by what recipes are compared")
    if name in WITHOUT_EFFECT:
        raise ValueError(f"{name}: cannot be searched over, for it changes no number of a run")


def _given(recipe: Recipe, name: str, limits: Limits, text: str) -> Range | Choices:
    """``LOW..HIGH``, with a scale or without, or ``A,B,...``."""
    if limits.is_number and ".." in text:
        low, _, rest = text.partition("..")
        high, colon, scale = rest.partition(":")
        return _range(recipe, name, limits, (low, high), scale if colon else None)
    texts = re.findall(r"\[[^]]*]|[^,]+", text)
    values = {one: _checked(recipe, name, one if one in limits.options else parse_value(one)) for one in texts}
    if len(values) < max(2, len(texts)):
        raise ValueError(f"{name}={text}: expected LOW..HIGH, or two or more different values: {name}=A,B")
    return Choices(values)


def _range(recipe: Recipe, name: str, limits: Limits, ends: tuple[str, str], scale: str | None) -> Range:
    text = f"{name}={'..'.join(ends)}"
    if scale not in (None, "log", "linear"):
        raise ValueError(f"{text}: unknown scale {scale!r}: {nearest(scale, ['log', 'linear'])}")
    low, high = (parse_value(end) for end in ends)
    if not all(is_number(end) for end in (low, high)):
        raise ValueError(f"{text}: expected two numbers, as {name}=LOW..HIGH")
    low, high = (_checked(recipe, name, end) for end in (low, high))
    if low >= high:
        raise ValueError(f"{text}: {low} is not below {high}")
    if scale == "log" and low <= 0:
        raise ValueError(f"{text}:log: a log scale begins above 0")
    wide = low > 0 and high / low >= _OWN_SCALE
    return Range(low, high, log=wide if scale is None else scale == "log", whole=limits.kind == "integer")


def _checked(recipe: Recipe, name: str, value: Any) -> Any:
    """The value as the field takes it; whether it goes with the other fields is found when it is tried."""
    section, field = name.split(".")
    try:
        return getattr(type(getattr(recipe, section)).model_validate({field: value}), field)
    except ValidationError:
        recipe.but({name: value})  # says so in a line
        raise


def _own_range(recipe: Recipe, name: str, limits: Limits) -> Range | Choices:
    own = recipe.get(name)
    if limits.options:
        without = {"null": None} if own is None else {}
        return Choices(without | {text: _checked(recipe, name, text) for text in limits.options})
    if limits.is_number and limits.is_narrow and name not in _SMALL:
        return Range(*limits.within(), log=False, whole=False)
    if limits.is_number and own:
        low, high = limits.around(own, _OWN_SCALE)
        if low < high:
            return Range(low, high, log=True, whole=limits.kind == "integer")
    example = f"{name}=LOW..HIGH or {name}=A,B" if limits.is_number else f"{name}=A,B"
    shown = "default" if own is None else own
    raise ValueError(f"{name}: its own value ({shown}) gives no range; say which values, as {example}")
