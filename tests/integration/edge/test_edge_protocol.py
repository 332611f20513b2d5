"""What never reaches the application is answered in JSON too: over a real socket."""

from __future__ import annotations

import asyncio
import json
import socket
from collections.abc import AsyncIterator

import pytest
import uvicorn

from belfry.clock import ManualClock
from belfry.config import Settings
from belfry.edge import application
from belfry.edge.health import Health
from belfry.edge.protocol import EnvelopeProtocol
from belfry.ids import SequentialIds
from belfry.observability.metrics import EdgeMetrics


@pytest.fixture
async def port() -> AsyncIterator[int]:
    metrics = EdgeMetrics()
    gate = application.build(
        Health({}, metrics).routes(),
        directory=None,  # type: ignore[arg-type]
        metrics=metrics,
        settings=Settings(),
        clock=ManualClock(0),
        ids=SequentialIds(),
        version="0",
    )
    config = uvicorn.Config(gate, http=EnvelopeProtocol, ws="none", lifespan="off", log_config=None, access_log=False)
    server = uvicorn.Server(config)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        serving = asyncio.create_task(server.serve(sockets=[listener]))
        yield listener.getsockname()[1]
        server.should_exit = True
        await serving


async def exchange(port: int, request: bytes) -> tuple[int, dict[str, str], bytes]:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(request)
    raw = await asyncio.wait_for(reader.read(), 10)
    writer.close()
    head, _, body = raw.partition(b"\r\n\r\n")
    status, *lines = head.decode().split("\r\n")
    headers = dict(line.lower().split(": ", 1) for line in lines)
    return int(status.split()[1]), headers, body


@pytest.mark.parametrize(
    "request_bytes",
    [
        pytest.param(b"GARBAGE\r\n\r\n", id="no HTTP"),
        pytest.param(b"GET /livez HTTP/9.9\r\n\r\n", id="no such version"),
        pytest.param(b"GET /livez HTTP/1.1\r\nbad header\r\n\r\n", id="a header without a colon"),
        pytest.param(b"POST /livez HTTP/1.1\r\ncontent-length: x\r\n\r\n", id="a length that is none"),
    ],
)
async def test_what_is_no_http_gets_the_envelope(port: int, request_bytes: bytes) -> None:
    status, headers, body = await exchange(port, request_bytes)
    assert (status, headers["content-type"]) == (400, "application/json;charset=utf-8")
    assert (json.loads(body)["status"], json.loads(body)["code"]) == ("fail", 400)


async def test_a_good_request_is_served(port: int) -> None:
    status, headers, body = await exchange(port, b"GET /livez HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n")
    assert (status, json.loads(body)) == (200, {"status": "success"})
    assert headers["x-request-id"]
