"""Recognising a repeated request, exactly, without looking at what a user did before.

Two equal events can both be real, so equality alone drops nothing (engagement 2.3). Of events that carry their
own time, the ones of a request are compared with those of earlier requests by (user, device, name, time,
properties), with multiplicity: if earlier requests held n of them and this one holds m, m - n are new. What was
stored counts for seven days after the newest of it came; then none of it does.

What earlier requests held is known from the profile's `recent`: its newest `ENTRIES_MAX` events, and the time
(`floor`) up to which older ones were pushed out. An event younger than the floor is judged from `recent` alone;
only an older one needs the columnar store, which holds exactly the rows of its hash. Whether it is asked does not
change the verdict, so a replay with other blocks comes to the same.

    floor u32 | entry, entry, …      entry: hash u64, sent u32, came u32, request u32, stored u16, in request u16

    sent     the event's time as the sender gave it: a repetition gives the same, also where the clock ran ahead
    came     when the newest equal event that was stored was received; both in epoch seconds
    stored   how many are stored and count; `in request`: how often the latest request held it so far
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Mapping
from hashlib import blake2b

import msgspec

from belfry.ids import ProfileId

ENTRIES_MAX = 8
"""Enough for what a user does in a few minutes. Each entry more is written again with every event of its user."""
WINDOW_S = 7 * 24 * 3600
"""How long an event can be repeated and still be recognised."""

Arrivals = list[tuple[int, int]]
"""Equal events that the columnar store has: (when they came in epoch seconds, how many), in any order."""
Stored = Mapping[tuple[ProfileId, int], Arrivals]
"""(profile, hash) → what the columnar store has of it."""

_ENTRY = struct.Struct("<QIIIHH")
_FLOOR = struct.Struct("<I")
_HASH = struct.Struct("<Q")
_HASH_AND_TIME = struct.Struct("<QI")
_FLOOR_AND_FIRST = struct.Struct("<IQI")
_FULL_BYTES = _FLOOR.size + ENTRIES_MAX * _ENTRY.size
_SECOND_AT = _FLOOR.size + _ENTRY.size
_COUNT_MAX = 0xFFFF
_REQUEST_MAX = 0xFFFFFFFF
EMPTY = _FLOOR.pack(0)


class Occurrence(msgspec.Struct, gc=False):
    """One event as it is compared with others.

    sent_s    its time as the sender gave it
    came_s    when it was received; both epoch seconds
    request   the position of the log entry that holds it
    """

    profile_id: ProfileId
    hash: int
    sent_s: int
    came_s: int
    request: int


def key_hash(device_id: str, folded: str, sent_s: int, props_json: bytes) -> int:
    """64 bits, never 0, that stand for (device, name, time, properties)."""
    rest = f"{device_id}\x00{folded}\x00{sent_s}".encode()
    number: int = _HASH.unpack(blake2b(props_json + rest, digest_size=8).digest())[0]
    return number or 1


def sender_key_hash(folded: str, key: str) -> bytes:
    """16 bytes that stand for an id that the sender gave an event of this name."""
    return blake2b(f"{folded}\x00{key}".encode(), digest_size=16).digest()


def find(recent: bytes, hash_: int) -> int:
    """Where in `recent` the entry of this hash begins; -1 if it is not there."""
    needle = _HASH.pack(hash_)
    at = recent.find(needle, _FLOOR.size)
    while at >= 0 and (at - _FLOOR.size) % _ENTRY.size:
        at = recent.find(needle, at + 1)
    return at


def needs_lookup(recent: bytes, hash_: int, sent_s: int) -> bool:
    """Whether only the columnar store knows if this event was there before."""
    return bool(recent) and sent_s <= _floor(recent) and find(recent, hash_) < 0


class Families:
    """Which profiles took over others' events in a block: what was stored for those counts for these, too."""

    def __init__(self) -> None:
        self._sources: dict[ProfileId, list[ProfileId]] = {}

    def adopt(self, source_id: ProfileId, target_id: ProfileId) -> None:
        """From here on `target_id` has the events of `source_id`."""
        self._sources.setdefault(target_id, []).extend(self.of(source_id))

    def of(self, profile_id: ProfileId) -> list[ProfileId]:
        """The profile and those whose events it took over."""
        return [profile_id, *self._sources.get(profile_id, ())]

    def copy(self) -> Families:
        """These, to look ahead with."""
        copied = Families()
        copied._sources = {target: list(sources) for target, sources in self._sources.items()}
        return copied

    def __bool__(self) -> bool:
        """Whether any took over another's."""
        return bool(self._sources)

    def __contains__(self, profile_id: ProfileId) -> bool:
        """Whether this profile took over any."""
        return profile_id in self._sources


class Judge:
    """Judges the events of one block, in order. One for each block.

    families   grows while the block is judged
    stored     to be filled in before an event is judged that `needs_lookup` named, or whose profile took over others
    """

    def __init__(self) -> None:
        self.families = Families()
        self.stored: Stored = {}
        self._pushed_out: dict[tuple[ProfileId, int], bytes] = {}
        self._included: dict[tuple[ProfileId, int], set[ProfileId]] = {}
        """Whose events an entry of (profile, hash) counts beside the profile's own."""

    def adopt(self, source_id: ProfileId, source: bytes, target_id: ProfileId, target: bytes) -> bytes:
        """From here on one profile has another's events: its `recent` afterwards, given both."""
        for entry in _entries(source):
            hash_ = _hash(entry)
            self._pushed_out[(source_id, hash_)] = entry
            self._included.setdefault((target_id, hash_), set()).add(source_id)
        both, pushed_out = _unite(source, target)
        for entry in pushed_out:
            self._pushed_out[(target_id, _hash(entry))] = entry
        self.families.adopt(source_id, target_id)
        return both

    def judge(self, recent: bytes, event: Occurrence) -> tuple[bool, bytes]:
        """Whether the event repeats an earlier request, and the profile's `recent` afterwards."""
        recent = recent or EMPTY
        hash_, sent_s = event.hash, event.sent_s
        if recent.find(_HASH.pack(hash_), _FLOOR.size) < 0 and sent_s > _FLOOR.unpack_from(recent)[0]:
            # Nearly every event: nobody ever saw it.
            entry = _ENTRY.pack(hash_, sent_s, event.came_s, event.request & _REQUEST_MAX, 1, 1)
            return False, self._push(recent, entry, event.profile_id)
        at = find(recent, hash_)
        if at < 0:
            repeated, entry = _count(self._known(event), event)
            return repeated, self._push(recent, entry, event.profile_id)
        repeated, entry = _count(recent[at : at + _ENTRY.size], event)
        return repeated, recent[:at] + entry + recent[at + _ENTRY.size :]

    def _known(self, event: Occurrence) -> bytes:
        """The entry of an event that is older than the floor; one that counts nothing if it was never seen."""
        known = self._entry(event.profile_id, event)
        family = self.families.of(event.profile_id)
        if len(family) > 1:
            included = self._included.setdefault((event.profile_id, event.hash), set())
            for one in family[1:]:
                if one not in included:
                    included.add(one)
                    known = _both(known, self._entry(one, event))
        return known

    def _entry(self, profile_id: ProfileId, event: Occurrence) -> bytes:
        key = (profile_id, event.hash)
        stored, came_s = _counting(self.stored.get(key, ()))
        return self._pushed_out.get(key) or _ENTRY.pack(event.hash, event.sent_s, came_s, 0, stored, 0)

    def _push(self, recent: bytes, entry: bytes, profile_id: ProfileId) -> bytes:
        if len(recent) < _FULL_BYTES:
            return recent + entry
        floor, hash_, sent_s = _FLOOR_AND_FIRST.unpack_from(recent)
        self._pushed_out[(profile_id, hash_)] = recent[_FLOOR.size : _SECOND_AT]
        kept_floor = recent[: _FLOOR.size] if sent_s <= floor else _FLOOR.pack(sent_s)
        return kept_floor + recent[_SECOND_AT:] + entry


def _counting(arrivals: Iterable[tuple[int, int]]) -> tuple[int, int]:
    """How many of the stored events count, and when the newest came: all after the last gap of a window."""
    stored = newest_s = 0
    for came_s, count in sorted(arrivals):
        if came_s - newest_s > WINDOW_S:
            stored = 0
        stored, newest_s = stored + count, came_s
    return min(stored, _COUNT_MAX), newest_s


def _count(entry: bytes, event: Occurrence) -> tuple[bool, bytes]:
    """Count one more occurrence in this request; whether an earlier request held it already."""
    hash_, sent_s, came_s, last_request, stored, in_request = _ENTRY.unpack(entry)
    request = event.request & _REQUEST_MAX
    if last_request != request:
        in_request = 0
        if event.came_s - came_s > WINDOW_S:
            stored = 0
    in_request = min(in_request + 1, _COUNT_MAX)
    if in_request <= stored:
        return True, _ENTRY.pack(hash_, sent_s, came_s, request, stored, in_request)
    return False, _ENTRY.pack(hash_, sent_s, event.came_s, request, in_request, in_request)


def _both(entry: bytes, other: bytes) -> bytes:
    """What two profiles know of equal events, together."""
    older, newer = sorted((_ENTRY.unpack(entry), _ENTRY.unpack(other)), key=lambda known: known[2])
    hash_, sent_s, came_s, request, stored, in_request = newer
    if came_s - older[2] <= WINDOW_S:
        stored = min(stored + older[4], _COUNT_MAX)
    return _ENTRY.pack(hash_, sent_s, came_s, request, stored, in_request)


def united(recent: bytes, other: bytes) -> bytes:
    """The memory of two profiles that became one: the newest entries of both; older ones are the store's to know."""
    return _unite(recent, other)[0]


def recounted(recent: bytes, arrivals: Mapping[int, Arrivals]) -> bytes:
    """The memory of a profile some of whose events were taken away.

    arrivals   hash → what the columnar store has left, for each of `hashes`
    """
    kept = [recent[: _FLOOR.size]]
    for entry in _entries(recent):
        hash_, sent_s = _HASH_AND_TIME.unpack_from(entry)
        stored, came_s = _counting(arrivals.get(hash_, ()))
        if stored:
            kept.append(_ENTRY.pack(hash_, sent_s, came_s, 0, stored, 0))
    return b"".join(kept)


def hashes(recent: bytes) -> list[int]:
    """The hashes of the events that a profile's memory holds."""
    return [_hash(entry) for entry in _entries(recent)]


def _unite(recent: bytes, other: bytes) -> tuple[bytes, list[bytes]]:
    """The united memory, and the entries for which it has no room."""
    if not recent or not other:
        return recent or other, []
    entries: dict[int, bytes] = {}
    for entry in _entries(recent) + _entries(other):
        hash_ = _hash(entry)
        entries[hash_] = _both(entries[hash_], entry) if hash_ in entries else entry
    by_time = sorted(entries.values(), key=_sent_s)
    kept, pushed_out = by_time[-ENTRIES_MAX:], by_time[:-ENTRIES_MAX]
    floor = max(_floor(recent), _floor(other), *map(_sent_s, pushed_out))
    return _FLOOR.pack(floor) + b"".join(kept), pushed_out


def _hash(entry: bytes) -> int:
    hash_: int = _HASH.unpack_from(entry)[0]
    return hash_


def _floor(recent: bytes) -> int:
    floor: int = _FLOOR.unpack_from(recent)[0]
    return floor


def _sent_s(entry: bytes) -> int:
    sent_s: int = _HASH_AND_TIME.unpack_from(entry)[1]
    return sent_s


def _entries(recent: bytes) -> list[bytes]:
    return [recent[at : at + _ENTRY.size] for at in range(_FLOOR.size, len(recent), _ENTRY.size)]
