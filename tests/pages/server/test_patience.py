"""One honest client among many that are slow or broken."""

import http.client
import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
import uvicorn
from starlette.exceptions import HTTPException
from starlette.responses import PlainTextResponse
from starlette.testclient import TestClient
from starlette.types import Receive, Scope, Send

from assay.pages.server import patience
from assay.pages.server.models import Models
from assay.pages.server.serve import configure, listen


@pytest.fixture
def port(tmp_path: Path) -> Iterator[int]:
    """Of a server of an empty folder."""
    listener = listen("127.0.0.1", 0)
    server = uvicorn.Server(configure(tmp_path, "127.0.0.1"))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
    thread.start()
    yield listener.getsockname()[1]
    server.should_exit = True
    thread.join()
    listener.close()


def status(port: int) -> int:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
    connection.request("GET", "/api/runs")
    found = connection.getresponse().status
    connection.close()
    return found


def half_sent(port: int) -> socket.socket:
    client = socket.create_connection(("127.0.0.1", port))
    client.sendall(b"GET / HTTP/1.1\r\nHost: 127.0.0.1")
    return client


def test_many_half_sent_requests_do_not_keep_others_out(port: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(patience, "MOST_CONNECTIONS", 150)
    clients = [half_sent(port) for _ in range(200)]
    assert status(port) == 200
    clients[0].settimeout(20)
    assert clients[0].recv(1) == b""  # the oldest had to go
    for client in clients:
        client.close()


def test_a_request_that_does_not_come_to_its_end_is_ended(port: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(patience, "HEADER_SECONDS", 0.2)
    client = half_sent(port)
    client.settimeout(20)
    assert client.recv(1) == b""
    client.close()


def test_a_connection_serves_several_requests(port: int) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
    for _ in range(3):
        connection.request("GET", "/api/runs")
        answer = connection.getresponse()
        assert (answer.status, answer.read()) == (200, b"[]")
    connection.close()


def test_too_many_at_once_are_told_to_come_again(tmp_path: Path) -> None:
    models = Models("cpu")
    while models._places.acquire(blocking=False):
        pass
    with pytest.raises(HTTPException) as refused:
        models.ask(tmp_path, b"", "image")
    assert (refused.value.status_code, refused.value.headers) == (503, {"Retry-After": "2"})


def test_more_requests_than_the_server_answers_at_once_are_refused() -> None:
    async def answer(scope: Scope, receive: Receive, send: Send) -> None:
        await PlainTextResponse("here")(scope, receive, send)

    queue = TestClient(patience.Queue(answer, 1))
    assert [queue.get("/").status_code for _ in range(3)] == [200] * 3  # each ends before the next
    refused = TestClient(patience.Queue(answer, 0)).get("/")
    assert (refused.status_code, refused.headers["retry-after"]) == (503, "2")
