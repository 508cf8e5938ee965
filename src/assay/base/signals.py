"""Stopping on request: Ctrl-C and SIGTERM wait for the end of the step, so that nothing is half done."""

from __future__ import annotations

import signal
import threading
from types import FrameType, TracebackType
from typing import Any, Self


class StopRequest:
    """While entered, the first signal sets ``requested``; a second Ctrl-C interrupts at once.

    Within another one that is entered, it passes the request on to that, and begins with what that has been asked.
    Outside the main thread, where signals cannot be caught, it never sets.
    """

    def __init__(self) -> None:
        self.requested = False
        self._before: dict[signal.Signals, Any] = {}

    def __enter__(self) -> Self:
        if threading.current_thread() is threading.main_thread():
            self._before = {kind: signal.signal(kind, self._note) for kind in (signal.SIGINT, signal.SIGTERM)}
            if self._outer:
                self.requested = self._outer.requested = self.requested or self._outer.requested
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def _note(self, number: int, frame: FrameType | None) -> None:
        if self.requested and number == signal.SIGINT:
            raise KeyboardInterrupt
        self.requested = True
        if self._outer:
            self._outer._note(number, frame)

    @property
    def _outer(self) -> StopRequest | None:
        """The one whose place this one has taken."""
        # Its handler is a bound method, which knows the object that it belongs to.
        owner = getattr(self._before.get(signal.SIGINT), "__self__", None)
        return owner if isinstance(owner, StopRequest) else None
