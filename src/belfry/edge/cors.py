"""Calls from browser pages: off unless an account lists the page's origin (server-api 1.6)."""

from __future__ import annotations

from belfry.accounts.model import Account
from belfry.edge.exchange import Answer, Header

_HEADERS = (
    b"content-type, content-encoding, idempotency-key, x-clevertap-account-id, x-clevertap-passcode, x-request-id"
)
_EXPOSED = b"retry-after, x-request-id, x-warnings, idempotent-replay"


def is_preflight(method: str, headers: dict[bytes, bytes]) -> bool:
    return method == "OPTIONS" and b"origin" in headers and b"access-control-request-method" in headers


def preflight(headers: dict[bytes, bytes]) -> Answer:
    """The answer to a preflight from an origin that some account lists; says nothing about which."""
    allowed = (
        *_origin(headers[b"origin"]),
        (b"access-control-allow-methods", b"GET, POST, PUT, PATCH, DELETE"),
        (b"access-control-allow-headers", _HEADERS),
        (b"access-control-max-age", b"600"),
    )
    return Answer(204, b"", allowed)


def headers_for(account: Account, headers: dict[bytes, bytes]) -> tuple[Header, ...]:
    """What lets a page read the answer; nothing unless this very account lists its origin."""
    origin = headers.get(b"origin")
    if origin is None or not account.settings.cors_origins:
        return ()
    if origin.decode("latin-1") not in account.settings.cors_origins:
        return ()
    return (*_origin(origin), (b"access-control-expose-headers", _EXPOSED))


def _origin(origin: bytes) -> tuple[Header, ...]:
    return ((b"access-control-allow-origin", origin), (b"vary", b"origin"))
