"""What a field of a recipe can hold, read from the same schema that checks it."""

from __future__ import annotations

import math
from dataclasses import dataclass

from assay.recipe.recipe import field_schema

_DIGITS = 4  # significant ones of a number that is tried: more cannot matter, and nobody wants to read them
_MARGIN = 1e-3  # of a narrow field's span, between a limit that is out of it and a search's range


@dataclass(frozen=True)
class Limits:
    """What a field can hold.

    Attributes:
        kind: ``integer``, ``number``, ``boolean``, ``string`` or ``array``.
        low: the lower limit, or minus infinity.
        high: the upper limit, or infinity.
        open_low: whether ``low`` itself is out.
        open_high: whether ``high`` itself is out.
        options: the texts of all its values, where these are few.
    """

    kind: str
    low: float
    high: float
    open_low: bool
    open_high: bool
    options: tuple[str, ...]

    @property
    def is_number(self) -> bool:
        """Whether it holds numbers."""
        return self.kind in ("integer", "number")

    @property
    def is_narrow(self) -> bool:
        """Whether its limits are at most 1 apart, as those of a probability are."""
        return self.high - self.low <= 1

    def within(self) -> tuple[float, float]:
        """A narrow field's whole range."""
        margin = _MARGIN * (self.high - self.low)
        return self.low + margin * self.open_low, self.high - margin * self.open_high

    def around(self, value: float, factor: float) -> tuple[float, float]:
        """From a positive ``value / factor`` to ``value * factor``, in round numbers, as far as the limits allow."""
        low, high = max(rounded(value / factor), self.low), min(rounded(value * factor), self.high)
        return (math.ceil(low), math.floor(high)) if self.kind == "integer" else (low, high)


def limits_of(name: str) -> Limits:
    """The limits of the field of that dotted name."""
    [part] = field_schema(name)
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
    """The number as a search tries it."""
    return float(f"{number:.{_DIGITS}g}")
