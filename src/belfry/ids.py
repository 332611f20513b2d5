"""Identifiers: distinct types that cannot be swapped, and the source of fresh ones.

Ids of things that the pipeline makes (profiles, identity log rows) are not random: they are a pure function
of the place in the log (`sequence_at`), so that a replay of the log makes the same ones.
"""

from __future__ import annotations

import hashlib
import secrets
from typing import NewType, Protocol

AccountId = NewType("AccountId", str)
ProfileId = NewType("ProfileId", int)
DeviceId = NewType("DeviceId", str)
SegmentId = NewType("SegmentId", int)
CampaignId = NewType("CampaignId", int)
MessageId = NewType("MessageId", str)

_ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
INDEX_BITS = 15
"""Bits of a number that tell which record of a log entry made it, and which of the up to 32 things that it made."""
STREAM_BITS = 6


class Ids(Protocol):
    """Where fresh random ids come from."""

    def token_hex(self, bytes_count: int) -> str:
        """An unguessable string of `2 * bytes_count` hex digits."""
        ...


class SystemIds:
    """Ids from the operating system's random source."""

    def token_hex(self, bytes_count: int) -> str:
        return secrets.token_hex(bytes_count)


class SequentialIds:
    """Ids that count; for tests and simulations."""

    def __init__(self) -> None:
        self._next = 0

    def token_hex(self, bytes_count: int) -> str:
        self._next += 1
        return f"{self._next:0{2 * bytes_count}x}"


def sequence_at(position: int, stream: int, index: int, ordinal: int = 0) -> int:
    """The number of a place in the log: record `index` (0..1023) of the entry at `position` of `stream`.

    `ordinal` (0..31) tells apart several things that one record makes. Fits a signed 64-bit integer, grows with
    the log, and is the same at every replay.
    """
    return (((position << STREAM_BITS) | stream) << INDEX_BITS) | (index << 5) | ordinal


def message_id(key: bytes, account_id: AccountId, campaign_id: int, run_id: int, profile_id: int) -> MessageId:
    """The id of one message: a pure function of (campaign, run, user), opaque to who receives it.

    `b1` and 40 characters of `[A-Za-z0-9]`; holds no personal data. Source: partner integrations 0.2.
    """
    text = f"{account_id}\x00{campaign_id}\x00{run_id}\x00{profile_id}".encode()
    number = int.from_bytes(hashlib.blake2b(text, digest_size=30, key=key).digest(), "big")
    digits = []
    for _ in range(40):
        number, digit = divmod(number, 62)
        digits.append(_ALPHABET[digit])
    return MessageId("b1" + "".join(digits))
