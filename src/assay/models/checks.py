"""Range checks of model options; every refusal is one line that names the option and what it takes."""

from __future__ import annotations

from collections.abc import Sequence

from assay.base.numbers import is_number


def one_of(option: str, value: int, allowed: Sequence[int]) -> int:
    """Return ``value`` if it is one of the ints or bools in ``allowed``; raise ``ValueError`` if it is not."""
    # Equal values of another type do not count: to Python True is 1.
    if not any(type(value) is type(choice) and value == choice for choice in allowed):
        raise ValueError(f"{option} must be one of {', '.join(map(str, allowed))}, got {value!r}")
    return value


def rate(option: str, value: float) -> float:
    """Return ``value`` if it is a probability in [0, 1); raise ``ValueError`` if it is not."""
    if not is_number(value) or not 0 <= value < 1:
        raise ValueError(f"{option} must be a number from 0 up to but not including 1, got {value!r}")
    return value


def scaled(channels: int, width: float) -> int:
    """Return ``channels`` times ``width``, rounded; raise ``ValueError`` if that is not a number from 1/8 to 16."""
    # 1/8 leaves 8 of 64 channels. With fewer, the CPU library that torch uses writes beyond its buffers (1x1
    # convolutions of stride 2, channels_last).
    if not is_number(width) or not 1 / 8 <= width <= 16:
        raise ValueError(f"width must be a number from 0.125 to 16, got {width!r}")
    return round(channels * width)
