"""A tiny ASGI client: one request in, one whole answer out, with every message that was exchanged."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Iterable, Mapping, MutableMapping
from typing import Any
from urllib.parse import unquote

import msgspec

Application = Callable[[Any, Any, Any], Awaitable[None]]


class Reply(msgspec.Struct):
    """An answer as a client sees it."""

    status: int
    headers: dict[str, str]
    body: bytes

    def json(self) -> Any:
        return json.loads(self.body)


async def call(
    application: Application,
    method: str,
    target: str,
    body: bytes | Iterable[bytes] = b"",
    headers: Mapping[str, str] | Iterable[tuple[str, str]] = (),
    *,
    client: str = "127.0.0.1",
) -> Reply:
    """Send one request. `target` is path and query as in a request line; `body` may come in chunks."""
    path, _, query = target.partition("?")
    pairs = headers.items() if isinstance(headers, Mapping) else headers
    scope = {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": method,
        "scheme": "http",
        "path": unquote(path),
        "raw_path": path.encode("latin-1"),
        "query_string": query.encode("latin-1"),
        "root_path": "",
        "headers": [(name.lower().encode("latin-1"), value.encode("latin-1")) for name, value in pairs],
        "client": (client, 50_000),
        "server": ("belfry.test", 80),
    }
    chunks = [body] if isinstance(body, bytes) else list(body)
    messages = [
        {"type": "http.request", "body": chunk, "more_body": place < len(chunks) - 1}
        for place, chunk in enumerate(chunks)
    ]
    sent: list[MutableMapping[str, Any]] = []

    async def receive() -> MutableMapping[str, Any]:
        return messages.pop(0) if messages else {"type": "http.disconnect"}

    async def send(message: MutableMapping[str, Any]) -> None:
        sent.append(message)

    await application(scope, receive, send)
    start = sent[0]
    assert start["type"] == "http.response.start"
    assert not sent[-1].get("more_body", False), "the answer was never finished"
    return Reply(
        status=start["status"],
        headers={name.decode("latin-1").lower(): value.decode("latin-1") for name, value in start["headers"]},
        body=b"".join(message.get("body", b"") for message in sent[1:]),
    )


def assert_envelope(reply: Reply, status: int, code: int | str | None = None) -> dict[str, Any]:
    """The failure envelope of server-api 1.7, whole; its body."""
    assert reply.status == status, reply.body
    assert reply.headers["content-type"] == "application/json;charset=utf-8"
    assert reply.headers["x-request-id"]
    body: dict[str, Any] = reply.json()
    assert body["status"] == "fail"
    assert isinstance(body["error"], str)
    assert body["error"]
    assert body["code"] == (status if code is None else code)
    return body
