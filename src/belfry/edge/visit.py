"""One HTTP request on its way through the gate, and the sending of its answer."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any
from urllib.parse import unquote

from belfry.accounts.model import Caller
from belfry.edge.exchange import Answer, Header
from belfry.edge.routes import Route, without_slash

Scope = MutableMapping[str, Any]  # ASGI's own types: the values of a scope and of a message are not closed
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]

BODILESS = frozenset({204, 304})
_SLASH = b"%2f"


def _decoded(raw_path: bytes) -> str:
    """The path with encoded slashes left encoded: they are part of a name, not a step in the path."""
    return "/".join(unquote(part).replace("/", "%2F") for part in raw_path.decode("latin-1").split("/"))


class Visit:
    """What the gate knows of a request so far.

    status   of the answer; 0 as long as none was begun
    """

    __slots__ = (
        "_scope", "_send", "address", "caller", "extra_headers", "headers", "method", "path", "raw_path", "receive",
        "request_id", "route", "status",
    )  # fmt: skip

    def __init__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self._scope = scope
        self._send = send
        self.receive = receive
        self.method: str = scope["method"]
        self.raw_path: bytes = scope.get("raw_path") or scope["path"].encode("utf-8", "replace")
        self.path = without_slash(_decoded(self.raw_path) if _SLASH in self.raw_path.lower() else scope["path"])
        self.headers: dict[bytes, bytes] = dict(scope["headers"])
        client = scope.get("client")
        self.address: str = client[0] if client else ""
        self.request_id = ""
        self.route: Route | None = None
        self.caller: Caller | None = None
        self.extra_headers: tuple[Header, ...] = ()
        self.status = 0

    @property
    def query(self) -> bytes:
        query: bytes = self._scope.get("query_string", b"")
        return query

    async def send(self, answer: Answer) -> None:
        """Send an answer, once; `X-Request-Id` and the gate's own headers go with it."""
        self.status = answer.status
        await self._send({"type": "http.response.start", "status": answer.status, "headers": self._headers(answer)})
        if answer.stream is not None:
            await self._send({"type": "http.response.body", "body": answer.body, "more_body": True})
            async for chunk in answer.stream:
                await self._send({"type": "http.response.body", "body": chunk, "more_body": True})
            await self._send({"type": "http.response.body", "body": b""})
            return
        await self._send({"type": "http.response.body", "body": answer.body})

    def _headers(self, answer: Answer) -> list[Header]:
        headers: list[Header] = [(b"x-request-id", self.request_id.encode("latin-1"))]
        if answer.status not in BODILESS:
            headers.append((b"content-type", answer.content_type))
            if answer.stream is None:
                headers.append((b"content-length", b"%d" % len(answer.body)))
        headers.extend(answer.headers)
        headers.extend(self.extra_headers)
        return headers
