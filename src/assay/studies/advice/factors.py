"""The fields in which the rows of a study differ, the tested levels of each, and the values between them."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from assay.base.numbers import is_number
from assay.recipe.fields import field_names
from assay.recipe.recipe import Recipe

_ORDERS_APART = 3.0  # levels that span more than this factor are compared by their ratios


@dataclass(frozen=True)
class Factor:
    """A field of the recipe in which rows differ.

    Attributes:
        name: dotted.
        levels: the values that were tested, the reference's first, the others as they appear.
    """

    name: str
    levels: tuple[Any, ...]

    @property
    def is_numeric(self) -> bool:
        """Whether all levels are numbers, so that there are values between them."""
        return all(is_number(level) for level in self.levels)

    @property
    def is_logarithmic(self) -> bool:
        """Whether the levels are positive numbers that span more than a factor of 3."""
        return self.is_numeric and min(self.levels) > 0 and max(self.levels) > _ORDERS_APART * min(self.levels)

    def encode(self, level: Any) -> list[float]:
        """Return the coordinates of a level, scaled so that tested levels are at most 1 apart along each.

        A number becomes one coordinate, 0 at the lowest tested level and 1 at the highest, linear in its logarithm
        where :attr:`is_logarithmic`. Any other level is one-hot over the levels without the reference's.
        """
        if not self.is_numeric:
            return [float(level == other) for other in self.levels[1:]]
        # A factor has two different levels, so high is above low.
        low, high = self._position(min(self.levels)), self._position(max(self.levels))
        return [(self._position(level) - low) / (high - low)]

    def around(self, level: Any) -> list[Any]:
        """Return values to try around a tested level; none where the levels are not numbers.

        They lie half-way to the tested levels next to it (at the geometric mean where :attr:`is_logarithmic`), and
        one step beyond the lowest or the highest level. Whole numbers stay whole; others keep 3 digits.
        """
        if not self.is_numeric:
            return []
        here, others = self._position(level), sorted(self._position(other) for other in self.levels)
        below, above = [p for p in others if p < here][-1:], [p for p in others if p > here][:1]
        steps = [(here + other) / 2 for other in below + above]
        if not (below and above):
            steps += [2 * here - other for other in below + above]
        return [self._level(position) for position in sorted(steps)]

    def _position(self, level: float) -> float:
        return math.log(level) if self.is_logarithmic else float(level)

    def _level(self, position: float) -> float:
        value = math.exp(position) if self.is_logarithmic else position
        return round(value) if all(isinstance(level, int) for level in self.levels) else float(f"{value:.3g}")


def find_factors(recipes: Sequence[Recipe], reference: Recipe) -> list[Factor]:
    """Return the fields in which recipes differ from the reference, in the recipe's order, without the seed."""
    found: dict[str, list[Any]] = {}
    for recipe in recipes:
        for name, (there, here) in reference.differences(recipe).items():
            levels = found.setdefault(name, [there])
            if here not in levels:
                levels.append(here)
    return [Factor(name, tuple(found[name])) for name in field_names() if name in found and name != "train.seed"]


def in_words(changes: Mapping[str, Any]) -> str:
    """Write levels as tables name them.

    >>> in_words({"optim.name": "adam", "optim.lr": 0.001, "optim.clip": None})
    'optim.name adam + optim.lr 0.001 + optim.clip default'
    """
    return " + ".join(f"{name} {value_in_words(value)}" for name, value in changes.items())


def value_in_words(value: Any) -> str:
    """Write a level as tables name it."""
    if value is None or isinstance(value, bool):
        return {None: "default", True: "true", False: "false"}[value]
    if isinstance(value, tuple):
        return f"({', '.join(map(value_in_words, value))})"
    return f"{value:g}" if isinstance(value, float) else str(value)
