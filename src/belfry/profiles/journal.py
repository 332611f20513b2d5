"""SQL of what happened: the identity log, the moves of events that it causes, the ids that senders gave events."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import msgspec
import sqlalchemy as sa

from belfry.ids import AccountId, ProfileId
from belfry.profiles import tables
from belfry.profiles.history import EventMove, LogEntry, LogKind, MoveKind, Picture, StoredLogEntry
from belfry.storage.relational import bulk, chunks, upsert

EventKey = tuple[ProfileId, bytes]
"""Whose event, and 16 bytes that stand for its name and the id that the sender gave it."""

_log = tables.identity_log
_moves = tables.event_moves
_keys = tables.event_keys


class StoredMove(msgspec.Struct, frozen=True):
    """A move of events that waits to be done. Its id is the log id of the row that caused it."""

    move_id: int
    move: EventMove


def write_log(connection: sa.Connection, account_id: AccountId, entries: Sequence[tuple[int, LogEntry]]) -> None:
    """Append rows with their ids, and the moves that they cause. Writing them again changes nothing."""
    bulk(connection, upsert(_log, connection, update=()), [_log_row(account_id, *entry) for entry in entries])
    rows = [
        {
            "account_id": account_id,
            "move_id": log_id,
            "kind": str(entry.move.kind),
            "from_id": entry.move.from_id,
            "to_id": entry.move.to_id,
            "since_ms": entry.move.since_ms,
            "undoes": entry.move.undoes,
        }
        for log_id, entry in entries
        if entry.move is not None
    ]
    bulk(connection, upsert(_moves, connection, update=()), rows)


def read_log_entry(connection: sa.Connection, account_id: AccountId, log_id: int) -> StoredLogEntry | None:
    """One row by its id."""
    found = _read_log(connection, account_id, _log.c.log_id == log_id, limit=1)
    return found[0] if found else None


def log_of(
    connection: sa.Connection, account_id: AccountId, profile_id: ProfileId, *, limit: int = 100
) -> list[StoredLogEntry]:
    """What happened to a profile, the newest first."""
    return _read_log(
        connection, account_id, sa.or_(_log.c.profile_id == profile_id, _log.c.other_id == profile_id), limit=limit
    )


def mark_undone(connection: sa.Connection, account_id: AccountId, log_id: int, undone_by: int) -> None:
    """Note which row took this one back."""
    connection.execute(
        sa.update(_log).where(_log.c.account_id == account_id, _log.c.log_id == log_id).values(undone_by=undone_by)
    )


def accounts_with_waiting_moves(connection: sa.Connection) -> list[AccountId]:
    """Accounts for which `waiting_moves` has something."""
    statement = sa.select(_moves.c.account_id).where(_moves.c.done_at_ms.is_(None)).distinct()
    return [AccountId(value) for value in connection.execute(statement).scalars()]


def waiting_moves(connection: sa.Connection, account_id: AccountId) -> list[StoredMove]:
    """Moves that are not done yet, in the order in which they were caused."""
    statement = (
        sa.select(_moves)
        .where(_moves.c.account_id == account_id, _moves.c.done_at_ms.is_(None))
        .order_by(_moves.c.move_id)
    )
    return [
        StoredMove(r.move_id, EventMove(MoveKind(r.kind), r.from_id, r.to_id, r.since_ms, r.undoes))
        for r in connection.execute(statement)
    ]


def mark_move_done(connection: sa.Connection, account_id: AccountId, move_id: int, at_ms: int) -> None:
    connection.execute(
        sa.update(_moves).where(_moves.c.account_id == account_id, _moves.c.move_id == move_id).values(done_at_ms=at_ms)
    )


def known_event_keys(connection: sa.Connection, account_id: AccountId, wanted: Iterable[EventKey]) -> set[EventKey]:
    """Which of these were seen before."""
    found: set[EventKey] = set()
    for part in chunks(sorted(set(wanted)), 400):
        statement = sa.select(_keys.c.profile_id, _keys.c.key_hash).where(
            _keys.c.account_id == account_id, sa.tuple_(_keys.c.profile_id, _keys.c.key_hash).in_(part)
        )
        found.update((ProfileId(row[0]), bytes(row[1])) for row in connection.execute(statement))
    return found


def add_event_keys(connection: sa.Connection, account_id: AccountId, keys: Iterable[tuple[EventKey, int]]) -> None:
    """Remember ids of events, each with the time when it was accepted."""
    rows = [
        {"account_id": account_id, "profile_id": key[0], "key_hash": key[1], "seen_at_ms": at_ms}
        for key, at_ms in sorted(keys)
    ]
    bulk(connection, upsert(_keys, connection), rows)


def forget_event_keys(connection: sa.Connection, account_id: AccountId, before_ms: int) -> None:
    """Forget those that were accepted before this time."""
    connection.execute(sa.delete(_keys).where(_keys.c.account_id == account_id, _keys.c.seen_at_ms < before_ms))


def copy_event_keys(connection: sa.Connection, account_id: AccountId, from_id: ProfileId, to_id: ProfileId) -> None:
    """Let a profile know the event ids of one whose events it took over: a repeated request finds them there."""
    read = sa.select(_keys.c.key_hash, _keys.c.seen_at_ms).where(
        _keys.c.account_id == account_id, _keys.c.profile_id == from_id
    )
    known = [((to_id, bytes(row.key_hash)), row.seen_at_ms) for row in connection.execute(read)]
    add_event_keys(connection, account_id, known)


def _log_row(account_id: AccountId, log_id: int, entry: LogEntry) -> dict[str, Any]:
    return {
        "account_id": account_id,
        "log_id": log_id,
        "kind": str(entry.kind),
        "profile_id": entry.profile_id,
        "other_id": entry.other_id,
        "source": entry.source.replace("\x00", "")[:64],
        "reason": entry.reason.replace("\x00", "")[:400],
        "before": msgspec.json.encode({"picture": entry.before, "move": entry.move}),
        "after": msgspec.json.encode({"picture": entry.after}),
        "at_ms": entry.at_ms,
    }


def _read_log(
    connection: sa.Connection, account_id: AccountId, condition: sa.ColumnElement[bool], *, limit: int
) -> list[StoredLogEntry]:
    statement = (
        sa.select(_log).where(_log.c.account_id == account_id, condition).order_by(_log.c.log_id.desc()).limit(limit)
    )
    return [_stored(row) for row in connection.execute(statement)]


def _stored(row: Any) -> StoredLogEntry:  # a SQLAlchemy row: its columns are not known to the type checker
    move = row.before.get("move")
    entry = LogEntry(
        kind=LogKind(row.kind),
        profile_id=row.profile_id,
        other_id=row.other_id,
        source=row.source,
        reason=row.reason,
        at_ms=row.at_ms,
        before=msgspec.convert(row.before["picture"], Picture),
        after=msgspec.convert(row.after["picture"], Picture),
        move=None if move is None else msgspec.convert(move, EventMove),
    )
    return StoredLogEntry(row.log_id, entry, row.undone_by)
