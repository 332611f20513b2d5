"""Failures as every client can read them: `{"status":"fail","error":"<text>","code":<code>}` (server-api 1.7)."""

from __future__ import annotations

from typing import Any

import msgspec
from sqlalchemy.exc import InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from belfry.edge.exchange import Answer, Header
from belfry.errors import CallerError, Unavailable
from belfry.storage.columnar import ColumnarError
from belfry.storage.log import LogBusy, LogUnavailable
from belfry.storage.relational import StoreBusy, StoreUnavailable

TEXT_LENGTH_MAX = 2000
UNKNOWN_ERROR = "An unknown error occurred"

COLUMNAR_OVERLOADED = frozenset({0, 159, 202, 209, 210, 241, 425})
"""Codes of the columnar store that say "not now": unreachable, time-out, too many queries, network, memory."""


def failure(error: CallerError, request_id: str, text_keys: tuple[str, ...] = ()) -> Answer:
    """The answer to a request that the caller has to change, or to repeat later.

    text_keys   further keys that repeat the text of `error`
    """
    text = _clean(error.text)
    body: dict[str, Any] = {"status": "fail", "error": text, "code": error.code, **dict.fromkeys(text_keys, text)}
    if error.field is not None:
        body["field"] = _clean(error.field)
    if error.limit is not None:
        body["limit"] = error.limit
    body["request_id"] = request_id
    return Answer(error.status, msgspec.json.encode(body), _headers(error))


def internal_failure(request_id: str, error_id: str, text_keys: tuple[str, ...] = ()) -> Answer:
    """The answer to a fault of ours: says nothing but the id under which the log has it."""
    body = {"status": "fail", "error": UNKNOWN_ERROR, "code": 500, "error_id": error_id, "request_id": request_id}
    return Answer(500, msgspec.json.encode({**body, **dict.fromkeys(text_keys, UNKNOWN_ERROR)}))


def as_caller_error(error: BaseException) -> CallerError | None:
    """What a layer's error means to the caller; None for a fault of ours."""
    match error:
        case CallerError():
            return error
        case LogBusy():
            return Unavailable("Too many uploads wait for the disk; nothing was accepted", retry_after_s=1)
        case LogUnavailable():
            return Unavailable(f"The log cannot be written: {error}; nothing was accepted", retry_after_s=5)
        case ColumnarError(code=code) if code in COLUMNAR_OVERLOADED:
            return Unavailable("The columnar store cannot answer now", retry_after_s=2)
        case StoreBusy() | StoreUnavailable() | OperationalError() | InterfaceError() | PoolTimeout():
            return Unavailable("The relational store cannot answer now", retry_after_s=2)
        case _:
            return None


def _headers(error: CallerError) -> tuple[Header, ...]:
    named = {**error.headers}
    if error.retry_after_s is not None:
        named["Retry-After"] = str(error.retry_after_s)
    return tuple((name.lower().encode("latin-1"), value.encode("latin-1")) for name, value in named.items())


def _clean(text: str) -> str:
    # Texts quote what came, which may hold lone surrogates or be very long.
    return text[:TEXT_LENGTH_MAX].encode("utf-8", "replace").decode("utf-8")
