"""One honest client among many that are slow or broken."""

import asyncio
import http.client
import socket
import threading
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from unittest.mock import Mock, create_autospec

import pytest
import uvicorn
from starlette.exceptions import HTTPException
from starlette.responses import PlainTextResponse
from starlette.testclient import TestClient
from starlette.types import Message, Receive, Scope, Send
from uvicorn.server import ServerState

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


def is_ended(client: socket.socket) -> bool:
    client.settimeout(20)
    try:
        return client.recv(1) == b""
    except ConnectionResetError:  # before the server has read what was sent
        return True


def test_many_half_sent_requests_do_not_keep_others_out(port: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(patience, "MOST_CONNECTIONS", 150)
    with ExitStack() as closed:
        clients = [closed.enter_context(half_sent(port)) for _ in range(200)]
        assert status(port) == 200
        assert is_ended(clients[0])  # the oldest had to go


def test_a_request_that_does_not_come_to_its_end_is_ended(port: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(patience, "HEADER_SECONDS", 0.2)
    with half_sent(port) as client:
        assert is_ended(client)


@pytest.mark.parametrize("reads", [True, False])
def test_only_a_client_that_does_not_read_is_left(reads: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async def full_buffers() -> Mock:
        config, transport = configure(tmp_path, "127.0.0.1"), create_autospec(asyncio.Transport)
        config.load()
        connection = patience.ImpatientProtocol(config, ServerState(), {})
        connection.connection_made(transport)
        connection.pause_writing()
        if reads:
            connection.resume_writing()
        await asyncio.sleep(0.05)
        connection.connection_lost(None)
        return transport

    monkeypatch.setattr(patience, "READ_SECONDS", 0.01)
    assert asyncio.run(full_buffers()).abort.called is not reads


def test_of_too_many_uploads_the_oldest_ends() -> None:
    async def send(uploads: patience.Uploads, seconds: float) -> str:
        try:
            async with uploads.arriving():
                await asyncio.sleep(seconds)
        except HTTPException as refused:
            return str(refused.status_code)
        return "arrived"

    async def together() -> list[str]:
        uploads = patience.Uploads(most=2)
        slow = [asyncio.create_task(send(uploads, 60)) for _ in range(3)]
        await asyncio.sleep(0)
        honest = [await send(uploads, 0) for _ in range(3)]  # one after another: the first of them ends a slow one
        slow[2].cancel()
        return [*honest, *map(str, await asyncio.gather(*slow, return_exceptions=True))]

    assert asyncio.run(together()) == ["arrived", "arrived", "arrived", "408", "408", ""]


def test_an_upload_that_does_not_arrive_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    async def receive() -> None:
        async with patience.Uploads().arriving():
            await asyncio.sleep(60)

    monkeypatch.setattr(patience, "BODY_SECONDS", 0.01)
    with pytest.raises(HTTPException, match="408"):
        asyncio.run(receive())


def test_an_answer_that_is_made_leaves_its_place() -> None:
    async def both() -> list[int]:
        statuses, read = [], asyncio.Event()

        async def send(message: Message) -> None:
            if message["type"] == "http.response.start":
                statuses.append(message["status"])
            await read.wait()  # a client that does not read

        queue = patience.Queue(PlainTextResponse("here"), 1)
        scope = {"type": "http", "method": "GET"}
        slow = [asyncio.create_task(queue(scope, no_more, send)) for _ in range(3)]
        await asyncio.sleep(0)
        read.set()
        await asyncio.gather(*slow)
        return statuses

    assert asyncio.run(both()) == [200, 200, 200]


async def no_more() -> Message:
    return {"type": "http.request"}


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
        models.ask(tmp_path, bytes, "image")
    assert (refused.value.status_code, refused.value.headers) == (503, {"Retry-After": "2"})


def test_more_requests_than_the_server_answers_at_once_are_refused() -> None:
    async def answer(scope: Scope, receive: Receive, send: Send) -> None:
        await PlainTextResponse("here")(scope, receive, send)

    queue = TestClient(patience.Queue(answer, 1))
    assert [queue.get("/").status_code for _ in range(3)] == [200] * 3  # each ends before the next
    refused = TestClient(patience.Queue(answer, 0)).get("/")
    assert (refused.status_code, refused.headers["retry-after"]) == (503, "2")
