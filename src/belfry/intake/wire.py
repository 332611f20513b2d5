"""From body bytes to wire records: strict where JSON is strict, tolerant where clients are known to stray.

The common body is decoded in one typed pass. A body of another shape, with lone surrogates or with endless
integers takes the tolerant way; what no way can read is `Malformed request`, a text that some clients repeat
for ever on, so that it is used for bad syntax alone (server-api 1.6, 11).
"""

from __future__ import annotations

import re

import msgspec
from msgspec import UNSET

from belfry.errors import BadRequest
from belfry.intake.codes import kind_of
from belfry.intake.model import UploadLimits

BOM = b"\xef\xbb\xbf"
FLOOD_BYTES_MIN = 1024 * 1024
"""Below this size a body cannot hold enough values to be worth counting them."""


class WireRecord(msgspec.Struct, gc=False):
    """One record as sent. UNSET: the key is not there; None: it is null, which means the same to every rule."""

    type: object = UNSET
    identity: object = UNSET
    ts: object = UNSET
    event_name: object = msgspec.field(default=UNSET, name="evtName")
    event_data: object = msgspec.field(default=UNSET, name="evtData")
    fbid: object = msgspec.field(default=UNSET, name="FBID")
    gpid: object = msgspec.field(default=UNSET, name="GPID")
    object_id: object = msgspec.field(default=UNSET, name="objectId")
    profile_data: object = msgspec.field(default=UNSET, name="profileData")
    token_data: object = msgspec.field(default=UNSET, name="tokenData")
    partner_id: object = msgspec.field(default=UNSET, name="$source")
    source: object = UNSET


NOT_A_RECORD = WireRecord()
"""Stands in the place of a record that is not an object (524)."""


class Upload(msgspec.Struct, frozen=True, gc=False):
    """A decoded body.

    text         the bytes that were decoded: the body without BOM, unstorable characters replaced
    is_repaired  characters were replaced (lone surrogates, U+0000)
    is_plain     the body was an object with an array of objects under `d`
    """

    records: list[WireRecord]
    text: bytes
    is_repaired: bool
    is_plain: bool


class _Body(msgspec.Struct, gc=False):
    d: list[WireRecord]


decode_plain = msgspec.json.Decoder(_Body).decode
_decode_any = msgspec.json.Decoder().decode

_UNSTORABLE_RUN = re.compile(
    rb"(?<!\\)((?:\\\\)*)"  # an even number of backslashes before: the next one begins an escape
    rb"(?:((?:\\u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2})+)"  # pairs, which are fine
    rb"|((?:\\u(?:[dD][89abAB][0-9a-fA-F]{2}(?!\\u[dD][c-fC-F][0-9a-fA-F]{2})|[dD][c-fC-F][0-9a-fA-F]{2}|0000))+))"
)
UNSTORABLE = re.compile(rb"\\u(?:[dD][89a-fA-F]|0000)")
"""May be a lone surrogate or U+0000; `repair` looks closer."""
_LONG_INTEGER = re.compile(rb'"(?:[^"\\]|\\.)*"|(?<![\d.eE+-])(-?\d{300,})(?![\d.eE])', re.DOTALL)


def given(value: object) -> object:
    """The value of an optional key; None if it is not there."""
    return None if value is UNSET else value


def malformed() -> BadRequest:
    return BadRequest("Malformed request")


def decode(body: bytes, limits: UploadLimits) -> Upload:
    """Read a body into wire records, in the order they were sent.

    body    JSON in UTF-8, with or without BOM, at most 16 MiB (the caller's limit)
    raises  BadRequest: not JSON, nested too deep, `d` missing or of another kind, too many records or values
    """
    text, is_repaired = _readable(body)
    _refuse_flood(text, limits)
    try:
        records = decode_plain(text).d
        is_plain = True
    except msgspec.ValidationError:
        records = _decode_odd(text, limits)
        is_plain = False
    except (msgspec.DecodeError, RecursionError):
        raise malformed() from None
    if len(records) > limits.records_max:
        raise BadRequest(
            f"Too many records: {len(records)}, maximum {limits.records_max}", field="d", limit=limits.records_max
        )
    if is_plain:
        _refuse_hidden_depth(text, records, limits)
    return Upload(records, text, is_repaired, is_plain)


def _readable(body: bytes) -> tuple[bytes, bool]:
    """The body without BOM and with only such characters as stores can hold; whether any was replaced."""
    text = body.removeprefix(BOM)
    if not text.isascii():
        try:
            text.decode()
        except UnicodeDecodeError:
            raise malformed() from None
    if b"\\" in text and UNSTORABLE.search(text):
        repaired = repair(text)
        return repaired, repaired != text
    return text, False


def repair(text: bytes) -> bytes:
    r"""Replace lone surrogates and U+0000, which no store holds, by U+FFFD. The length stays the same.

    Only escapes can bring them: raw ones are not valid UTF-8 or not valid JSON.
    """
    return _UNSTORABLE_RUN.sub(_replaced, text)


def _replaced(match: re.Match[bytes]) -> bytes:
    return match[0] if match[3] is None else match[1] + b"\\ufffd" * (len(match[3]) // 6)


def _refuse_flood(text: bytes, limits: UploadLimits) -> None:
    # A million keys in a body that is small enough would hold the edge for a quarter of a second.
    if len(text) < FLOOD_BYTES_MIN:
        return
    keys_count = text.count(b'":') - text.count(b'\\":')
    if keys_count > limits.keys_max:
        raise BadRequest(f"Too many keys: {keys_count}, maximum {limits.keys_max}", limit=limits.keys_max)
    values_count = text.count(b",")
    if values_count > limits.values_max:
        raise BadRequest(f"Too many values: {values_count}, maximum {limits.values_max}", limit=limits.values_max)


def _decode_odd(text: bytes, limits: UploadLimits) -> list[WireRecord]:
    """Records of a body that is JSON, but not an object with an array of objects under `d`."""
    value = _decode_value(text)
    refuse_depth(value, limits.depth_max)
    return [_wire_record(item) for item in _items(value)]


def _decode_value(text: bytes) -> object:
    try:
        return _decode_any(text)
    except msgspec.ValidationError as error:
        # Well-formed numbers that do not fit: an endless integer becomes text, 1e999 has no value at all.
        if "Integer" not in str(error):
            raise malformed() from None
        return _decode_value(_LONG_INTEGER.sub(_quoted, text))
    except (msgspec.DecodeError, RecursionError):
        raise malformed() from None


def _quoted(match: re.Match[bytes]) -> bytes:
    return b'"' + match[1] + b'"' if match[1] else match[0]


def _items(value: object) -> list[object]:
    if isinstance(value, list):
        return value
    if not isinstance(value, dict):
        raise BadRequest(f"The body needs to be an object with d, or an array of records; got {kind_of(value)}")
    records = value.get("d")
    if records is None:
        raise BadRequest("d is mandatory", field="d")
    if isinstance(records, dict):
        return [records]
    if not isinstance(records, list):
        raise BadRequest(f"d needs to be an array of records; got {kind_of(records)}", field="d")
    return records


def _wire_record(item: object) -> WireRecord:
    return msgspec.convert(item, WireRecord) if isinstance(item, dict) else NOT_A_RECORD


def _refuse_hidden_depth(text: bytes, records: list[WireRecord], limits: UploadLimits) -> None:
    """Look for deep nesting, but only in bodies with enough brackets to hide it besides the usual ones."""
    usual = 2 + len(records) + [type(record.event_data) for record in records].count(dict)
    if text.count(b"{") + text.count(b"[") - usual >= limits.depth_max - 3:
        refuse_depth(_decode_value(text), limits.depth_max)


def refuse_depth(value: object, depth_max: int) -> None:
    """Raise BadRequest if containers are nested deeper than `depth_max`, the outermost counted as one."""
    level = [value]
    for _ in range(depth_max):
        level = [child for parent in level if isinstance(parent, dict | list) for child in _children(parent)]
        if not level:
            return
    if any(isinstance(child, dict | list) for child in level):
        raise malformed()


def _children(container: dict[str, object] | list[object]) -> list[object]:
    return list(container.values()) if isinstance(container, dict) else container


def keys_count(value: object) -> int:
    """How many object keys a decoded value holds, at all depths."""
    if isinstance(value, dict):
        return len(value) + sum(map(keys_count, value.values()))
    if isinstance(value, list):
        return sum(map(keys_count, value))
    return 0


def record_keys_count(record: WireRecord) -> int:
    """How many object keys a record was sent with, those that no rule knows left out."""
    values = [getattr(record, field) for field in WireRecord.__struct_fields__]
    return sum(1 + keys_count(value) for value in values if value is not UNSET)
