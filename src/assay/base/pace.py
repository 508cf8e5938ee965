"""How often to write what grows or changes, so that writing takes a small part of the time."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager

_WORTH = 20  # times what the last writing took have to pass until the next one: at most a twentieth of the time


class Pace:
    """The times of what is written again and again.

    Attributes:
        enough: seconds after the last writing at which another takes at most a twentieth of the time.
    """

    def __init__(self) -> None:
        self._written = time.monotonic()
        self.enough = 0.0

    @property
    def passed(self) -> float:
        """Seconds since the last writing, or the beginning."""
        return time.monotonic() - self._written

    @contextmanager
    def writing(self) -> Iterator[None]:
        """Note how long the block takes."""
        began = time.monotonic()
        yield
        self._written = time.monotonic()
        self.enough = _WORTH * (self._written - began)
