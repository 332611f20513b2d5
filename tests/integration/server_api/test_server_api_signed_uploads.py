"""Signed URLs over a real socket: what an HTTP client that sends files does."""

from __future__ import annotations

import asyncio
import hashlib
import socket
from collections.abc import AsyncIterator

import httpx
import pytest
import uvicorn

from belfry.edge.protocol import EnvelopeProtocol
from support.edge_world import EdgeWorld

FILE = b"Type,Identity\n" + b"".join(b"i,user-%d\n" % number for number in range(300_000))


@pytest.fixture
async def client(edge: EdgeWorld) -> AsyncIterator[httpx.AsyncClient]:
    config = uvicorn.Config(
        edge.gate, http=EnvelopeProtocol, ws="none", lifespan="off", log_config=None, access_log=False
    )
    server = uvicorn.Server(config)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        serving = asyncio.create_task(server.serve(sockets=[listener]))
        async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{listener.getsockname()[1]}") as http:
            yield http
        server.should_exit = True
        await serving


def credentials(edge: EdgeWorld) -> dict[str, str]:
    return {"X-CleverTap-Account-Id": edge.shop, "X-CleverTap-Passcode": edge.secrets[edge.shop]}


async def chunked() -> AsyncIterator[bytes]:
    for at in range(0, len(FILE), 50_000):
        yield FILE[at : at + 50_000]


@pytest.mark.parametrize("is_chunked", [False, True], ids=["with a length", "chunked"])
async def test_the_url_as_given_takes_a_file(edge: EdgeWorld, client: httpx.AsyncClient, is_chunked: bool) -> None:
    answer = (await client.post("/get_custom_list_segment_url", headers=credentials(edge))).json()
    url = answer["presignedS3URL"]
    assert url.startswith(f"{client.base_url}/ul/")
    reply = await client.put(url, content=chunked() if is_chunked else FILE, headers={"Expect": "100-continue"})
    assert (reply.status_code, reply.content) == (200, b"")
    assert reply.headers["etag"] == f'"{hashlib.md5(FILE).hexdigest()}"'


async def test_an_encoded_slash_is_part_of_a_products_name(edge: EdgeWorld, client: httpx.AsyncClient) -> None:
    schema = {"catalogName": "Shop", "catalogSchema": [{"name": "price", "type": "number"}]}
    catalog_id = (await client.post("/v2/catalogs", json=schema, headers=credentials(edge))).json()["id"]
    product = {"identity": "day/pass", "name": "Day pass", "imageUrl": "https://x.org/1.png"}
    at = f"/v2/catalogs/{catalog_id}/products"
    assert (await client.post(at, json=product, headers=credentials(edge))).status_code == 201
    reply = await client.delete(f"{at}/day%2Fpass", headers=credentials(edge))
    assert (reply.status_code, reply.json()) == (200, {"message": "Operation completed successfully"})
