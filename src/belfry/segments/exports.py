"""Exports of users and events, page by page: a fixed upper bound, keyset pages, signed cursors (server-api 5.2–5.4).

The only state is one row with the query. A page may be fetched again, gives the same ids and rows, and survives a
restart; what arrives after the start does not shift it.
"""

from __future__ import annotations

import enum

import msgspec

from belfry.accounts.model import Account
from belfry.clock import Clock
from belfry.errors import InternalError
from belfry.events.store import StoredEvent, Where, events_by_day, newest_seq, read_events
from belfry.ids import Ids, ProfileId
from belfry.segments import store
from belfry.segments.actions import translating
from belfry.segments.compiler import Lookups, Scope, compile_event_rows, compile_members
from belfry.segments.cql import Query
from belfry.segments.cursor import EXPORT_ID_BYTES, Cursor, invalidated, read_cursor, write_cursor
from belfry.segments.lookups import AccountLookups
from belfry.segments.parse import parse, parse_event_query
from belfry.segments.read_ahead import ReadAhead
from belfry.storage.columnar import Columnar
from belfry.storage.relational import Database

HOUR_MS = 3_600_000
IDLE_MS_MAX = 4 * HOUR_MS
LIFETIME_MS_MAX = 96 * HOUR_MS
TOUCH_MS = 60_000
"""How stale the time of last use may be: one write a minute, not one a page."""
IDS_AHEAD, EVENTS_AHEAD = 50_000, 10_000
"""How many a query asks for at least, whatever the page size: official clients ask for pages of ten."""
PLACES_MAX = 8
BEGINNING = (-(2**63), 0)
"""The position before the first page."""
_DAY_MS = 86_400_000


class ExportKind(enum.StrEnum):
    """What an export gives."""

    PROFILES = "profiles"
    EVENTS = "events"


class Snapshot(msgspec.Struct, frozen=True):
    """An export's query as it is kept.

    users        rule tree of the users, for profiles
    occurrences, others  of an event query (`cql.Query`), for events
    as_of_ms     the moment that ranges and ages refer to
    days         for events: [UTC day, number of events] at the start, to know how wide a page's window must be
    flags        what the endpoint wants to remember with the cursor (`app`, `events`, `profile`, …)
    """

    users: dict[str, object] | None
    occurrences: dict[str, object] | None
    others: dict[str, object] | None
    as_of_ms: int
    batch_size: int
    flags: dict[str, bool]
    days: list[tuple[int, int]] = []


class Page(msgspec.Struct, frozen=True):
    """One page: of profile ids or of events, never both.

    next_cursor  None on the last page
    """

    profile_ids: list[ProfileId]
    events: list[StoredEvent]
    next_cursor: str | None
    flags: dict[str, bool]


class Exports:
    """Starts exports and gives their pages.

    secret  signs the cursors; the same for all processes of the installation
    """

    def __init__(self, database: Database, columnar: Columnar, clock: Clock, ids: Ids, secret: bytes) -> None:
        self._database = database
        self._columnar = columnar
        self._clock = clock
        self._ids = ids
        self._secret = secret
        self._ids_ahead: ReadAhead[ProfileId] = ReadAhead(clock, count=IDS_AHEAD, places_max=PLACES_MAX)
        self._events_ahead: ReadAhead[StoredEvent] = ReadAhead(clock, count=EVENTS_AHEAD, places_max=PLACES_MAX)

    def start(self, account: Account, kind: ExportKind, query: Query, flags: dict[str, bool], batch_size: int) -> str:
        """Fix the query and its upper bound; returns the cursor of the first page, also for an empty result."""
        now_ms = self._clock.now_ms()
        is_events = kind is ExportKind.EVENTS
        snapshot = Snapshot(
            users=None if is_events else query.users,
            occurrences=query.occurrences if is_events else None,
            others=query.others if is_events else None,
            as_of_ms=now_ms,
            batch_size=batch_size,
            flags=flags,
        )
        seq_max = newest_seq(self._columnar, account.account_id)
        if is_events:
            where = self._where(account, snapshot, seq_max)
            with translating():
                snapshot = msgspec.structs.replace(snapshot, days=events_by_day(self._columnar, where))
        else:
            self._members(account, snapshot, seq_max, after=0, limit=1)
        return self._begin(account, kind, snapshot, seq_max, now_ms)

    def _begin(self, account: Account, kind: ExportKind, snapshot: Snapshot, seq_max: int, now_ms: int) -> str:
        export = store.ExportQuery(
            export_id=self._ids.token_hex(EXPORT_ID_BYTES),
            kind=kind,
            query=msgspec.to_builtins(snapshot),
            up_to_seq=seq_max,
            created_at_ms=now_ms,
            used_at_ms=now_ms,
        )
        with self._database.begin() as connection:
            store.delete_expired_exports(
                connection,
                account.account_id,
                created_before_ms=now_ms - LIFETIME_MS_MAX,
                used_before_ms=now_ms - IDLE_MS_MAX,
            )
            store.insert_export(connection, account.account_id, export)
        return write_cursor(self._secret, account.account_id, Cursor(export.export_id, BEGINNING))

    def page(self, account: Account, kind: ExportKind, cursor_text: str) -> Page:
        """The page that a cursor names.

        raises  BadRequest: code 3 for an unreadable cursor, `CURSOR_INVALIDATED` for one that has expired, belongs
                to another account or to the other kind of export
        """
        cursor = read_cursor(self._secret, account.account_id, cursor_text)
        export = self._live(account, kind, cursor)
        snapshot = msgspec.convert(export.query, Snapshot)
        if kind is ExportKind.EVENTS:
            return self._event_page(account, cursor, snapshot, export.up_to_seq)
        return self._profile_page(account, cursor, snapshot, export.up_to_seq)

    def _live(self, account: Account, kind: ExportKind, cursor: Cursor) -> store.ExportQuery:
        now_ms = self._clock.now_ms()
        with self._database.read() as connection:
            export = store.read_export(connection, account.account_id, cursor.export_id)
        if export is None or export.kind != kind:
            raise invalidated()
        if now_ms - export.used_at_ms > IDLE_MS_MAX or now_ms - export.created_at_ms > LIFETIME_MS_MAX:
            raise invalidated()
        if now_ms - export.used_at_ms > TOUCH_MS:
            with self._database.begin() as connection:
                store.touch_export(connection, account.account_id, cursor.export_id, now_ms)
        return export

    def _profile_page(self, account: Account, cursor: Cursor, snapshot: Snapshot, seq_max: int) -> Page:
        def fetch(limit: int) -> list[ProfileId]:
            return self._members(account, snapshot, seq_max, after=max(cursor.position[1], 0), limit=limit)

        def after(profile_id: ProfileId) -> Cursor:
            return Cursor(cursor.export_id, (0, profile_id))

        page, has_more = self._ids_ahead.page(
            (account.account_id, cursor), snapshot.batch_size, fetch, lambda last: (account.account_id, after(last))
        )
        return Page(page, [], self._text(account, after(page[-1]) if has_more else None), snapshot.flags)

    def _members(
        self, account: Account, snapshot: Snapshot, seq_max: int, *, after: int, limit: int
    ) -> list[ProfileId]:
        scope = msgspec.structs.replace(self._scope(account, snapshot, seq_max), after=after)
        statement = compile_members(parse(snapshot.users), scope, self._lookups(account), limit=limit)
        with translating():
            rows = self._columnar.rows(statement.sql, dict(statement.parameters))
        return [ProfileId(row[0]) for row in rows]

    def _event_page(self, account: Account, cursor: Cursor, snapshot: Snapshot, seq_max: int) -> Page:
        def fetch(limit: int) -> list[StoredEvent]:
            where = self._where(account, snapshot, seq_max)
            return self._events_after(where, snapshot, cursor.position, limit)

        def after(event: StoredEvent) -> Cursor:
            return Cursor(cursor.export_id, (event.ts_ms, event.seq))

        page, has_more = self._events_ahead.page(
            (account.account_id, cursor), snapshot.batch_size, fetch, lambda last: (account.account_id, after(last))
        )
        return Page([], page, self._text(account, after(page[-1]) if has_more else None), snapshot.flags)

    def _events_after(
        self, where: Where, snapshot: Snapshot, position: tuple[int, int], limit: int
    ) -> list[StoredEvent]:
        after = None if position == BEGINNING else position
        events: list[StoredEvent] = []
        for days in _windows(snapshot.days, after, limit):
            events += read_events(self._columnar, where, days=days, after=after, limit=limit - len(events))
            if len(events) >= limit:
                break
        return events

    def _where(self, account: Account, snapshot: Snapshot, seq_max: int) -> Where:
        if snapshot.occurrences is None:
            raise InternalError("an export of events without an event")
        query = parse_event_query(snapshot.occurrences, snapshot.others)
        scope = self._scope(account, snapshot, seq_max)
        statement = compile_event_rows(query.occurrences, query.others, scope, self._lookups(account))
        return Where(statement.sql, statement.parameters)

    def _scope(self, account: Account, snapshot: Snapshot, seq_max: int) -> Scope:
        return Scope(account.account_id, account.timezone, snapshot.as_of_ms, seq_max=seq_max)

    def _lookups(self, account: Account) -> Lookups:
        return AccountLookups(self._database, account.account_id)

    def _text(self, account: Account, cursor: Cursor | None) -> str | None:
        return None if cursor is None else write_cursor(self._secret, account.account_id, cursor)


def _windows(days: list[tuple[int, int]], after: tuple[int, int] | None, wanted: int) -> list[tuple[int, int]]:
    """Stretches of UTC days, one after the other, each with about as many events as a page needs.

    A page reads whole days of the sort key, so it must not look at more of them than it takes to fill it.
    """
    first_day = -1 if after is None else after[0] // _DAY_MS
    windows: list[tuple[int, int]] = []
    start: int | None = None
    total = 0
    for day, count in days:
        if day < first_day:
            continue
        start = day if start is None else start
        # How much of the cursor's own day is left is not known: it alone never ends a window short of the page.
        total += 0 if day == first_day else count
        if total >= wanted:
            windows.append((start, day))
            start, total = None, 0
    if start is not None:
        windows.append((start, days[-1][0]))
    return windows
