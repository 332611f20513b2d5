"""Reading what a query call asks: its body in the query language, and its parameters (server-api 4, 5.2)."""

from __future__ import annotations

import datetime as dt

import msgspec

from belfry.edge.exchange import Request
from belfry.errors import BadRequest
from belfry.segments.calendar import Calendar

BATCH_SIZE = 500
BATCH_SIZE_MAX = 5000
BATCH_TEXT = f"batch_size should be between 1 and {BATCH_SIZE_MAX}"
_TRUE, _FALSE = frozenset({"true", "1"}), frozenset({"false", "0"})
_YES, _NO = (True, *_TRUE), (False, None, *_FALSE)  # 1 and 0 equal True and False

Json = object  # what a caller sent: any JSON value


def body_of(request: Request, parameters: dict[str, str]) -> Json:
    """The query of a call: its JSON body, or with GET the parameter `query` (as older clients send it).

    Raises BadRequest without one, and for what is no JSON.
    """
    raw = request.body if request.method == "POST" else parameters.get("query", "").encode("utf-8", "replace")
    if not raw.strip():
        raise BadRequest("A query is required: a JSON body, or the parameter query", field="query")
    try:
        return msgspec.json.decode(raw)
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError):
        raise BadRequest("Malformed request") from None


def today_of(request: Request) -> dt.date:
    """The day in the account's calendar."""
    return Calendar(request.account.timezone, request.received_at_ms).today


def batch_size_of(parameters: dict[str, str], warnings: list[str]) -> int:
    """Records on a page, 1 to 5000; more is cut to 5000 with a warning, anything else refused."""
    text = parameters.get("batch_size", "").strip()
    if not text:
        return BATCH_SIZE
    if not (text.isascii() and text.isdecimal()) or int(text[:12]) == 0:
        raise BadRequest(BATCH_TEXT, field="batch_size", limit=BATCH_SIZE_MAX)
    size = int(text[:12])
    if size > BATCH_SIZE_MAX:
        warnings.append(f"batch_size {size} is above {BATCH_SIZE_MAX}, pages hold {BATCH_SIZE_MAX}")
    return min(size, BATCH_SIZE_MAX)


def flag_of(parameters: dict[str, str], name: str, *, default: bool) -> bool:
    """A boolean parameter: true, false, 1, 0 in any case."""
    text = parameters.get(name, "").strip().lower()
    if not text:
        return default
    if text not in _TRUE | _FALSE:
        raise BadRequest(f"{name} needs to be true or false, got {text[:40]}", field=name)
    return text in _TRUE


def truth_of(value: Json, name: str) -> bool:
    """A boolean of a body: true, false, 1, 0, also as texts in any case; null and missing are false."""
    key = value.strip().lower() if isinstance(value, str) else value
    if key in _YES:
        return True
    if key in _NO:
        return False
    raise BadRequest(f"{name} needs to be true or false", field=name)
