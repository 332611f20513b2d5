"""How fast the outbound client sends small JSON bodies on loopback, beside a bare aiohttp client in the same run.

    python bench/bench_outbound.py [--seconds 3] [--in-flight 64] [--delay-ms 0]

The server is a process of its own: a protocol that answers 200 after the delay. Then rendering: texts and JSON
bodies a second with python-liquid through our dialect.
"""

from __future__ import annotations

import argparse
import asyncio
import multiprocessing
import time
from collections.abc import Awaitable, Callable
from multiprocessing.connection import Connection
from typing import cast

import aiohttp
import uvloop

from belfry.config import Settings
from belfry.content.json_body import compile_json
from belfry.content.model import RenderScope
from belfry.content.template import compile_template
from belfry.outbound import OutboundClient, OutboundRequest

BODY = b'{"targetId":1790001111,"key_values":{},"profiles":[{"identity":"u-77","event_properties":{"SKU":"K9"}}]}'
ANSWER = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{}"
JSON_TEMPLATE = """{"to":"{{ Profile.Email }}","name":"{{ Profile.name }}",
    "tier":"{{ Profile.tier }}","score":{{ Profile.score }}}"""
VALUES = {"Profile": {"Name": "Ana", "Email": "ana@example.org", "Identity": "u-77", "score": 3, "tier": "gold"}}


class Server(asyncio.Protocol):
    """Answers each request, which has to arrive with its body, after `delay_s`."""

    delay_s = 0.0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast("asyncio.Transport", transport)
        self.waiting = b""

    def data_received(self, data: bytes) -> None:
        self.waiting += data
        _, found, body = self.waiting.partition(b"\r\n\r\n")
        if found and len(body) >= len(BODY):
            self.waiting = b""
            if self.delay_s:
                asyncio.get_running_loop().call_later(self.delay_s, self.transport.write, ANSWER)
            else:
                self.transport.write(ANSWER)


def serve(pipe: Connection, delay_s: float) -> None:
    async def run() -> None:
        Server.delay_s = delay_s
        server = await asyncio.get_running_loop().create_server(Server, "127.0.0.1", 0)
        pipe.send(server.sockets[0].getsockname()[1])
        await server.serve_forever()

    uvloop.run(run())


async def per_second(call: Callable[[], Awaitable[object]], seconds: float, in_flight: int) -> float:
    count = 0
    began = time.perf_counter()

    async def loop() -> None:
        nonlocal count
        while time.perf_counter() - began < seconds:
            await call()
            count += 1

    await asyncio.gather(*(loop() for _ in range(in_flight)))
    return count / (time.perf_counter() - began)


async def bare(url: str, seconds: float, in_flight: int) -> float:
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=in_flight)) as session:

        async def call() -> None:
            async with session.post(url, data=BODY, headers={"Content-Type": "application/json"}) as response:
                await response.read()

        return await per_second(call, seconds, in_flight)


async def ours(url: str, seconds: float, in_flight: int, host_port: str) -> float:
    settings = Settings(outbound_allow=[host_port], dispatch_requests_max=in_flight)
    async with OutboundClient(settings) as client:

        async def call() -> None:
            headers = (("Content-Type", "application/json"),)
            response = await client.send(OutboundRequest(method="POST", url=url, headers=headers, body=BODY))
            assert response.status == 200

        return await per_second(call, seconds, in_flight)


def measure_sending(seconds: float, in_flight: int, delay_ms: float) -> None:
    receiving, sending = multiprocessing.Pipe(duplex=False)
    server = multiprocessing.Process(target=serve, args=(sending, delay_ms / 1000), daemon=True)
    server.start()
    try:
        host_port = f"127.0.0.1:{receiving.recv()}"
        url = f"http://{host_port}/hook"
        raw = uvloop.run(bare(url, seconds, in_flight))
        figure = uvloop.run(ours(url, seconds, in_flight, host_port))
    finally:
        server.kill()
        server.join()
    print(
        f"requests of {len(BODY)} bytes, {in_flight} in flight, endpoint answers after {delay_ms:g} ms: "
        f"{figure:,.0f}/s | bare aiohttp {raw:,.0f}/s | ratio {figure / raw:.2f}"
    )


def rate(call: Callable[[], object], seconds: float) -> float:
    count = 0
    began = time.perf_counter()
    while time.perf_counter() - began < seconds:
        for _ in range(100):
            call()
        count += 100
    return count / (time.perf_counter() - began)


def measure_rendering(seconds: float) -> None:
    scope = RenderScope(now_ms=1_795_608_000_000)
    simple = compile_template("Hi {{ Profile.name | default: 'there' }}, you have {{ Profile.score }} points")
    body = compile_json(JSON_TEMPLATE)
    print(f"simple text renders: {rate(lambda: simple.render(VALUES, scope), seconds):,.0f}/s")
    print(f"JSON bodies with four values: {rate(lambda: body.render(VALUES, scope), seconds):,.0f}/s")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--seconds", type=float, default=3.0)
    parser.add_argument("--in-flight", type=int, default=64)
    parser.add_argument("--delay-ms", type=float, default=0.0)
    arguments = parser.parse_args()
    measure_sending(arguments.seconds, arguments.in_flight, arguments.delay_ms)
    measure_rendering(min(arguments.seconds, 1.0))


if __name__ == "__main__":
    main()
