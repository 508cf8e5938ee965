"""Which requests are refused before any page is made, and the headers of every answer."""

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

LARGEST_UPLOAD = 20 * 2**20  # bytes
LOOPBACK = ("localhost", "127.0.0.1", "::1")
_HOST = re.compile(r"(\[(?P<v6>[0-9a-f:.]+)\]|(?P<name>[a-z0-9._-]+))(:\d{1,5})?", re.IGNORECASE)
HEADERS = {
    "content-security-policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:; connect-src 'self'; "
        "base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
    ),
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "cache-control": "no-cache",
}


def is_loopback(host: str) -> bool:
    """Return whether only this machine can reach a server that listens on the host."""
    return ipaddress.ip_address(host).is_loopback if _is_address(host) else host.lower() == "localhost"


@dataclass(frozen=True)
class Guard:
    """Answers only requests to the server's own names, takes uploads only from its own pages, and sets the headers.

    A foreign site can give its own name this machine's address (DNS rebinding), and then read through a visitor's
    browser what only this machine may see. Such a request still carries the foreign name as its ``Host``.

    Attributes:
        app: the guarded application.
        host: that the server listens on. For all addresses (``0.0.0.0``, ``::``), this machine's name and every
            address are its own names, because an address cannot be rebound.
    """

    app: ASGIApp
    host: str

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Refuse a request, or pass it on."""
        if scope["type"] != "http":
            return

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in HEADERS.items():
                    headers.setdefault(name, value)  # the page of a report has a policy of its own
            await send(message)

        headers = Headers(scope=scope)
        app: ASGIApp = self.app
        if not self._is_own(headers.get("host", "")):
            app = PlainTextResponse("this server does not answer to that name", 400)
        elif scope["method"] not in ("GET", "HEAD") and not _is_same_origin(headers):
            app = PlainTextResponse("only this server's own pages may send something to it", 403)
        await app(scope, receive, send_with_headers)

    def _is_own(self, given: str) -> bool:
        match = _HOST.fullmatch(given)
        if match is None:
            return False
        name = (match["v6"] or match["name"]).lower()
        if self.host in ("0.0.0.0", "::"):
            # By this name other machines of the network find it.
            return name in (*LOOPBACK, socket.gethostname().lower()) or _is_address(name)
        return name in (*LOOPBACK, self.host.lower())


def _is_same_origin(headers: Headers) -> bool:
    """Return whether a page of this server sent the request, or a program that is no browser.

    Browsers always send one of the two headers with an upload, and no page can change them.
    """
    origin, site = headers.get("origin"), headers.get("sec-fetch-site", "same-origin")
    try:
        return site == "same-origin" and (origin is None or urlsplit(origin).netloc == headers.get("host"))
    except ValueError:  # the origin is no address
        return False


def _is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True


def limited(receive: Receive, most: int = LARGEST_UPLOAD) -> Receive:
    """Return the stream of a request's body, which raises status 413 once it is longer than ``most`` bytes."""
    received = 0

    async def receive_part() -> Message:
        nonlocal received
        message = await receive()
        received += len(message.get("body", b""))
        if received > most:
            raise HTTPException(413, f"the upload is larger than {most / 2**20:g} MiB")
        return message

    return receive_part
