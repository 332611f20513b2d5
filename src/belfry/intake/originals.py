"""The original bytes of each record: what an answer echoes and the error stream keeps."""

from __future__ import annotations

import collections
import json

import msgspec

from belfry.error_stream.model import ErrorKind, Remark
from belfry.intake.wire import BOM, UNSTORABLE, repair

_decode_list = msgspec.json.Decoder(list[msgspec.Raw]).decode


class _Body(msgspec.Struct, gc=False):
    d: msgspec.Raw = msgspec.Raw(b"[]")


_decode_body = msgspec.json.Decoder(_Body).decode


def original_records(body: bytes) -> list[bytes]:
    """The bytes of each record, in order, exactly as they came.

    body    one that `check_upload` accepted; of any other the list may be empty
    """
    text = body.removeprefix(BOM)
    # Lone surrogates stop the decoder. Their replacement is as long, so that places stay the same.
    readable = repair(text) if UNSTORABLE.search(text) else text
    try:
        records = _records_of(readable)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return []
    if readable is text or readable == text:
        return [bytes(record) for record in records]
    return _same_places(records, readable, text)


def _records_of(text: bytes) -> list[msgspec.Raw]:
    if text.lstrip()[:1] == b"[":
        return _decode_list(text)
    records = _decode_body(text).d
    if bytes(records).lstrip()[:1] == b"{":
        return [records]
    return _decode_list(records)


def _same_places(records: list[msgspec.Raw], readable: bytes, text: bytes) -> list[bytes]:
    originals = []
    at = 0
    for record in map(bytes, records):
        at = readable.index(record, at)
        originals.append(text[at : at + len(record)])
        at += len(record)
    return originals


def byte_remarks(original: bytes) -> tuple[Remark, ...]:
    """What can only be seen in a record's bytes: repeated keys, characters that no store can hold."""
    remarks = []
    repaired = repair(original) if UNSTORABLE.search(original) else original
    if repaired != original:
        remarks.append(
            Remark(ErrorKind.SURROGATES_REPLACED, "record", "lone surrogates or U+0000 were replaced by U+FFFD")
        )
    doubled = _doubled_keys(repaired)
    if doubled:
        names = ", ".join(sorted(doubled))[:200]
        remarks.append(Remark(ErrorKind.DUPLICATE_KEYS, names, "the last value of a repeated key counts"))
    return tuple(remarks)


def _doubled_keys(text: bytes) -> set[str]:
    doubled: set[str] = set()

    def note(pairs: list[tuple[str, object]]) -> None:
        counts = collections.Counter(key for key, _ in pairs)
        if len(counts) < len(pairs):
            doubled.update(key for key, count in counts.items() if count > 1)

    # Numbers are left as they are: an endless one would take the parser long.
    json.loads(text, object_pairs_hook=note, parse_int=len, parse_float=len, parse_constant=len)
    return doubled
