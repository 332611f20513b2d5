"""A third party on loopback: a real HTTP server that records what it received and answers as it is told.

    with Endpoint() as endpoint:
        endpoint.behaviour = lambda request: answer(503) if len(endpoint.requests) < 3 else answer(200)
        ... endpoint.url("/hook") ... endpoint.requests[0].headers["idempotency-key"]

It speaks raw sockets, so that it can break every rule: half bodies, resets, endless headers.
"""

from __future__ import annotations

import asyncio
import gzip
import socket
import ssl
import struct
import threading
from collections.abc import Awaitable, Callable, Coroutine, Iterable
from dataclasses import dataclass
from types import TracebackType
from typing import TypeVar

T = TypeVar("T")

_REASONS = {200: "OK", 302: "Found", 400: "Bad Request", 429: "Too Many Requests", 503: "Service Unavailable"}


@dataclass(frozen=True)
class Received:
    """One request as it came over the wire. headers: names in lower case."""

    method: str
    target: str
    headers: dict[str, str]
    body: bytes


Behaviour = Callable[[asyncio.StreamWriter], Awaitable[None]]
"""Writes an answer, or whatever else a server can do to its client. Cancelled when the endpoint stops."""


def answer(
    status: int = 200, body: bytes = b"", headers: Iterable[tuple[str, str]] = (), after_s: float = 0.0
) -> Behaviour:
    """A complete answer, after a while."""
    fields = "".join(f"{name}: {value}\r\n" for name, value in headers)
    head = f"HTTP/1.1 {status} {_REASONS.get(status, 'Status')}\r\nContent-Length: {len(body)}\r\n{fields}\r\n"
    return _raw(head.encode() + body, after_s=after_s)


def redirect(location: str, status: int = 302) -> Behaviour:
    """Sends the client elsewhere."""
    return answer(status, headers=[("Location", location)])


def half_body(status: int = 200) -> Behaviour:
    """Promises 1 000 bytes, sends 10, closes."""
    return _raw(f"HTTP/1.1 {status} OK\r\nContent-Length: 1000\r\n\r\n0123456789".encode(), then_close=True)


def garbage() -> Behaviour:
    """Something that is not HTTP."""
    return _raw(b"\x00\x01\x02 what is this?\r\n\r\n", then_close=True)


def gzip_bomb(size: int = 64 * 1024 * 1024) -> Behaviour:
    """A few kilobytes that would decompress to `size` bytes."""
    return answer(200, gzip.compress(b"\0" * size), [("Content-Encoding", "gzip")])


def hang() -> Behaviour:
    """Takes the request and says nothing, for ever."""

    async def behave(_: asyncio.StreamWriter) -> None:
        await asyncio.Event().wait()

    return behave


def close_silently() -> Behaviour:
    """Takes the request and closes."""
    return _raw(b"", then_close=True)


def reset() -> Behaviour:
    """Takes the request and resets the connection."""

    async def behave(writer: asyncio.StreamWriter) -> None:
        plain: socket.socket = writer.get_extra_info("socket")
        plain.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        writer.transport.abort()

    return behave


def drip(head: bytes = b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n", every_s: float = 0.02) -> Behaviour:
    """Sends the head, then one byte at a time."""
    return _repeat(head, b"x", every_s)


def drip_head(every_s: float = 0.02) -> Behaviour:
    """Sends a status line one byte at a time, and never ends it."""
    return _repeat(b"HTTP/1.1 200 ", b"O", every_s)


def endless_body() -> Behaviour:
    """A body that never ends, as fast as the client takes it."""
    return _repeat(b"HTTP/1.1 200 OK\r\nContent-Length: 10000000000\r\n\r\n", b"x" * 65536, 0)


def endless_headers() -> Behaviour:
    """Headers that never end."""
    return _repeat(b"HTTP/1.1 200 OK\r\n", b"X-More: and more\r\n", 0)


def endless_header() -> Behaviour:
    """One header that never ends."""
    return _repeat(b"HTTP/1.1 200 OK\r\nX-Long: ", b"x" * 4096, 0)


def endless_informational() -> Behaviour:
    """Provisional answers that never end."""
    return _repeat(b"", b"HTTP/1.1 103 Early Hints\r\n\r\n", 0.001)


def large_headers() -> Behaviour:
    """Many headers, each within its limit, together above 32 KiB."""
    return answer(200, headers=[(f"X-{number}", "x" * 4000) for number in range(20)])


class Endpoint:
    """The server. `behaviour` decides what happens to each request; `connections_count` counts what was accepted."""

    def __init__(self, tls: ssl.SSLContext | None = None, host: str = "127.0.0.1") -> None:
        self.requests: list[Received] = []
        self.connections_count = 0
        self.behaviour: Callable[[Received], Behaviour] = lambda _: answer()
        self.port = 0
        self._host = host
        self._tls = tls
        self._loop = asyncio.new_event_loop()
        self._tasks: set[asyncio.Task[None]] = set()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)

    def url(self, path: str = "/hook") -> str:
        return f"{'https' if self._tls else 'http'}://{self._host}:{self.port}{path}"

    @property
    def host_port(self) -> str:
        """As the allow-list spells it."""
        return f"{self._host}:{self.port}"

    def always(self, behaviour: Behaviour) -> None:
        """Do the same with every request."""
        self.behaviour = lambda _: behaviour

    def __enter__(self) -> Endpoint:
        self._thread.start()
        self._server: asyncio.Server = self._run(self._open())
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._run(self._close())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def _run(self, coroutine: Coroutine[object, object, T]) -> T:
        return asyncio.run_coroutine_threadsafe(coroutine, self._loop).result(timeout=10)

    async def _open(self) -> asyncio.Server:
        return await asyncio.start_server(self._serve, self._host, 0, ssl=self._tls)

    async def _close(self) -> None:
        self._server.close()
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections_count += 1
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        try:
            while (received := await _read_request(reader)) is not None and not writer.is_closing():
                self.requests.append(received)
                await self.behaviour(received)(writer)
        except (ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):
            pass
        finally:
            self._tasks.discard(task)
            writer.transport.abort()


async def _read_request(reader: asyncio.StreamReader) -> Received | None:
    try:
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
    except asyncio.IncompleteReadError:
        return None
    first, *lines = head.split("\r\n")
    method, target, _ = first.split(" ", 2)
    headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines if line)}
    body = await reader.readexactly(int(headers.get("content-length", "0")))
    return Received(method, target, headers, body)


def _raw(data: bytes, after_s: float = 0.0, *, then_close: bool = False) -> Behaviour:
    async def behave(writer: asyncio.StreamWriter) -> None:
        if after_s:
            await asyncio.sleep(after_s)
        writer.write(data)
        await writer.drain()
        if then_close:
            writer.close()

    return behave


def _repeat(head: bytes, piece: bytes, every_s: float) -> Behaviour:
    async def behave(writer: asyncio.StreamWriter) -> None:
        writer.write(head)
        while not writer.is_closing():
            writer.write(piece)
            await writer.drain()
            await asyncio.sleep(every_s)

    return behave
