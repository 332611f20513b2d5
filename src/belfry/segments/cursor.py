"""The cursor of an export: what page is meant, signed, as text that needs no encoding (server-api 5.4)."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import struct
from urllib.parse import unquote

import msgspec

from belfry.errors import BadRequest
from belfry.ids import AccountId

EXPORT_ID_BYTES = 8
_FORMAT = struct.Struct(">B8s8sqq")  # form, account, export, position
_FORM = 1
_MAC_BYTES = 16
_TEXT_LENGTH_MAX = 1000
"""Longest text worth decoding: our own have 66 characters, each percent-encoding at most triples that."""


class Cursor(msgspec.Struct, frozen=True):
    """A place in an export.

    export_id  16 hex digits
    position   the last thing already given: (ts in milliseconds, seq) of an event, (0, id) of a profile
    """

    export_id: str
    position: tuple[int, int]


def write_cursor(secret: bytes, account_id: AccountId, cursor: Cursor) -> str:
    """Unpadded base64url, 66 characters."""
    payload = _FORMAT.pack(_FORM, _account_hash(account_id), bytes.fromhex(cursor.export_id), *cursor.position)
    return base64.urlsafe_b64encode(payload + _mac(secret, payload)).rstrip(b"=").decode()


def read_cursor(secret: bytes, account_id: AccountId, text: str) -> Cursor:
    """The cursor of a text, however often it was percent-encoded on its way.

    raises  BadRequest with code 3 for a text that is no cursor of ours, `CURSOR_INVALIDATED` for another account's
    """
    payload = _verified(secret, text)
    form, account, export, first, second = _FORMAT.unpack(payload)
    if form != _FORM or not hmac.compare_digest(account, _account_hash(account_id)):
        raise invalidated()
    return Cursor(export.hex(), (first, second))


def invalidated() -> BadRequest:
    """The cursor was good once, or for someone else."""
    return BadRequest("Invalid cursor", code="CURSOR_INVALIDATED", field="cursor")


def _verified(secret: bytes, text: str) -> bytes:
    unreadable = BadRequest("Incorrect Usage", code=3, field="cursor")
    if len(text) > _TEXT_LENGTH_MAX:
        raise unreadable
    plain = unquote(unquote(text)).strip().rstrip("=")
    try:
        raw = base64.b64decode(plain + "=" * (-len(plain) % 4), altchars=b"-_", validate=True)
    except (binascii.Error, ValueError):
        raise unreadable from None
    payload, mac = raw[:-_MAC_BYTES], raw[-_MAC_BYTES:]
    if len(payload) != _FORMAT.size or not hmac.compare_digest(mac, _mac(secret, payload)):
        raise unreadable
    return payload


def _mac(secret: bytes, payload: bytes) -> bytes:
    return hmac.new(secret, b"belfry export cursor\x00" + payload, hashlib.sha256).digest()[:_MAC_BYTES]


def _account_hash(account_id: AccountId) -> bytes:
    return hashlib.blake2b(account_id.encode(), digest_size=8).digest()
