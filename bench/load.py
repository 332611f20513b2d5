"""A load client that costs little: raw HTTP/1.1 over keep-alive connections, one request in flight on each."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import cast

import msgspec
import uvloop


class Figures(msgspec.Struct):
    """What a load run saw. Latencies in milliseconds, ascending."""

    requests_count: int
    seconds: float
    latencies_ms: list[float]
    statuses: dict[int, int]

    @property
    def rate(self) -> float:
        return self.requests_count / self.seconds

    def percentile(self, share: float) -> float:
        return self.latencies_ms[min(int(len(self.latencies_ms) * share), len(self.latencies_ms) - 1)]

    def line(self) -> str:
        return (
            f"{self.rate:>9,.0f} requests/s   p50 {self.percentile(0.5):.1f} ms   p99 {self.percentile(0.99):.1f} ms"
            f"   statuses {self.statuses}"
        )


class _Connection(asyncio.Protocol):
    """Sends the next request when the answer to the last one is whole."""

    def __init__(self, next_request: Callable[[], bytes | None], note: Callable[[int, float], None]) -> None:
        self._next_request = next_request
        self._note = note
        self._buffer = b""
        self._sent_at = 0.0
        self.done: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        self._send()

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        head_end = self._buffer.find(b"\r\n\r\n")
        if head_end < 0:
            return
        head = self._buffer[:head_end].lower()
        at = head.find(b"content-length:")
        length = int(head[at + 15 :].split(b"\r\n", 1)[0])
        if len(self._buffer) < head_end + 4 + length:
            return
        self._note(int(head[9:12]), (time.perf_counter() - self._sent_at) * 1000)
        self._buffer = b""
        self._send()

    def connection_lost(self, _error: Exception | None) -> None:
        if not self.done.done():
            self.done.set_result(None)

    def _send(self) -> None:
        request = self._next_request()
        if request is None:
            self._transport.close()
            return
        self._sent_at = time.perf_counter()
        self._transport.write(request)


def request_bytes(method: str, path: str, body: bytes, account: str, passcode: str) -> bytes:
    """One request as it goes over the wire."""
    head = (
        f"{method} {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nX-CleverTap-Account-Id: {account}\r\n"
        f"X-CleverTap-Passcode: {passcode}\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


def run(
    port: int,
    requests: list[bytes],
    *,
    connections: int,
    seconds: float,
    rate_max: float | None = None,
) -> Figures:
    """Send the requests in turn, over and over, for a while.

    rate_max   requests a second that are not exceeded, None: as many as are answered
    """
    return uvloop.run(_run(port, requests, connections, seconds, rate_max))


async def _run(port: int, requests: list[bytes], connections: int, seconds: float, rate_max: float | None) -> Figures:
    started = time.perf_counter()
    latencies: list[float] = []
    statuses: dict[int, int] = {}
    sent = 0

    def next_request() -> bytes | None:
        nonlocal sent
        if time.perf_counter() - started > seconds:
            return None
        sent += 1
        return requests[sent % len(requests)]

    def note(status: int, latency_ms: float) -> None:
        statuses[status] = statuses.get(status, 0) + 1
        latencies.append(latency_ms)

    loop = asyncio.get_running_loop()
    if rate_max is None:
        made = [
            await loop.create_connection(lambda: _Connection(next_request, note), "127.0.0.1", port)
            for _ in range(connections)
        ]
        await asyncio.gather(*(protocol.done for _, protocol in made))
    else:
        await _paced(port, next_request, note, connections, rate_max)
    return Figures(len(latencies), time.perf_counter() - started, sorted(latencies), statuses)


async def _paced(
    port: int,
    next_request: Callable[[], bytes | None],
    note: Callable[[int, float], None],
    connections: int,
    rate_max: float,
) -> None:
    """Each connection keeps its share of the rate; a late answer delays the next request, as a real client's does."""
    loop = asyncio.get_running_loop()

    async def client(number: int) -> None:
        gap = connections / rate_max
        due = loop.time() + gap * number / connections
        while True:
            await asyncio.sleep(max(due - loop.time(), 0))
            due += gap
            request = next_request()
            if request is None:
                return
            once = iter([request])
            _, protocol = await loop.create_connection(
                lambda once=once: _Connection(lambda: next(once, None), note), "127.0.0.1", port
            )
            await protocol.done

    await asyncio.gather(*(client(number) for number in range(connections)))
