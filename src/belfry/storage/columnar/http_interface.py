"""ClickHouse's HTTP interface over lanes of the embedded engine: a thin ASGI application for loopback.

Served: GET and POST `/`, `/ping`; statement in the URL, the body or both; `param_*`; settings; formats; errors with
`X-ClickHouse-Exception-Code`, also in the middle of an answer. Not served: sessions, compression, external data.
Source: ClickHouse documentation, "HTTP interface".
"""

from __future__ import annotations

import asyncio
import base64
import binascii
import hmac
from collections.abc import Callable, Generator
from typing import TypeVar
from urllib.parse import parse_qsl

from uvicorn._types import ASGIReceiveCallable, ASGISendCallable, HTTPScope

from belfry.ids import Ids
from belfry.storage.columnar.errors import AUTHENTICATION_FAILED
from belfry.storage.columnar.http_call import BadCall, Call, read_call
from belfry.storage.columnar.lanes import EngineError, Lane, Lanes, quoted_text

_T = TypeVar("_T")

BODY_BYTES_MAX = 1024 * 1024 * 1024
_TOO_LARGE = 307
_ABORTED = 236
_NOT_FOUND = 22

_STATUS = {
    AUTHENTICATION_FAILED: 403,
    _TOO_LARGE: 413,
    _NOT_FOUND: 404,
    _ABORTED: 503,
    159: 408,  # TIMEOUT_EXCEEDED
    **dict.fromkeys((16, 36, 41, 43, 47, 53, 62, 117, 26, 27, 38, 69, 72, 456, 457), 400),
    **dict.fromkeys((46, 50, 56, 60, 63, 73, 81, 115), 404),
    **dict.fromkeys((202, 243), 500),
    48: 501,  # NOT_IMPLEMENTED
}
"""HTTP status by error code, as the server maps them; every other is 500."""

_STREAMABLE = frozenset({
    "Native", "RowBinary", "TabSeparated", "TSV", "TabSeparatedRaw", "TSVRaw", "CSV", "JSONEachRow",
    "JSONCompactEachRow",
})  # fmt: skip
"""Formats whose blocks can simply follow each other: no header, no footer."""
_STREAMABLE_VERBS = ("SELECT", "WITH")
"""chDB streams these; it refuses to stream anything else."""


class HttpInterface:
    """The application. One object a process.

    token      what a client must know
    queries, inserts, control    lanes; control runs the cancelling of others
    """

    def __init__(self, token: str, ids: Ids, *, queries: Lanes, inserts: Lanes, control: Lanes) -> None:
        self._token = token.encode()
        self._ids = ids
        self._queries = queries
        self._inserts = inserts
        self._control = control
        self._is_stopping = False

    async def __call__(self, scope: HTTPScope, receive: ASGIReceiveCallable, send: ASGISendCallable) -> None:
        """Answer one request."""
        exchange = _Exchange(scope, receive, send)
        try:
            if exchange.path in ("/ping", "/replicas_status"):
                await exchange.answer(200, b"Ok.\n")
                return
            self._admit(exchange)
            await self._serve(exchange, await exchange.read_call())
        except BadCall as refusal:
            await exchange.refuse(str(refusal), refusal.code)
        except EngineError as error:
            await exchange.refuse(str(error), error.code)

    async def stop(self) -> None:
        """Take no new statements and end running queries; inserts run to their end."""
        self._is_stopping = True
        for name in list(self._queries.busy):
            await self._cancel(name)

    def close(self) -> None:
        """Close every connection; when no request is left."""
        for lanes in (self._queries, self._inserts, self._control):
            lanes.close()

    def _admit(self, exchange: _Exchange) -> None:
        if not exchange.is_from_loopback or not hmac.compare_digest(exchange.password, self._token):
            text = "Authentication failed: the password is wrong, or the engine was started again since"
            raise BadCall(text, AUTHENTICATION_FAILED)
        if self._is_stopping:
            raise BadCall("The engine is stopping", _ABORTED)
        if exchange.path != "/":
            raise BadCall(f"There is no handler {exchange.path}", _NOT_FOUND)

    async def _serve(self, exchange: _Exchange, call: Call) -> None:
        if not call.sql.strip():
            raise BadCall("Syntax error: empty query", 62)
        is_insert = call.verb == "INSERT"
        async with (self._inserts if is_insert else self._queries).take() as lane:
            if is_insert:
                await exchange.answer_call(call, await _in(lane, lane.run, call))
                return
            running = asyncio.ensure_future(self._query(exchange, call, lane))
            leaving = asyncio.ensure_future(exchange.left())
            await asyncio.wait({running, leaving}, return_when=asyncio.FIRST_COMPLETED)
            if not running.done():
                await self._cancel(lane.name)
            leaving.cancel()
            await running

    async def _query(self, exchange: _Exchange, call: Call, lane: Lane) -> None:
        if call.is_buffered or call.verb not in _STREAMABLE_VERBS or call.format not in _STREAMABLE:
            await exchange.answer_call(call, await _in(lane, lane.run, call))
            return
        blocks = lane.blocks(call)
        try:
            # The first block is awaited before the status line, so that most errors get a status of their own.
            first = await _in(lane, _next_block, blocks)
            await exchange.stream_head(call, tag=self._ids.token_hex(8))
            await self._stream(exchange, lane, first, blocks)
        finally:
            await _in(lane, blocks.close)

    async def _stream(self, exchange: _Exchange, lane: Lane, block: bytes | None, blocks: Generator[bytes]) -> None:
        try:
            while block is not None and not exchange.is_left:
                await exchange.stream_block(block)
                block = await _in(lane, _next_block, blocks)
        except EngineError as error:
            await exchange.break_off(str(error))
            return
        await exchange.stream_end()

    async def _cancel(self, lane_name: str) -> None:
        """End what the lane runs. Without SYNC: chDB would wait for ever."""
        sql = f"KILL QUERY WHERE Settings['log_comment'] = {quoted_text(lane_name)} ASYNC"
        call = Call(sql.encode(), {}, {}, "", "TabSeparated", is_buffered=True, query_id="")
        async with self._control.take() as lane:
            await _in(lane, lane.run, call)


class _Exchange:
    """One HTTP request and its answer."""

    def __init__(self, scope: HTTPScope, receive: ASGIReceiveCallable, send: ASGISendCallable) -> None:
        self._scope = scope
        self._receive = receive
        self._send = send
        self._tag = ""
        self._headers = {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in scope["headers"]}
        self.path = scope["path"]
        self.is_left = False

    @property
    def is_from_loopback(self) -> bool:
        client = self._scope["client"]
        return client is not None and client[0].startswith("127.")

    @property
    def password(self) -> bytes:
        """From the header `X-ClickHouse-Key`, HTTP basic authentication or the URL, in this order."""
        if key := self._headers.get("x-clickhouse-key"):
            return key.encode()
        scheme, _, value = self._headers.get("authorization", "").partition(" ")
        if scheme.lower() == "basic":
            try:
                return base64.b64decode(value, validate=True).partition(b":")[2]
            except binascii.Error:
                return b""
        return dict(parse_qsl(self._scope["query_string"])).get(b"password", b"")

    async def read_call(self) -> Call:
        """The statement. Raises BadCall."""
        if self._headers.get("content-encoding", "identity") != "identity":
            raise BadCall("compressed requests are not served", 48)
        return read_call(
            self._scope["query_string"],
            body=await self._body(),
            content_type=self._headers.get("content-type", ""),
            headers=self._headers,
            is_get=self._scope["method"] == "GET",
        )

    async def _body(self) -> bytes:
        parts = []
        size = 0
        while True:
            message = await self._receive()
            if message["type"] != "http.request":
                self.is_left = True
                raise BadCall("The client left before its statement was complete", _ABORTED)
            parts.append(message["body"])
            size += len(message["body"])
            if size > BODY_BYTES_MAX:
                raise BadCall(f"The body is over {BODY_BYTES_MAX} bytes", _TOO_LARGE)
            if not message["more_body"]:
                return b"".join(parts)

    async def left(self) -> None:
        """Returns when the client has closed the connection."""
        while (await self._receive())["type"] != "http.disconnect":
            pass
        self.is_left = True

    async def answer_call(self, call: Call, body: bytes) -> None:
        await self.answer(200, body, _call_headers(call))

    async def refuse(self, text: str, code: int) -> None:
        headers = [(b"x-clickhouse-exception-code", str(code).encode())]
        if code == AUTHENTICATION_FAILED:
            headers.append((b"www-authenticate", b'Basic realm="ClickHouse server HTTP API"'))
        if code == _TOO_LARGE:
            headers.append((b"connection", b"close"))
        await self.answer(_STATUS.get(code, 500), text.encode(errors="replace") + b"\n", headers)

    async def answer(self, status: int, body: bytes, headers: list[tuple[bytes, bytes]] | None = None) -> None:
        await self._start(status, [*(headers or []), (b"content-length", str(len(body)).encode())])
        await self._send({"type": "http.response.body", "body": body, "more_body": False})

    async def stream_head(self, call: Call, tag: str) -> None:
        """Begin an answer of unknown length; `tag` marks an error in its middle, and occurs nowhere else."""
        self._tag = tag
        await self._start(200, [*_call_headers(call), (b"x-clickhouse-exception-tag", self._tag.encode())])

    async def stream_block(self, block: bytes) -> None:
        await self._send({"type": "http.response.body", "body": block, "more_body": True})

    async def stream_end(self) -> None:
        await self._send({"type": "http.response.body", "body": b"", "more_body": False})

    async def break_off(self, text: str) -> None:
        """Say what went wrong after the status line, in the server's way (since 25.11).

        The answer stays without its end, so that a client that does not know of the tag notices as well.
        """
        message = text.encode(errors="replace")
        tag = self._tag.encode()
        block = b"__exception__\r\n%s\r\n%s\n%d %s\r\n__exception__\r\n" % (tag, message, len(message) + 1, tag)
        await self.stream_block(b"\r\n" + block)

    async def _start(self, status: int, headers: list[tuple[bytes, bytes]]) -> None:
        await self._send({"type": "http.response.start", "status": status, "headers": headers, "trailers": False})


def _call_headers(call: Call) -> list[tuple[bytes, bytes]]:
    headers = [
        (b"content-type", b"text/plain; charset=UTF-8"),
        (b"x-clickhouse-format", call.format.encode()),
        (b"x-clickhouse-timezone", b"UTC"),
    ]
    if call.query_id:
        headers.append((b"x-clickhouse-query-id", call.query_id.encode("ascii", errors="replace")))
    return headers


def _next_block(blocks: Generator[bytes]) -> bytes | None:
    return next(blocks, None)


async def _in(lane: Lane, function: Callable[..., _T], *arguments: object) -> _T:
    """Call a function in the lane's thread."""
    return await asyncio.get_running_loop().run_in_executor(lane.thread, function, *arguments)
