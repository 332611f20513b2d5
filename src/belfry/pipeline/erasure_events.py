"""Events of erased users as what nobody did: they still count, and tell of nobody (engagement 1.6).

A copy keeps name, time, source and the properties that are not personal; its user is a number that is nobody's. It
has no device, no session and no hash to compare it by. Its `seq` leads to the log as long as the log keeps the entry.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any

from belfry.events.model import Event, encode_props
from belfry.events.names import fold
from belfry.ids import AccountId, ProfileId
from belfry.pipeline.rows import EVENT_COLUMNS, event_lines
from belfry.profiles.model import Erasure
from belfry.storage.columnar import Columnar

ROWS_AT_ONCE = 10_000
CONTAINED_LENGTH_MIN = 6
"""A longer text that holds a personal one of this length tells of the user; shorter ones stand in any text."""

PERSONAL_KEYS = frozenset(
    fold(key)
    for key in (
        "Identity",
        "Email",
        "Phone",
        "Name",
        "Gender",
        "DOB",
        "Latitude",
        "Longitude",
        "FBID",
        "GPID",
        "objectId",
        "token",
    )
)
"""Properties that are personal whatever they hold: what is masked by default, and identifiers (engagement 1.6)."""

_SELECT = (
    "SELECT name, toUnixTimestamp64Milli(ts), profile_id, seq, source, flags, toUnixTimestamp64Milli(received_at),"
    " props FROM events WHERE account_id = {account:String} AND profile_id IN {profiles:Array(Int64)}"
    " ORDER BY seq, name, profile_id, moved_by"
)


def copy_as_strangers(
    columnar: Columnar, account_id: AccountId, erasure: Erasure, strangers: Mapping[ProfileId, ProfileId]
) -> None:
    """Insert a copy of each event of these profiles under the number that stands for each.

    Done again, also after some of the originals were deleted, it inserts nothing: each block has a token, and nothing
    is deleted before all blocks are there.
    """
    parameters = {"account": account_id, "profiles": list(strangers)}
    personal = [text.casefold() for text in erasure.personal]
    rows = (row for block in columnar.stream(_SELECT, parameters) for row in block)
    for number, part in enumerate(_parts(rows)):
        events = [_stranger_event(row, strangers, personal) for row in part]
        token = f"erase:{account_id}:{erasure.erasure_id}:{number}"
        columnar.insert_rows("events", EVENT_COLUMNS, event_lines(account_id, events), token=token)


def impersonal(props: Mapping[str, object], personal: Collection[str]) -> dict[str, object]:
    """The properties without those that are personal by their key or by what they hold.

    personal   texts by which the user could be recognised, case-folded
    """
    return {
        key: value for key, value in props.items() if fold(key) not in PERSONAL_KEYS and not names_user(value, personal)
    }


def names_user(value: object, personal: Collection[str]) -> bool:
    """Whether a JSON value holds one of these texts: as a whole, or, unless it is short, as part of a longer one."""
    if isinstance(value, str):
        text = value.strip().casefold()
        return any(one == text or (len(one) >= CONTAINED_LENGTH_MIN and one in text) for one in personal)
    if isinstance(value, Mapping):
        return any(names_user(child, personal) for pair in value.items() for child in pair)
    if isinstance(value, Sequence):
        return any(names_user(child, personal) for child in value)
    return isinstance(value, int | float) and not isinstance(value, bool) and f"{value:.15g}" in personal


def _parts(rows: Iterator[Sequence[Any]]) -> Iterator[list[Sequence[Any]]]:
    part: list[Sequence[Any]] = []
    for row in rows:
        part.append(row)
        if len(part) == ROWS_AT_ONCE:
            yield part
            part = []
    if part:
        yield part


def _stranger_event(row: Sequence[Any], strangers: Mapping[ProfileId, ProfileId], personal: Collection[str]) -> Event:
    name, ts_ms, profile_id, seq, source, flags, received_at_ms, props = row
    left = impersonal(props, personal)
    return Event(
        name=name,
        folded=name,
        ts_ms=ts_ms,
        props=left,
        props_json=encode_props(left),
        profile_id=strangers[profile_id],
        device_id="",
        source=source,
        seq=seq,
        received_at_ms=received_at_ms,
        flags=flags,
    )
