"""Reading the fields of JSON bodies and of queries: the right kind of value, or an error that names the field."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Mapping

import msgspec

from belfry.edge.exchange import Request
from belfry.errors import BadRequest
from belfry.intake.codes import kind_of
from belfry.library.model import PageWanted, Span

TEXT_LENGTH_MAX = 1_000_000
NUMBER_MAX = 2**53
PAGE_SIZE_MAX = 100
DATE_TEXT = "Enter date in ISO format"
_ISO = re.compile(r"\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}\.\d{3}Z", re.ASCII)

Json = object  # what a caller sent: any JSON value


def object_of(request: Request) -> dict[str, Json]:
    """The body, an object; nothing at all is an empty one. Raises BadRequest."""
    if not request.body.strip():
        return {}
    try:
        body = msgspec.json.decode(request.body)
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError):
        raise BadRequest("Malformed request") from None
    return object_in(body, "body")


def object_in(value: Json, name: str) -> dict[str, Json]:
    """A value that needs to be an object."""
    if not isinstance(value, dict):
        raise BadRequest(f"{name} needs to be an object, got {kind_of(value)}", field=name)
    return value


def text_in(fields: Mapping[str, Json], name: str, *, length_max: int = TEXT_LENGTH_MAX) -> str | None:
    """A text; None if it is missing or null."""
    value = fields.get(name)
    if value is None:
        return None
    if not isinstance(value, str):
        raise BadRequest(f"{name} needs to be text, got {kind_of(value)}", field=name)
    if len(value) > length_max:
        raise BadRequest(f"{name} has {len(value)} characters, at most {length_max}", field=name, limit=length_max)
    if "\x00" in value:
        raise BadRequest(f"{name} holds a NUL character", field=name)
    return value


def mandatory_text(fields: Mapping[str, Json], name: str, *, length_max: int = TEXT_LENGTH_MAX) -> str:
    """A text that is not blank."""
    text = text_in(fields, name, length_max=length_max)
    if text is None or not text.strip():
        raise BadRequest(f"{name} is mandatory", field=name)
    return text


def number_in(fields: Mapping[str, Json], name: str, *, at_least: int = 1, at_most: int = NUMBER_MAX) -> int | None:
    """A whole number, also written as text; None if it is missing, null or empty."""
    value = fields.get(name)
    if value is None or value == "":
        return None
    if isinstance(value, str) and re.fullmatch(r"\d{1,16}", value.strip(), re.ASCII):
        value = int(value.strip())
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, int) or not at_least <= value <= at_most:
        shown = value if isinstance(value, int) and not isinstance(value, bool) else kind_of(value)
        raise BadRequest(
            f"{name} needs to be a whole number from {at_least} to {at_most}, got {shown}", field=name, limit=at_most
        )
    return value


def mandatory_number(fields: Mapping[str, Json], name: str) -> int:
    number = number_in(fields, name)
    if number is None:
        raise BadRequest(f"{name} is mandatory", field=name)
    return number


def texts_in(fields: Mapping[str, Json], name: str) -> tuple[str, ...] | None:
    """A list of texts, or one text as a list of one; None if it is missing or null."""
    value = fields.get(name)
    if value is None:
        return None
    items = [value] if isinstance(value, str) else value
    if not isinstance(items, list) or not all(isinstance(item, str) for item in items):
        raise BadRequest(f"{name} needs to be a list of text", field=name)
    return tuple(item.replace("\x00", "") for item in items)


def flag_in(fields: Mapping[str, Json], name: str) -> bool:
    """A boolean, also written as text or number; false if it is missing, null or empty."""
    value = fields.get(name)
    text = str(value).strip().lower()
    if value is None or text in {"false", "0", ""}:
        return False
    if text not in {"true", "1"}:
        raise BadRequest(f"{name} needs to be true or false, got {kind_of(value)}", field=name)
    return True


def page_in(parameters: Mapping[str, str], *, size: int) -> PageWanted:
    """`pageNumber` from 1 and `pageSize` up to 100. size: what a call without it gets."""
    number = number_in(parameters, "pageNumber", at_most=10**9)
    wanted = number_in(parameters, "pageSize", at_most=PAGE_SIZE_MAX)
    return PageWanted(1 if number is None else number, size if wanted is None else wanted)


def span_in(parameters: Mapping[str, str], since: str, until: str) -> Span:
    """From one date parameter to another, both included."""
    span = Span(_date_in(parameters, since), _date_in(parameters, until))
    if span.from_ms is not None and span.to_ms is not None and span.from_ms > span.to_ms:
        raise BadRequest(f"{since} is after {until}", field=since)
    return span


def _date_in(parameters: Mapping[str, str], name: str) -> int | None:
    text = parameters.get(name, "").strip()
    if not text:
        return None
    if not _ISO.fullmatch(text):
        raise BadRequest(DATE_TEXT, field=name)
    try:
        at = dt.datetime.fromisoformat(text)
    except ValueError:
        raise BadRequest(DATE_TEXT, field=name) from None
    return round(at.timestamp() * 1000)


def iso_ms(at_ms: int) -> str:
    """A time as ISO 8601 with milliseconds: `2026-11-04T08:00:00.000Z`."""
    at = dt.datetime.fromtimestamp(at_ms / 1000, dt.UTC)
    return at.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def author_in(fields: Mapping[str, Json], name: str, request: Request) -> str:
    """Who does it, as the call says; else the name of the passcode."""
    return text_in(fields, name, length_max=200) or request.known_caller.passcode.name
