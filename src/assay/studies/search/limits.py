"""The values that a field of a recipe can hold, read from the schema that also checks it."""

from __future__ import annotations

import math
from dataclasses import dataclass

from assay.recipe.fields import field_schema

_DIGITS = 4  # significant digits of a number that is tried; more make no difference and are hard to read
_MARGIN = 1e-3  # distance from a limit that is itself excluded, as a share of the field's span


@dataclass(frozen=True)
class Limits:
    """The values that a field can hold.

    Attributes:
        kind: ``integer``, ``number``, ``boolean``, ``string`` or ``array``.
        low: the lower limit, or minus infinity.
        high: the upper limit, or infinity.
        open_low: whether ``low`` itself is excluded.
        open_high: whether ``high`` itself is excluded.
        options: all its values as texts, if they are few; else empty.
    """

    kind: str
    low: float
    high: float
    open_low: bool
    open_high: bool
    options: tuple[str, ...]

    @property
    def is_number(self) -> bool:
        """Whether the field holds numbers."""
        return self.kind in ("integer", "number")

    @property
    def is_narrow(self) -> bool:
        """Whether the limits are at most 1 apart, as those of a probability are."""
        return self.high - self.low <= 1

    def within(self) -> tuple[float, float]:
        """Return a narrow field's whole range, from low to high."""
        margin = _MARGIN * (self.high - self.low)
        return self.low + margin * self.open_low, self.high - margin * self.open_high

    def around(self, value: float, factor: float) -> tuple[float, float]:
        """Return ``value / factor`` and ``value * factor``, rounded and within the limits; for a value above 0."""
        low, high = max(rounded(value / factor), self.low), min(rounded(value * factor), self.high)
        return (math.ceil(low), math.floor(high)) if self.kind == "integer" else (low, high)


def limits_of(name: str) -> Limits:
    """Return the limits of the field with that dotted name."""
    [part] = field_schema(name)  # every field has one type, besides null
    kind = part["type"]
    options = ("true", "false") if kind == "boolean" else tuple(part.get("enum", ()))
    return Limits(
        kind,
        low=part.get("minimum", part.get("exclusiveMinimum", -math.inf)),
        high=part.get("maximum", part.get("exclusiveMaximum", math.inf)),
        open_low="exclusiveMinimum" in part,
        open_high="exclusiveMaximum" in part,
        options=options,
    )


def rounded(number: float) -> float:
    """Round a number as a search tries it."""
    return float(f"{number:.{_DIGITS}g}")
