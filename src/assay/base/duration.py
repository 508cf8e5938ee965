"""Durations as people write them: 90s, 20m, 1.5h."""

from __future__ import annotations

import math
import re

_UNITS = {"s": 1, "m": 60, "h": 3600}
_MOST = 1000 * 3600.0


def parse_duration(value: str | float) -> float:
    """Return a duration in seconds.

    Args:
        value: a number with its unit, ``s``, ``m`` or ``h``; or seconds as a number.

    Raises:
        ValueError: it is neither, not above 0, or longer than 1000 hours.

    >>> parse_duration("1.5h")
    5400.0
    """
    match = re.fullmatch(r"(\d+(?:\.\d+)?|\.\d+)\s*([smh])", value.strip()) if isinstance(value, str) else None
    if isinstance(value, str) and match is None:
        raise ValueError(f"time: expected a number with its unit, as 90s, 20m or 1.5h, not {value!r}")
    seconds = float(match[1]) * _UNITS[match[2]] if match else float(value)
    if not (math.isfinite(seconds) and 0 < seconds <= _MOST):
        raise ValueError(f"time: expected more than 0 seconds and at most 1000 hours, not {value}")
    return seconds


def duration_in_words(seconds: float) -> str:
    """Return a duration with three digits: 0.25 s, 48 s, 12.5 min, 3.2 h.

    >>> duration_in_words(750)
    '12.5 min'
    """
    if seconds < 100:
        return f"{seconds:.2g} s" if seconds < 10 else f"{seconds:.0f} s"
    return f"{seconds / 60:.1f} min" if seconds < 100 * 60 else f"{seconds / 3600:.1f} h"
