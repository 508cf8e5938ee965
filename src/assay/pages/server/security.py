"""What is refused before any page is made, and the headers that every answer carries."""

from __future__ import annotations

import ipaddress
import re
import socket
from dataclasses import dataclass
from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.exceptions import HTTPException
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

LARGEST_UPLOAD = 20 * 2**20
"""bytes"""
LOOPBACK = ("localhost", "127.0.0.1", "::1")
_HOST = re.compile(r"(\[(?P<v6>[0-9a-f:.]+)\]|(?P<name>[a-z0-9._-]+))(:\d{1,5})?", re.IGNORECASE)
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:; connect-src 'self'; "
    "base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
)
HEADERS = {
    "content-security-policy": POLICY,
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "cache-control": "no-cache",
}


def is_loopback(host: str) -> bool:
    """Whether only this machine can reach a server that listens there."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host.lower() == "localhost"


@dataclass(frozen=True)
class Guard:
    """Answers only to the server's own names, takes changes only from its own pages, and sets the headers.

    A foreign site can give its own name this machine's address (DNS rebinding), and then read with a browser's
    help what is meant for this machine alone; such a request still carries the foreign name as its ``Host``.

    Attributes:
        app: what is guarded.
        host: that the server listens on; of all addresses (``0.0.0.0``, ``::``), any address and this machine's
            name are its own, for an address cannot be rebound.
    """

    app: ASGIApp
    host: str

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Refuse, or pass on."""
        if scope["type"] != "http":
            return

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in HEADERS.items():
                    headers.setdefault(name, value)
            await send(message)

        refusal = self._refusal(scope["method"], Headers(scope=scope))
        app = self.app if refusal is None else refusal
        await app(scope, receive, send_with_headers)

    def _refusal(self, method: str, headers: Headers) -> PlainTextResponse | None:
        if not self._is_own(headers.get("host", "")):
            return PlainTextResponse("this server does not answer to that name", 400)
        if method not in ("GET", "HEAD") and not _is_same_origin(headers):
            return PlainTextResponse("only this server's own pages may send something to it", 403)
        return None

    def _is_own(self, given: str) -> bool:
        match = _HOST.fullmatch(given)
        if match is None:
            return False
        name = (match["v6"] or match["name"]).lower()
        if self.host in ("0.0.0.0", "::"):
            return name in (*LOOPBACK, socket.gethostname().lower()) or _is_address(name)
        return name in (*LOOPBACK, self.host.lower())


def _is_same_origin(headers: Headers) -> bool:
    """Whether a page of this server sends it, or no browser at all, which would say from where."""
    origin, site = headers.get("origin"), headers.get("sec-fetch-site", "same-origin")
    return site == "same-origin" and (origin is None or _place(origin) == headers.get("host"))


def _place(origin: str) -> str | None:
    """Host and port; None where it is no address."""
    try:
        return urlsplit(origin).netloc
    except ValueError:
        return None


def _is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True


def limited(receive: Receive, most: int = LARGEST_UPLOAD) -> Receive:
    """The same stream of a request's body, which ends with status 413 where it grows beyond so many bytes."""
    taken = 0

    async def receive_part() -> Message:
        nonlocal taken
        message = await receive()
        taken += len(message.get("body", b""))
        if taken > most:
            raise HTTPException(413, f"the upload is larger than {most / 2**20:g} MiB")
        return message

    return receive_part
