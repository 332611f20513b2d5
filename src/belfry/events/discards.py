"""Discarding an event name, and restoring it: what is discarded is not accepted any more (engagement 2.4)."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable

import msgspec
import sqlalchemy as sa

from belfry.clock import Clock
from belfry.errors import Conflict, NotFound
from belfry.events.names import fold
from belfry.events.tables import event_discards, event_schema
from belfry.ids import AccountId
from belfry.storage.relational import Database

PAUSE_MS = 24 * 3_600_000
"""Between discarding a name and restoring it, and between restoring it and discarding it again."""
ACTIVE, DISCARDED = "active", "discarded"


class Discard(msgspec.Struct, frozen=True):
    """A time in which a name was discarded. name: folded; restored_at_ms None: it still is."""

    name: str
    discarded_at_ms: int
    restored_at_ms: int | None = None

    def covers(self, at_ms: int) -> bool:
        """Whether an event that was received then is dropped."""
        return self.discarded_at_ms <= at_ms and (self.restored_at_ms is None or at_ms < self.restored_at_ms)


class EventDiscards:
    """Discarded event names of every account."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock

    def discard(self, account_id: AccountId, name: str) -> Discard:
        """Refuse further events of this name (528). Twice does no harm.

        raises  NotFound: the account has not seen it; Conflict: it is the system's, or was restored in the last 24 h
        """
        folded = fold(name)
        with self._database.begin() as connection:
            if _is_system(connection, account_id, folded):
                raise Conflict(f"{name} is raised by the system and cannot be discarded")
            newest, now_ms = self._newest(connection, account_id, folded)
            if newest is not None and newest.restored_at_ms is None:
                return newest
            if newest is not None and newest.restored_at_ms is not None:
                _refuse_early(f"{name} was restored and can be discarded", newest.restored_at_ms, now_ms)
            discard = Discard(folded, now_ms)
            connection.execute(
                event_discards.insert().values(account_id=account_id, name=folded, discarded_at_ms=now_ms)
            )
            _set_state(connection, account_id, folded, DISCARDED)
        return discard

    def restore(self, account_id: AccountId, name: str) -> Discard:
        """Accept events of this name again. Twice does no harm.

        raises  NotFound: it was never seen, or never discarded; Conflict: it was discarded in the last 24 h
        """
        folded = fold(name)
        with self._database.begin() as connection:
            _is_system(connection, account_id, folded)
            newest, now_ms = self._newest(connection, account_id, folded)
            if newest is None:
                raise NotFound(f"{name} was never discarded", field="name")
            if newest.restored_at_ms is not None:
                return newest
            _refuse_early(f"{name} was discarded and can be restored", newest.discarded_at_ms, now_ms)
            restored = msgspec.structs.replace(newest, restored_at_ms=now_ms)
            table = event_discards
            connection.execute(
                table.update()
                .where(
                    table.c.account_id == account_id,
                    table.c.name == folded,
                    table.c.discarded_at_ms == newest.discarded_at_ms,
                )
                .values(restored_at_ms=now_ms)
            )
            _set_state(connection, account_id, folded, ACTIVE)
        return restored

    def _newest(self, connection: sa.Connection, account_id: AccountId, folded: str) -> tuple[Discard | None, int]:
        """The latest time in which the name was discarded; and now, never earlier than that."""
        found = [discard for discard in read_discards(connection, account_id) if discard.name == folded]
        newest = max(found, key=lambda discard: discard.discarded_at_ms, default=None)
        now_ms = self._clock.now_ms()
        return newest, now_ms if newest is None else max(now_ms, newest.discarded_at_ms + 1)


def read_discards(connection: sa.Connection, account_id: AccountId) -> list[Discard]:
    """All times in which an account discarded names, the restored ones too."""
    table = event_discards
    statement = sa.select(table).where(table.c.account_id == account_id)
    return [Discard(row.name, row.discarded_at_ms, row.restored_at_ms) for row in connection.execute(statement)]


def discarded_at(discards: Iterable[Discard], at_ms: int) -> frozenset[str]:
    """The names, folded, of which events received then are dropped."""
    return frozenset(discard.name for discard in discards if discard.covers(at_ms))


def all_discarded(connection: sa.Connection) -> dict[AccountId, frozenset[str]]:
    """What is discarded now, of every account that discarded anything; for the edge's memory alone."""
    table = event_discards
    statement = sa.select(table.c.account_id, table.c.name).where(table.c.restored_at_ms.is_(None))
    names: dict[AccountId, set[str]] = {}
    for row in connection.execute(statement):
        names.setdefault(AccountId(row.account_id), set()).add(row.name)
    return {account_id: frozenset(discarded) for account_id, discarded in names.items()}


def _is_system(connection: sa.Connection, account_id: AccountId, folded: str) -> bool:
    """Whether the name is the system's own. Raises NotFound if the account has not seen it."""
    statement = sa.select(event_schema.c.is_system).where(
        event_schema.c.account_id == account_id, event_schema.c.name == folded.replace("\x00", "")
    )
    found = connection.execute(statement).first()
    if found is None:
        raise NotFound(f"the account has seen no event of the name {folded[:120]}", field="name")
    return bool(found.is_system)


def _set_state(connection: sa.Connection, account_id: AccountId, folded: str, state: str) -> None:
    connection.execute(
        event_schema.update()
        .where(event_schema.c.account_id == account_id, event_schema.c.name == folded)
        .values(state=state)
    )


def _refuse_early(text: str, since_ms: int, now_ms: int) -> None:
    if now_ms - since_ms < PAUSE_MS:
        when = dt.datetime.fromtimestamp((since_ms + PAUSE_MS) / 1000, dt.UTC).isoformat(timespec="seconds")
        raise Conflict(f"{text} from {when.replace('+00:00', 'Z')} on", limit="24 h")
