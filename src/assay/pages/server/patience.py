"""How long the server waits for its clients, and how many it answers at once, so that none keeps it from the others."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

from starlette.exceptions import HTTPException
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from uvicorn.protocols.http.h11_impl import H11Protocol

HEADER_SECONDS = 10.0
"""in which a client has to send the head of a request"""
BODY_SECONDS = 60.0
"""in which it has to send an upload"""
READ_SECONDS = 30.0
"""in which it has to read what an answer has filled the buffers with"""
MOST_CONNECTIONS = 500
"""beyond which the one that has waited longest for a request is closed"""
MOST_REQUESTS = 64
"""whose answers are made at once; others are told to come again"""
MOST_UPLOADS = 32
"""that arrive at once; beyond them the one that began first is ended"""
BUSY = {"Retry-After": "2"}


class ImpatientProtocol(H11Protocol):
    """Closes connections whose client does not send or read in time, and the oldest of these where there are too many.

    Uvicorn itself ends only those that stay silent after a request.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._deadlines: dict[str, asyncio.TimerHandle] = {}
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
            min(waiting, key=lambda one: one.waits_since, default=self).transport.close()

    def data_received(self, data: bytes) -> None:
        """Take the next bytes; what does not complete a request does not move the deadline."""
        super().data_received(data)
        self._watch()

    def pause_writing(self) -> None:
        """Begin to wait until the client has read: a transport that is closed would wait for that without an end."""
        super().pause_writing()
        self._begin("read", READ_SECONDS, self.transport.abort)

    def resume_writing(self) -> None:
        """End that wait."""
        super().resume_writing()
        self._end("read")

    def connection_lost(self, exc: Exception | None) -> None:
        """End all waits."""
        for what in tuple(self._deadlines):
            self._end(what)
        super().connection_lost(exc)

    def _watch(self) -> None:
        if not self.waits:
            self._end("request")
        elif "request" not in self._deadlines:
            self.waits_since = time.monotonic()
            self._begin("request", HEADER_SECONDS, self._close)

    def _begin(self, what: str, seconds: float, otherwise: Callable[[], object]) -> None:
        if what not in self._deadlines:
            self._deadlines[what] = self.loop.call_later(seconds, otherwise)

    def _end(self, what: str) -> None:
        if deadline := self._deadlines.pop(what, None):
            deadline.cancel()

    def _close(self) -> None:
        del self._deadlines["request"]
        if self.waits and not self.transport.is_closing():
            self.transport.close()


class Queue:
    """Middleware that makes so many answers at once, and refuses others with status 503.

    What a client sends and reads at its own pace takes no place: uploads are counted by ``Uploads``, and an answer that
    is made leaves its place.
    """

    def __init__(self, app: ASGIApp, most: int = MOST_REQUESTS) -> None:
        self.app, self._most = app, most
        self._active = set[object]()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer, or say that there are too many."""
        if scope["method"] == "POST":
            await self.app(scope, receive, send)
            return
        if len(self._active) >= self._most:
            await PlainTextResponse("too many requests at once; try again", 503, BUSY)(scope, receive, send)
            return
        self._active.add(place := object())

        async def leave_and_send(message: Message) -> None:
            self._active.discard(place)
            await send(message)

        try:
            await self.app(scope, receive, leave_and_send)
        finally:
            self._active.discard(place)


class Uploads:
    """The uploads that are arriving."""

    def __init__(self, most: int = MOST_UPLOADS) -> None:
        self._most = most
        self._arriving: dict[asyncio.Timeout, None] = {}  # in the order in which they began

    @asynccontextmanager
    async def arriving(self) -> AsyncIterator[None]:
        """Receive an upload; where too many arrive, the oldest one has to end, for an honest client's is soon here.

        Raises:
            HTTPException: it takes too long.
        """
        if len(self._arriving) >= self._most:
            oldest = next(iter(self._arriving))
            del self._arriving[oldest]
            oldest.reschedule(0.0)
        try:
            async with asyncio.timeout(BODY_SECONDS) as timeout:
                self._arriving[timeout] = None
                try:
                    yield
                finally:
                    self._arriving.pop(timeout, None)
        except TimeoutError:
            raise HTTPException(408, "the upload did not arrive in time") from None
