"""The server: listens on a host and a port, and answers until it is interrupted."""

from __future__ import annotations

import socket
from collections.abc import Callable
from pathlib import Path

import uvicorn

from assay.pages.server.app import build_app
from assay.pages.server.patience import ImpatientProtocol

_SHUTDOWN_SECONDS = 5  # that open requests have to finish


def serve(folder: Path, listener: socket.socket, host: str, ready: Callable[[str], None]) -> None:
    """Answer requests until Ctrl-C or SIGTERM.

    Args:
        folder: of runs and studies.
        listener: from ``listen``; closed at the end.
        host: that the listener listens on.
        ready: called with the server's address before the first request is answered.

    Raises:
        ValueError: there is no such folder.
        KeyboardInterrupt: Ctrl-C stopped the server.
    """
    with listener:
        server = uvicorn.Server(configure(folder, host))
        ready(address(listener))
        server.run(sockets=[listener])
    # Uvicorn raises the signal again, but a shell ignores Ctrl-C for a command behind an &, and then nothing is raised.
    raise KeyboardInterrupt


def configure(folder: Path, host: str) -> uvicorn.Config:
    """Return what the server is to be; raises ``ValueError`` if there is no such folder."""
    return uvicorn.Config(
        build_app(folder, host=host),
        log_level="warning",
        access_log=False,
        server_header=False,
        proxy_headers=False,  # any client can write them
        lifespan="off",
        ws="none",
        http=ImpatientProtocol,
        timeout_graceful_shutdown=_SHUTDOWN_SECONDS,
    )


def listen(host: str, port: int) -> socket.socket:
    """Return a socket that listens on the host's port, or for port 0 on a free one.

    Raises:
        ValueError: one line; there is no such host, or the port is not free.
    """
    if not 0 <= port <= 65535:
        raise ValueError(f"--port: {port} is not from 0 to 65535")
    try:
        family, *_, place = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        # An IPv6 address also has a flow and a scope, but create_server takes a pair.
        return socket.create_server(place[:2], family=family)
    except (OSError, UnicodeError) as error:
        # create_server appends "(while attempting to bind on address ...)", which names host and port again.
        reason = str(getattr(error, "strerror", None) or error).partition(" (while")[0]
        raise ValueError(f"cannot listen on {host}, port {port}: {reason}; choose another --host or --port") from None


def address(listener: socket.socket) -> str:
    """Return the address at which a browser on this machine finds the server."""
    host, port = listener.getsockname()[:2]
    name = {"0.0.0.0": "localhost", "::": "localhost"}.get(host, f"[{host}]" if ":" in host else host)
    return f"http://{name}:{port}"
