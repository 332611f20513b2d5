"""Moves: showing a profile's events under another one, and taking that back.

A move is a row of `event_moves`, committed with the block that caused it and done right after. Its copies carry
the move's id, so that doing it again inserts nothing (token) and undoing it deletes exactly them.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import msgspec

from belfry.events.names import fold
from belfry.events.tables import ADOPTED
from belfry.ids import AccountId, ProfileId
from belfry.pipeline.duplicates import Arrivals
from belfry.pipeline.rows import EVENT_COLUMNS, date_text
from belfry.storage.columnar import Columnar


class Move(msgspec.Struct, frozen=True):
    """One move.

    kind       `adopt` or `merge`: copy events of `source` at or after `since_ms` to `target`;
               `undo`: take back the copies that move `undoes` made under `target`
    """

    account_id: AccountId
    move_id: int
    kind: str
    source: ProfileId
    target: ProfileId
    since_ms: int
    undoes: int = 0


class Summary(msgspec.Struct):
    """Per event name: how often, first and last time."""

    count: int
    first_ms: int
    last_ms: int


def copy_events(columnar: Columnar, move: Move, names: Iterable[str]) -> dict[str, Summary]:
    """Copy the source's events to the target; what was copied, by folded name.

    names   the event names (any form) that the source is known to have: they make the look-up a walk over the
            sort key instead of a scan
    """
    parameters = {
        "account": move.account_id,
        "names": sorted({fold(name) for name in names}),
        "source": move.source,
        "target": move.target,
        "since": date_text(move.since_ms),
        "since_ms": move.since_ms,
        "move": move.move_id,
        "flags": ADOPTED if move.kind == "adopt" else 0,
    }
    if not parameters["names"]:
        return {}
    where = (
        "account_id = {account:String} AND name IN {names:Array(String)} AND day >= {since:Date}"
        " AND profile_id = {source:Int64} AND ts >= fromUnixTimestamp64Milli({since_ms:Int64})"
    )
    rows = columnar.rows(
        "SELECT name, count(), toUnixTimestamp64Milli(min(ts)), toUnixTimestamp64Milli(max(ts))"
        f" FROM events WHERE {where} GROUP BY name",
        parameters,
    )
    kept = ", ".join(column for column in EVENT_COLUMNS if column not in {"profile_id", "flags"})
    columnar.command(
        f"INSERT INTO events ({kept}, profile_id, flags, moved_by)"
        f" SELECT {kept}, {{target:Int64}}, bitOr(flags, {{flags:UInt8}}), {{move:Int64}}"
        f" FROM events WHERE {where} ORDER BY seq",
        parameters,
        insert_deduplication_token=f"move:{move.account_id}:{move.move_id}",
        deduplicate_insert_select="force_enable",
        async_insert=0,
    )
    return {row[0]: Summary(row[1], row[2], row[3]) for row in rows}


def take_back(columnar: Columnar, move: Move, names: Iterable[str]) -> None:
    """Delete the copies that the undone move made. Doing it again finds nothing."""
    columnar.command(
        "DELETE FROM events WHERE account_id = {account:String} AND name IN {names:Array(String)}"
        " AND profile_id = {target:Int64} AND moved_by = {undoes:Int64}",
        {
            "account": move.account_id,
            "names": sorted({fold(name) for name in names}),
            "target": move.target,
            "undoes": move.undoes,
        },
    )


def summaries(
    columnar: Columnar, account_id: AccountId, profile_id: ProfileId, names: Sequence[str]
) -> dict[str, Summary]:
    """What the columnar store holds of a profile now, by folded name."""
    rows = columnar.rows(
        "SELECT name, count(), toUnixTimestamp64Milli(min(ts)), toUnixTimestamp64Milli(max(ts)) FROM events"
        " WHERE account_id = {account:String} AND name IN {names:Array(String)} AND profile_id = {profile:Int64}"
        " GROUP BY name",
        {"account": account_id, "names": sorted({fold(name) for name in names}), "profile": profile_id},
    )
    return {row[0]: Summary(row[1], row[2], row[3]) for row in rows}


def arrivals(
    columnar: Columnar, account_id: AccountId, profile_id: ProfileId, names: Sequence[str], hashes: Sequence[int]
) -> dict[int, Arrivals]:
    """Hash → when and how often events of these hashes came that a profile has now."""
    if not hashes:
        return {}
    rows = columnar.rows(
        "SELECT key_hash, toUnixTimestamp(received_at) AS came, count() FROM events"
        " WHERE account_id = {account:String} AND name IN {names:Array(String)} AND profile_id = {profile:Int64}"
        " AND key_hash IN {hashes:Array(UInt64)} GROUP BY key_hash, came",
        {
            "account": account_id,
            "names": sorted({fold(name) for name in names}),
            "profile": profile_id,
            "hashes": sorted(hashes),
        },
    )
    found: dict[int, Arrivals] = {}
    for hash_, came_s, count in rows:
        found.setdefault(hash_, []).append((came_s, count))
    return found
