"""A request to a third party, what it answered, and the ways in which it did not.

    OutboundError
    ├── AddressRefused  may not be called: nothing was sent, and never will be
    ├── TooLarge        the request is over the limit: nothing was sent
    ├── Unreachable     surely not sent: no address, no connection, no TLS
    └── NoAnswer        sent, at least in part, and no readable answer: perhaps taken

None of them, nor the repr of a request, shows a query, a header's value or a body: these hold secrets.
"""

from __future__ import annotations

import re
from urllib.parse import urlsplit

import msgspec

from belfry.errors import BelfryError

REQUEST_BYTES_MAX = 10 * 1024 * 1024
RESPONSE_BYTES_MAX = 1024 * 1024
HEADER_BYTES_MAX = 32 * 1024
TIMEOUT_MS = 5_000
OWN_HEADERS = frozenset(
    {"accept-encoding", "connection", "content-length", "cookie", "expect", "host", "keep-alive", "proxy-authorization"}
    | {"proxy-connection", "te", "trailer", "transfer-encoding", "upgrade"}
)
"""Headers that belong to the client, not to whoever writes a request."""
CONNECT_TIMEOUT_MS = 5_000

_NAME = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+")
_CONTROL = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]")


class OutboundError(BelfryError):
    """There is no answer. The text is safe to log and to show."""


class AddressRefused(OutboundError):
    """The URL or the address behind it may not be called."""


class TooLarge(OutboundError):
    """The request is larger than `REQUEST_BYTES_MAX`."""


class Unreachable(OutboundError):
    """No connection was made, so nothing was sent."""


class NoAnswer(OutboundError):
    """The request was sent or begun, and no status line came back that could be read."""


class OutboundRequest(msgspec.Struct, frozen=True, kw_only=True):
    """One request.

    url         absolute, percent-encoded; no userinfo, no fragment
    headers     in order; names as given. Those of the connection itself (`OWN_HEADERS`) are left out
    body        None: no body
    timeout_ms  from the start of the send to the last byte read
    raises      ValueError for line breaks and control characters in method and headers
    """

    method: str
    url: str
    headers: tuple[tuple[str, str], ...] = ()
    body: bytes | None = None
    timeout_ms: int = TIMEOUT_MS

    def __post_init__(self) -> None:
        if not (self.method.isascii() and self.method.isalpha()):
            raise ValueError("the method is not a word")
        for name, value in self.headers:
            if not _NAME.fullmatch(name) or _CONTROL.search(value):
                raise ValueError("a header's name or value cannot be sent")

    def __repr__(self) -> str:
        return f"OutboundRequest({self.method} {safe_url(self.url)}, body of {len(self.body or b'')} bytes)"


class OutboundResponse(msgspec.Struct, frozen=True):
    """What came back.

    status   as sent; redirects (3xx) are answers like any other and are not followed
    headers  names in lower case; the last one wins
    body     as sent, never decompressed; at most `RESPONSE_BYTES_MAX`
    is_cut   the body is longer than that, or ended before its end: the status counts, the body may not
    """

    status: int
    headers: dict[str, str]
    body: bytes
    is_cut: bool = False

    def __repr__(self) -> str:
        return f"OutboundResponse({self.status}, body of {len(self.body)} bytes{', cut' if self.is_cut else ''})"


def safe_url(url: str) -> str:
    """Scheme, host and port of a URL: what may be logged."""
    try:
        parts = urlsplit(url)
        host = parts.hostname or ""
        port = parts.port
    except ValueError:
        return "(not a URL)"
    shown = f"[{host}]" if ":" in host else host
    return f"{parts.scheme}://{shown}" + (f":{port}" if port else "")
