"""What a handler is given and what it gives back."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any
from urllib.parse import parse_qsl, unquote

import msgspec

from belfry.accounts.model import Account, Caller
from belfry.ids import AccountId

JSON = b"application/json;charset=utf-8"
HTML = b"text/html;charset=utf-8"

Header = tuple[bytes, bytes]


class Request(msgspec.Struct, kw_only=True):
    """One request whose caller is known and whose body is read and decoded.

    path         without the trailing slash that may have come
    route        the declared path, with its parameters' names
    query        raw, as in the URL
    headers      names in lower case; of several with one name the last
    body         decoded (no Content-Encoding); empty for GET, and where the route streams
    chunks       of a route that streams: the body's bytes as they come; raises ClientGone if the client leaves
    raw_path     as it came, still percent-encoded
    caller       None on public paths only
    address      the client's IP address
    """

    method: str
    path: str
    route: str
    query: bytes
    headers: dict[bytes, bytes]
    body: bytes
    caller: Caller | None
    request_id: str
    received_at_ms: int
    address: str
    chunks: AsyncIterator[bytes] | None = None
    raw_path: bytes = b""

    @property
    def account(self) -> Account:
        """The account of the credentials: the only thing that says whose data a handler touches."""
        return self.known_caller.account

    @property
    def account_id(self) -> AccountId:
        return self.known_caller.account.account_id

    @property
    def known_caller(self) -> Caller:
        if self.caller is None:
            raise RuntimeError("a public route has no caller")
        return self.caller

    def header(self, name: bytes) -> str | None:
        """A header's value without the spaces around it; None if it is missing or empty."""
        value = self.headers.get(name)
        return value.decode("latin-1").strip() or None if value is not None else None

    def path_parameter(self, name: str) -> str:
        """What stands in the path where the route declares `{name}`; an encoded slash in it is a slash."""
        for declared, given in zip(self.route.split("/"), self.raw_path.decode("latin-1").split("/"), strict=False):
            before, brace, rest = declared.partition("{" + name + "}")
            if brace:
                value = unquote(given)
                return value[len(before) : len(value) - len(rest)]
        raise RuntimeError(f"{self.route} has no parameter {name}")

    def parameters(self) -> dict[str, str]:
        """The query's parameters; of several with one name the last. `+` and `%20` are spaces."""
        return dict(parse_qsl(self.query.decode("latin-1"), keep_blank_values=True)) if self.query else {}


class Answer(msgspec.Struct, frozen=True):
    """One answer.

    body    whole; or, if `stream` is set, what comes before the streamed chunks
    stream  chunks that are made while they are sent, for answers of any size in constant memory
    """

    status: int
    body: bytes
    headers: tuple[Header, ...] = ()
    content_type: bytes = JSON
    stream: AsyncIterator[bytes] | None = None


def json_answer(value: Any, *, status: int = 200, headers: tuple[Header, ...] = ()) -> Answer:
    """An answer with a JSON body."""
    return Answer(status, msgspec.json.encode(value), headers)


def warnings_header(warnings: list[str]) -> tuple[Header, ...]:
    """`X-Warnings` for what was ignored or changed in a query; nothing if there are none."""
    if not warnings:
        return ()
    text = "; ".join(warnings)[:2000]
    # A header is one line of visible ASCII; names in warnings come from the caller.
    return ((b"x-warnings", "".join(c if " " <= c <= "~" else "?" for c in text).encode("ascii")),)
