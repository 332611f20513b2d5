"""Recognising a repeated request, exactly, without looking at what a user did before.

Two equal events can both be real, so equality alone drops nothing (engagement 2.3). Of events that carry their
own time, the ones of a request are compared with those of earlier requests by (user, device, name, time,
properties), with multiplicity: if earlier requests held n of them and this one holds m, m - n are new.

What earlier requests held is known from the profile's `recent`: its newest `ENTRIES_MAX` events, and the time
(`floor`) up to which older ones were pushed out. An event younger than the floor is judged from `recent` alone;
only an older one needs the columnar store, which holds exactly n rows of its hash.

    floor u32 | entry, entry, …      entry: hash u64, ts u32, received u32, request u32, stored u16, in request u16
"""

from __future__ import annotations

import hashlib
import struct

import msgspec

from belfry.events.model import Event

ENTRIES_MAX = 16
WINDOW_S = 7 * 24 * 3600
"""How long an event can be repeated and still be recognised."""

_ENTRY = struct.Struct("<QIIIHH")
_FLOOR = struct.Struct("<I")
_HASH = struct.Struct("<Q")
EMPTY = _FLOOR.pack(0)
_encode_sorted = msgspec.json.Encoder(order="deterministic").encode


def key_hash(event: Event) -> int:
    """64 bits that stand for (device, name, time, properties); the order of properties does not matter."""
    digest = hashlib.blake2b(_encode_sorted(event.props), digest_size=8)
    digest.update(f"{event.device_id}\x00{event.folded}\x00{event.ts_ms}".encode("utf-8", "surrogatepass"))
    return int.from_bytes(digest.digest(), "little")


def sender_key_hash(folded: str, key: str) -> bytes:
    """16 bytes that stand for an id that the sender gave an event of this name."""
    return hashlib.blake2b(f"{folded}\x00{key}".encode("utf-8", "surrogatepass"), digest_size=16).digest()


def find(recent: bytes, hash_: int) -> int:
    """Where in `recent` the entry of this hash begins; -1 if it is not there."""
    needle = _HASH.pack(hash_)
    at = recent.find(needle, _FLOOR.size)
    while at >= 0 and (at - _FLOOR.size) % _ENTRY.size:
        at = recent.find(needle, at + 1)
    return at


def needs_lookup(recent: bytes, hash_: int, ts_s: int) -> bool:
    """Whether only the columnar store knows if this event was there before."""
    floor: int = _FLOOR.unpack_from(recent)[0]
    return floor > 0 and ts_s <= floor and find(recent, hash_) < 0


class Judge:
    """Judges the events of one block, in order. One for each block.

    stored    (profile, hash) → rows that the columnar store has, for the events that `needs_lookup` named
    """

    def __init__(self, stored: dict[tuple[int, int], int]) -> None:
        self._stored = stored
        self._pushed_out: dict[tuple[int, int], bytes] = {}

    def judge(self, recent: bytes, event: Event, request: int) -> tuple[bool, bytes]:
        """Whether the event repeats an earlier request, and the profile's `recent` afterwards.

        request    the position of the log entry that holds the event
        """
        at = find(recent, event.key_hash)
        received_s = event.received_at_ms // 1000
        key = (event.profile_id, event.key_hash)
        if at >= 0:
            entry = recent[at : at + _ENTRY.size]
        else:
            entry = self._pushed_out.get(key) or self._first(event, key, received_s)
        repeated, entry = _count(entry, request & 0xFFFFFFFF, received_s)
        if at >= 0:
            return repeated, recent[:at] + entry + recent[at + _ENTRY.size :]
        return repeated, self._push(recent, entry, event.profile_id)

    def _first(self, event: Event, key: tuple[int, int], received_s: int) -> bytes:
        stored = min(self._stored.get(key, 0), 0xFFFF)
        return _ENTRY.pack(event.key_hash, max(event.ts_ms // 1000, 0) & 0xFFFFFFFF, received_s, 0, stored, 0)

    def _push(self, recent: bytes, entry: bytes, profile_id: int) -> bytes:
        if len(recent) < _FLOOR.size + ENTRIES_MAX * _ENTRY.size:
            return recent + entry
        oldest = recent[_FLOOR.size : _FLOOR.size + _ENTRY.size]
        hash_, ts_s = struct.unpack_from("<QI", oldest)
        self._pushed_out[(profile_id, hash_)] = oldest
        floor = max(_FLOOR.unpack_from(recent)[0], ts_s, 1)
        return _FLOOR.pack(floor) + recent[_FLOOR.size + _ENTRY.size :] + entry


def _count(entry: bytes, request: int, received_s: int) -> tuple[bool, bytes]:
    """Count one more occurrence in this request; whether an earlier request held it already."""
    hash_, ts_s, seen_s, last_request, stored, in_request = _ENTRY.unpack(entry)
    if last_request != request:
        in_request = 0
        if received_s - seen_s > WINDOW_S:
            stored = 0
    in_request = min(in_request + 1, 0xFFFF)
    repeated = in_request <= stored
    stored = max(stored, in_request)
    return repeated, _ENTRY.pack(hash_, ts_s, received_s, request, stored, in_request)


def united(recent: bytes, other: bytes) -> bytes:
    """The memory of two profiles that became one: the newest entries of both; older ones are the store's to know."""
    if not recent or not other:
        return recent or other
    entries = sorted(_entries(recent) + _entries(other), key=lambda entry: struct.unpack_from("<QI", entry)[1])
    kept, pushed_out = entries[-ENTRIES_MAX:], entries[:-ENTRIES_MAX]
    floors = [_FLOOR.unpack_from(recent)[0], _FLOOR.unpack_from(other)[0]]
    floors += [struct.unpack_from("<QI", entry)[1] for entry in pushed_out]
    return _FLOOR.pack(max(floors)) + b"".join(kept)


def _entries(recent: bytes) -> list[bytes]:
    return [recent[at : at + _ENTRY.size] for at in range(_FLOOR.size, len(recent), _ENTRY.size)]
