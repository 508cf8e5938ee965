"""Checks for numbers. To Python True is an int; to somebody who wrote ``yes`` into a file it is not."""

from __future__ import annotations

from typing import Any, TypeGuard

from assay.base.text import quoted


def is_number(value: Any) -> TypeGuard[int | float]:
    """Whether the value is an int or a float but not a bool; infinities and NaN count.

    >>> is_number(0.5), is_number(True)
    (True, False)
    """
    return isinstance(value, int | float) and not isinstance(value, bool)


def is_whole(value: Any) -> TypeGuard[int]:
    """Whether the value is an int but not a bool."""
    return isinstance(value, int) and not isinstance(value, bool)


def is_count(value: Any) -> TypeGuard[int]:
    """Whether the value is an int from 0 on that fits into 64 bits, and not a bool."""
    return is_whole(value) and 0 <= value < 1 << 63


def whole(name: str, value: int, *, low: int = 1) -> int:
    """Return ``value`` if it is an int of at least ``low`` and not a bool; raise ``ValueError`` if it is not."""
    if not is_whole(value) or value < low:
        raise ValueError(f"{name} must be a whole number of at least {low}, got {quoted(value)}")
    return value
