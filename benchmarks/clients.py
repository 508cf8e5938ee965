"""Ask a server of runs for its pages and for predictions while many other clients are slow or broken.

python benchmarks/clients.py FOLDER --clients 200 --seconds 60

FOLDER holds at least one finished run. The slow clients are of five kinds in turn: they send half of a request's
head, half of an upload, an upload byte by byte, ask for pages and read nothing, or break an upload off and begin
again. Beside them every answer has to be right and there in under 1 s. Then clients upload images of 25 megapixels
as fast as they can, beside whom only the pages are measured, for predictions wait their turn. Memory has to stay
under 1.5 GiB.
"""

from __future__ import annotations

import argparse
import asyncio
import io
import json
import socket
import subprocess
import sys
import time
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from urllib.parse import quote

import numpy as np
from PIL import Image

HOST = "127.0.0.1"
BOUNDARY = "boundary"
Client = Callable[["Server"], Awaitable[None]]


class Server:
    """``assay serve`` in a process of its own, and the requests to it."""

    def __init__(self, folder: Path, side: int) -> None:
        with socket.create_server((HOST, 0)) as free:
            self.port = free.getsockname()[1]
        command = [sys.executable, "-m", "assay", "serve", str(folder), "--port", str(self.port)]
        self.process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
        self.side = side
        self.run, self.small, self.large = "", b"", b""

    @asynccontextmanager
    async def connect(self) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
        """Open a connection, which is broken off at the end."""
        reader, writer = await asyncio.open_connection(HOST, self.port)
        try:
            yield reader, writer
        finally:
            writer.transport.abort()
            with suppress(OSError):
                await writer.wait_closed()

    def page(self, path: str) -> bytes:
        return f"GET {path} HTTP/1.1\r\nHost: {HOST}:{self.port}\r\n\r\n".encode()

    def upload(self, side: int) -> bytes:
        """Return a request for a prediction of an image of ``side`` x ``side`` random pixels."""
        fields = f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="model"\r\n\r\n{self.run}\r\n--{BOUNDARY}\r\n'
        file = 'Content-Disposition: form-data; name="image"; filename="a.png"\r\nContent-Type: image/png\r\n\r\n'
        body = fields.encode() + file.encode() + _image(side) + f"\r\n--{BOUNDARY}--\r\n".encode()
        head = (
            f"POST /api/predict HTTP/1.1\r\nHost: {HOST}:{self.port}\r\nOrigin: http://{HOST}:{self.port}\r\n"
            f"Content-Type: multipart/form-data; boundary={BOUNDARY}\r\nContent-Length: {len(body)}\r\n\r\n"
        )
        return head.encode() + body

    async def begin(self) -> None:
        """Wait for the server, choose a finished run, and make the uploads."""
        for _ in range(600):
            with suppress(OSError):
                _, body, _ = await self.ask(self.page("/api/runs"))
                self.run = next(run["name"] for run in json.loads(body) if run["status"] == "finished")
                self.small, self.large = self.upload(64), self.upload(self.side)
                return
            await asyncio.sleep(0.1)
        raise SystemExit("the server does not answer")

    async def ask(self, request: bytes) -> tuple[int, bytes, float]:
        """Return the status and body of the answer, and the seconds that it took."""
        began = time.monotonic()
        async with self.connect() as (reader, writer):
            writer.write(request.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n", 1))
            head, _, body = (await asyncio.wait_for(reader.read(), 120)).partition(b"\r\n\r\n")
        return int(head.split()[1]), body, time.monotonic() - began

    def memory(self) -> float:
        """Return the most memory that the server has taken so far, in GiB."""
        lines = Path(f"/proc/{self.process.pid}/status").read_text().splitlines()
        return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM")) / 2**20


def _image(side: int) -> bytes:
    buffer = io.BytesIO()
    noise = np.random.default_rng(0).integers(0, 256, (side, side), dtype=np.uint8)
    Image.fromarray(noise // 32 * 32).save(buffer, "png", compress_level=1)
    return buffer.getvalue()


async def half_a_head(server: Server) -> None:
    async with server.connect() as (reader, writer):
        writer.write(server.page("/")[:-6])
        await reader.read()


async def half_an_upload(server: Server) -> None:
    async with server.connect() as (reader, writer):
        writer.write(server.large[: len(server.large) // 2])
        await reader.read()


async def byte_by_byte(server: Server) -> None:
    async with server.connect() as (_, writer):
        for place in range(len(server.small)):
            writer.write(server.small[place : place + 1])
            await writer.drain()
            await asyncio.sleep(0.5)


async def reads_nothing(server: Server) -> None:
    async with server.connect() as (_, writer):
        writer.write(server.page(f"/runs/{quote(server.run)}") * 3)
        await asyncio.sleep(60)


async def broken_off(server: Server) -> None:
    async with server.connect() as (_, writer):
        writer.write(server.large[:100_000])
        await writer.drain()
        await asyncio.sleep(1)


async def large_image(server: Server) -> None:
    await server.ask(server.large)


SLOW: list[Client] = [half_a_head, half_an_upload, byte_by_byte, reads_nothing, broken_off]


async def again_and_again(client: Client, server: Server) -> None:
    while True:
        with suppress(OSError, asyncio.IncompleteReadError, TimeoutError, IndexError, ValueError):
            await client(server)
        await asyncio.sleep(2)  # as an answer with status 503 asks for


async def honest(server: Server, seconds: float) -> dict[str, list[tuple[int, float]]]:
    """Ask for each thing in turn until the time is over; return statuses and seconds by what was asked for."""
    asked = {
        "list": server.page("/"),
        "report": server.page(f"/runs/{quote(server.run)}"),
        "runs": server.page("/api/runs"),
        "curves": server.page(f"/api/curves?run={quote(server.run)}"),
        "prediction": server.small,
    }
    answers: dict[str, list[tuple[int, float]]] = {name: [] for name in asked}
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        for name, request in asked.items():
            status, _, took = await server.ask(request)
            answers[name].append((status, took))
            await asyncio.sleep(0.2)
    return answers


async def measure(server: Server, clients: int, seconds: float) -> bool:
    """Print what the honest client got alone, beside the slow ones, and beside 8 with large images."""
    await server.begin()
    phases: list[tuple[str, list[Client]]] = [
        ("alone", []),
        (f"beside {clients} slow", [SLOW[place % len(SLOW)] for place in range(clients)]),
        ("beside 8 large", [large_image] * 8),
    ]
    right = True
    for name, clients_of_phase in phases:
        tasks = [asyncio.create_task(again_and_again(client, server)) for client in clients_of_phase]
        answers = await honest(server, seconds)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        for asked, found in answers.items():
            statuses = dict(Counter(status for status, _ in found))
            slowest = max(took for _, took in found)
            print(f"{name:16}  {asked:10}  {len(found):4} times, slowest {slowest:6.2f} s, statuses {statuses}")
            # Alone, the first report brings what it imports; beside large images a prediction waits its turn.
            may_wait = name == "alone" or (asked == "prediction" and name == "beside 8 large")
            right &= may_wait or (slowest < 1 and set(statuses) == {200})
        print(f"{name:16}  memory {server.memory():.2f} GiB", flush=True)
    return right and server.memory() < 1.5


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path, help="of runs; at least one is finished")
    parser.add_argument("--clients", type=int, default=200, help="that are slow or broken (default: 200)")
    parser.add_argument("--seconds", type=float, default=60.0, help="of each part (default: 60)")
    parser.add_argument("--side", type=int, default=5000, help="of the large images, in pixels (default: 5000)")
    options = parser.parse_args()
    server = Server(options.folder, options.side)
    try:
        right = asyncio.run(measure(server, options.clients, options.seconds))
    finally:
        server.process.kill()
        server.process.wait()
    print(f"{'every' if right else 'NOT every'} answer in under 1 s and right, in under 1.5 GiB")
    sys.exit(not right)


if __name__ == "__main__":
    main()
