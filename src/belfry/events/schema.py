"""What an account's data looks like: event names and properties seen, with types, first and last time.

The pipeline shows every event and profile write to a `SchemaBook`; new shapes become rows of `event_schema` and
`property_schema`. A shape that was seen before costs one look into a set.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
import sqlalchemy as sa

from belfry.events import tables
from belfry.ids import AccountId
from belfry.storage.relational import Database, bulk, upsert

LAST_SEEN_STEP_MS = 3_600_000
"""`last_seen` is kept to the hour: one write an hour and name, not one an event."""


class EventSchema(msgspec.Struct, frozen=True):
    """One event name of an account."""

    name: str
    shown_as: str
    state: str
    is_system: bool
    first_seen_ms: int
    last_seen_ms: int


class PropertySchema(msgspec.Struct, frozen=True):
    """One property of an event (`owner` is the folded name) or of profiles (`owner` is empty), in one type."""

    owner: str
    property: str
    type: str
    first_seen_ms: int
    last_seen_ms: int


def type_of(value: Any) -> str:
    """The schema's name for a JSON value's type (engagement 2.3)."""
    if isinstance(value, bool):
        return "Boolean"
    if isinstance(value, int):
        return "Integer"
    if isinstance(value, float):
        return "Float"
    if isinstance(value, str):
        return "Date" if value.startswith("$D_") else "String"
    return "List" if isinstance(value, list) else "Object"


class _AccountBook:
    """What is known of one account's shapes, and what is new since the last flush."""

    def __init__(self, events: dict[str, list[Any]], properties: dict[tuple[str, str, str], list[int]]) -> None:
        self.events = events  # folded → [shown_as, is_system, first, last, state]
        self.properties = properties  # (owner, property, type) → [first, last]
        self.shapes: dict[tuple[Any, ...], int] = {}
        self.dirty_events: set[str] = set()
        self.dirty_properties: set[tuple[str, str, str]] = set()


class SchemaBook:
    """The pipeline's memory of shapes. One owner at a time; `forget` after a failed commit."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._accounts: dict[AccountId, _AccountBook] = {}

    def shown_as(self, account_id: AccountId, folded: str) -> str | None:
        """The name as it was first written, or None if this name is new."""
        row = self._book(account_id).events.get(folded)
        return None if row is None else row[0]

    def custom_names_count(self, account_id: AccountId) -> int:
        return sum(not row[1] for row in self._book(account_id).events.values())

    def observe_event(
        self, account_id: AccountId, folded: str, name: str, props: Mapping[str, Any], at_ms: int, *, is_system: bool
    ) -> str:
        """Note that an event of this name and these properties happened; the name as it was first written."""
        book = self._book(account_id)
        shape = (folded, *props, *map(type, props.values()))
        seen = book.shapes.get(shape)
        if seen is not None and at_ms < seen + LAST_SEEN_STEP_MS and not _has_text_date(props):
            shown: str = book.events[folded][0]
            return shown
        if len(book.shapes) > 50_000:
            book.shapes.clear()
        book.shapes[shape] = at_ms
        row = book.events.get(folded)
        if row is None:
            row = book.events[folded] = [name, is_system, at_ms, at_ms, "active"]
            book.dirty_events.add(folded)
        elif _widen(row, 2, at_ms):
            book.dirty_events.add(folded)
        self._observe_properties(book, folded, props, at_ms)
        return str(row[0])

    def observe_profile(self, account_id: AccountId, properties: Mapping[str, Any], at_ms: int) -> None:
        """Note that a profile has these properties."""
        self._observe_properties(self._book(account_id), "", properties, at_ms)

    def _observe_properties(self, book: _AccountBook, owner: str, props: Mapping[str, Any], at_ms: int) -> None:
        for key, value in props.items():
            if value is None:
                continue
            identity = (owner, key, type_of(value))
            row = book.properties.get(identity)
            if row is None:
                book.properties[identity] = [at_ms, at_ms]
                book.dirty_properties.add(identity)
            elif _widen(row, 0, at_ms):
                book.dirty_properties.add(identity)

    def flush(self, connection: sa.Connection) -> None:
        """Write what is new since the last flush, inside the caller's transaction."""
        for account_id, book in self._accounts.items():
            _write_events(connection, account_id, book)
            _write_properties(connection, account_id, book)

    def forget(self) -> None:
        """Drop everything kept in memory; it is read again when needed."""
        self._accounts.clear()

    def _book(self, account_id: AccountId) -> _AccountBook:
        book = self._accounts.get(account_id)
        if book is None:
            book = self._accounts[account_id] = _load(self._database, account_id)
        return book


def _has_text_date(props: Mapping[str, Any]) -> bool:
    # A date is text on the wire: its shape looks like that of a text, so it is looked at each time.
    return any(type(value) is str and value.startswith("$D_") for value in props.values())


def _widen(row: list[Any], first: int, at_ms: int) -> bool:
    """Move first and last seen apart to include `at_ms`; whether that is worth a write."""
    if at_ms < row[first]:
        row[first] = at_ms
        return True
    if at_ms >= row[first + 1] + LAST_SEEN_STEP_MS:
        row[first + 1] = at_ms
        return True
    return False


def _load(database: Database, account_id: AccountId) -> _AccountBook:
    with database.read() as connection:
        events = connection.execute(
            sa.select(tables.event_schema).where(tables.event_schema.c.account_id == account_id)
        ).all()
        properties = connection.execute(
            sa.select(tables.property_schema).where(tables.property_schema.c.account_id == account_id)
        ).all()
    return _AccountBook(
        {r.name: [r.shown_as, r.is_system, r.first_seen_ms, r.last_seen_ms, r.state] for r in events},
        {(r.owner, r.property, r.type): [r.first_seen_ms, r.last_seen_ms] for r in properties},
    )


def _write_events(connection: sa.Connection, account_id: AccountId, book: _AccountBook) -> None:
    rows = [
        {
            "account_id": account_id,
            "name": folded,
            "shown_as": book.events[folded][0],
            "state": book.events[folded][4],
            "is_system": book.events[folded][1],
            "first_seen_ms": book.events[folded][2],
            "last_seen_ms": book.events[folded][3],
        }
        for folded in sorted(book.dirty_events)
    ]
    statement = upsert(tables.event_schema, connection, update=("first_seen_ms", "last_seen_ms"))
    bulk(connection, statement, rows)
    book.dirty_events.clear()


def _write_properties(connection: sa.Connection, account_id: AccountId, book: _AccountBook) -> None:
    rows = [
        {
            "account_id": account_id,
            "owner": owner,
            "property": name,
            "type": kind,
            "first_seen_ms": book.properties[owner, name, kind][0],
            "last_seen_ms": book.properties[owner, name, kind][1],
        }
        for owner, name, kind in sorted(book.dirty_properties)
    ]
    statement = upsert(tables.property_schema, connection, update=("first_seen_ms", "last_seen_ms"))
    bulk(connection, statement, rows)
    book.dirty_properties.clear()


def read_schema(database: Database, account_id: AccountId) -> tuple[Sequence[EventSchema], Sequence[PropertySchema]]:
    """All event names and properties that an account has seen, by name."""
    with database.read() as connection:
        events = connection.execute(
            sa.select(tables.event_schema)
            .where(tables.event_schema.c.account_id == account_id)
            .order_by(tables.event_schema.c.name)
        ).all()
        properties = connection.execute(
            sa.select(tables.property_schema)
            .where(tables.property_schema.c.account_id == account_id)
            .order_by(tables.property_schema.c.owner, tables.property_schema.c.property)
        ).all()
    return (
        [EventSchema(r.name, r.shown_as, r.state, r.is_system, r.first_seen_ms, r.last_seen_ms) for r in events],
        [PropertySchema(r.owner, r.property, r.type, r.first_seen_ms, r.last_seen_ms) for r in properties],
    )


def known_names(database: Database, account_id: AccountId) -> dict[str, str]:
    """The event names that an account has seen: folded → as shown."""
    statement = sa.select(tables.event_schema.c.name, tables.event_schema.c.shown_as).where(
        tables.event_schema.c.account_id == account_id
    )
    with database.read() as connection:
        return {row.name: row.shown_as for row in connection.execute(statement)}
