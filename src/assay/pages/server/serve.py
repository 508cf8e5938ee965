"""From a folder, a host and a port to a server that runs until it is interrupted."""

from __future__ import annotations

import socket
from collections.abc import Callable
from pathlib import Path

import uvicorn

from assay.pages.server.app import build_app

_PATIENCE = 5  # seconds that open requests get at the end
_MOST_AT_ONCE = 64  # connections


def serve(folder: Path, listener: socket.socket, host: str, ready: Callable[[str], None]) -> None:
    """Answer until a signal arrives.

    Args:
        folder: of runs and studies.
        listener: from ``listen``; closed at the end.
        host: that it listens on.
        ready: is told the server's address once all is in order.

    Raises:
        ValueError: no such folder.
        KeyboardInterrupt: it was stopped by Ctrl-C.
    """
    with listener:
        config = uvicorn.Config(
            build_app(folder, host=host),
            log_level="warning",
            access_log=False,
            server_header=False,
            proxy_headers=False,  # what a client says of itself is not believed
            lifespan="off",
            ws="none",
            limit_concurrency=_MOST_AT_ONCE,
            timeout_graceful_shutdown=_PATIENCE,
        )
        ready(address(listener))
        uvicorn.Server(config).run(sockets=[listener])
    raise KeyboardInterrupt  # it was Ctrl-C, though the shell had it ignored, as it does behind an &


def listen(host: str, port: int) -> socket.socket:
    """A socket that listens there; of port 0, on a free one.

    Raises:
        ValueError: no such host, or the port is not free; one line.
    """
    if not 0 <= port <= 65535:
        raise ValueError(f"--port: {port} is not from 0 to 65535")
    try:
        family, *_, place = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        return socket.create_server(place[:2], family=family)
    except (OSError, UnicodeError) as error:
        reason = str(getattr(error, "strerror", None) or error).partition(" (while")[
            0
        ]  # which says host and port again
        raise ValueError(f"cannot listen on {host}, port {port}: {reason}; choose another --host or --port") from None


def address(listener: socket.socket) -> str:
    """Where a browser finds it on this machine."""
    host, port = listener.getsockname()[:2]
    name = {"0.0.0.0": "localhost", "::": "localhost"}.get(host, f"[{host}]" if ":" in host else host)
    return f"http://{name}:{port}"
