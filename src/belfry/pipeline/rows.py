"""Columnar rows as JSON lines: what the pipeline knows, in the shape of the tables.

A line is an array with a value for each column: half the bytes of an object, and less for the store to look at.
Instants are whole milliseconds, which is how DateTime64(3) reads an integer.
"""

from __future__ import annotations

import datetime as dt
import functools

import msgspec

from belfry.error_stream.model import ErrorRecord
from belfry.events.model import Event
from belfry.ids import AccountId

EVENT_COLUMNS = (
    "account_id",
    "name",
    "day",
    "profile_id",
    "ts",
    "seq",
    "recorded_profile_id",
    "device_id",
    "session_id",
    "source",
    "flags",
    "key_hash",
    "received_at",
    "props",
)
ERROR_COLUMNS = (
    "account_id",
    "kind",
    "day",
    "seq",
    "source",
    "subject",
    "severity",
    "code",
    "detail",
    "request_id",
    "record",
    "received_at",
)
DAY_MS = 86_400_000


class _EventRow(msgspec.Struct, array_like=True, gc=False):
    account_id: str
    name: str
    day: str
    profile_id: int
    ts: int
    seq: int
    recorded_profile_id: int
    device_id: str
    session_id: int
    source: str
    flags: int
    key_hash: int
    received_at: int
    props: msgspec.Raw


class _ErrorRow(msgspec.Struct, array_like=True, gc=False):
    account_id: str
    kind: str
    day: str
    seq: int
    source: str
    subject: str
    severity: str
    code: int
    detail: str
    request_id: str
    record: str
    received_at: int


_encoder = msgspec.json.Encoder()


@functools.lru_cache(maxsize=4096)
def _date(days: int) -> str:
    return (dt.date(1970, 1, 1) + dt.timedelta(days=days)).isoformat()


def date_text(at_ms: int) -> str:
    """The UTC day of an instant, `YYYY-MM-DD`."""
    return _date(at_ms // DAY_MS)


def event_lines(account_id: AccountId, events: list[Event]) -> bytes:
    """Rows of `events`, one line each."""
    return _encoder.encode_lines(
        [
            _EventRow(
                account_id,
                event.folded,
                _date(event.ts_ms // DAY_MS),
                event.profile_id,
                event.ts_ms,
                event.seq,
                event.profile_id,
                event.device_id,
                event.session_id,
                event.source,
                event.flags,
                event.key_hash,
                event.received_at_ms,
                msgspec.Raw(event.props_json),
            )
            for event in events
        ]
    )


def error_lines(errors: list[ErrorRecord]) -> bytes:
    """Rows of `error_records`, one line each. Bytes that are not UTF-8 become U+FFFD."""
    return _encoder.encode_lines(
        [
            _ErrorRow(
                error.account_id,
                error.kind,
                date_text(error.received_at_ms),
                error.seq,
                error.source,
                error.subject,
                error.severity,
                error.code,
                error.detail,
                error.request_id,
                error.record.decode("utf-8", "replace"),
                error.received_at_ms,
            )
            for error in errors
        ]
    )
