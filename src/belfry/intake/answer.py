"""The answer to an upload (server-api 3.9)."""

from __future__ import annotations

import msgspec

from belfry.intake.model import UploadLimits, Verdict
from belfry.intake.originals import original_records

IDENTIFIER_BYTES_MAX = 160
"""Of a record that is named instead of echoed; a thousand of these stay below half of an answer's 1 MiB."""

_IDENTIFIERS = ("identity", "FBID", "GPID", "objectId")


class _Unprocessed(msgspec.Struct, gc=False):
    status: str
    code: int
    error: str
    record: msgspec.Raw


class _Answer(msgspec.Struct, gc=False):
    status: str
    processed: int
    unprocessed: list[_Unprocessed]


_encode = msgspec.json.Encoder().encode
_ALL_PROCESSED = '{{"status":"success","processed":{},"unprocessed":[]}}'


def answer(verdict: Verdict, body: bytes, limits: UploadLimits) -> bytes:
    """The JSON answer: how many records were accepted, and each other one with its code, text and original bytes.

    Stays below 1 MiB: once the echoes reach `limits.echo_bytes_max`, `record` holds identifier and type only
    (server-api 11, point 6).
    """
    processed = verdict.total - len(verdict.refusals)
    if not verdict.refusals:
        return _ALL_PROCESSED.format(processed).encode()
    originals = original_records(body)
    unprocessed = []
    bytes_left = limits.echo_bytes_max
    for refusal in verdict.refusals:
        original = originals[refusal.index]
        echo = original if len(original) <= bytes_left else _named(original)
        bytes_left -= len(original) if echo is original else 0
        unprocessed.append(_Unprocessed("fail", refusal.code, refusal.text, msgspec.Raw(echo)))
    return _encode(_Answer("partial" if processed else "fail", processed, unprocessed))


def _named(original: bytes) -> bytes:
    """A record reduced to who and what it is about."""
    try:
        record = msgspec.json.decode(original)
    except (msgspec.DecodeError, RecursionError):
        return b"{}"
    if not isinstance(record, dict):
        return b"{}"
    who = next((key for key in _IDENTIFIERS if record.get(key)), None)
    return _encode({key: _short(record[key]) for key in ("type", who) if key in record})


def _short(value: object) -> str | int | float | None:
    """An identifier of a bounded size; None for what is none."""
    if isinstance(value, str):
        while len(_encode(value)) > IDENTIFIER_BYTES_MAX:
            value = value[: min(len(value) // 2, IDENTIFIER_BYTES_MAX)]
        return value
    return value if isinstance(value, float) or (isinstance(value, int) and abs(value) < 2**63) else None
