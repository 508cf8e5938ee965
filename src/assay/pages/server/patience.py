"""How long the server waits for its clients, and how many it answers at once, so that none keeps it from the others."""

from __future__ import annotations

import asyncio
import time
from typing import Any

from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Receive, Scope, Send
from uvicorn.protocols.http.h11_impl import H11Protocol

HEADER_SECONDS = 10.0
"""in which a client has to send the head of a request"""
BODY_SECONDS = 60.0
"""in which it has to send an upload"""
MOST_CONNECTIONS = 500
"""beyond which the one that has waited longest for a request is closed"""
MOST_REQUESTS = 64
"""that are answered at once; others are told to come again"""
BUSY = {"Retry-After": "2"}


class ImpatientProtocol(H11Protocol):
    """Closes connections whose request does not arrive in time, and the oldest of these where there are too many.

    Uvicorn itself ends only those that stay silent after a request.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._deadline: asyncio.TimerHandle | None = None
        self.waits_since = time.monotonic()

    @property
    def waits(self) -> bool:
        """Whether no request of the client is being answered."""
        return self.cycle is None or self.cycle.response_complete

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Begin to wait for the first request."""
        super().connection_made(transport)
        self._watch()
        if len(self.connections) > MOST_CONNECTIONS:
            waiting = [one for one in self.connections if isinstance(one, ImpatientProtocol) and one.waits]
            min(waiting, key=lambda one: one.waits_since).transport.close()

    def data_received(self, data: bytes) -> None:
        """Take the next bytes; what does not complete a request does not move the deadline."""
        super().data_received(data)
        self._watch()

    def connection_lost(self, exc: Exception | None) -> None:
        """End the wait."""
        self._unwatch()
        super().connection_lost(exc)

    def _watch(self) -> None:
        if not self.waits:
            self._unwatch()
        elif self._deadline is None:
            self.waits_since = time.monotonic()
            self._deadline = self.loop.call_later(HEADER_SECONDS, self._close)

    def _unwatch(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

    def _close(self) -> None:
        self._deadline = None
        if self.waits and not self.transport.is_closing():
            self.transport.close()


class Queue:
    """Middleware that answers so many requests at once, and others with status 503."""

    def __init__(self, app: ASGIApp, most: int = MOST_REQUESTS) -> None:
        self.app, self._most, self._active = app, most, 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer, or say that there are too many."""
        if self._active >= self._most:
            await PlainTextResponse("too many requests at once; try again", 503, BUSY)(scope, receive, send)
            return
        self._active += 1
        try:
            await self.app(scope, receive, send)
        finally:
            self._active -= 1
