"""What an account's data looks like: event names and properties seen, with types, first and last time.

The pipeline shows every event and profile write to a `SchemaBook`; new shapes become rows of `event_schema` and
`property_schema`. A shape that was seen before costs one look into a dictionary.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
import sqlalchemy as sa

from belfry.events import tables
from belfry.events.model import Event
from belfry.ids import AccountId
from belfry.storage.relational import Database, bulk_insert, upsert

LAST_SEEN_STEP_MS = 3_600_000
"""`last_seen` is kept to the hour: one write an hour and name, not one an event."""
SHAPES_MAX = 50_000
DATE_BEGINS = b'"$D_'
"""How a date begins in JSON; text that quotes it looks like one, which costs time only."""


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


class SchemaChanges(msgspec.Struct, frozen=True):
    """Rows of the two tables that are new or changed; what is seen afterwards does not reach them."""

    events: list[tuple[Any, ...]]  # values in the driver's types
    properties: list[tuple[Any, ...]]


class AccountBook:
    """What is known of one account's shapes, and what is new since `take_changes`.

    A shape is an event name with the names and types of its properties. For each one seen stands the span of time in
    which an event of it changes no row, so that most events cost one look here.
    """

    def __init__(
        self, account_id: AccountId, events: dict[str, list[Any]], properties: dict[tuple[str, str, str], list[int]]
    ) -> None:
        self._account_id = account_id
        self._events = events  # folded → [shown_as, is_system, first, last, state]
        self._properties = properties  # (owner, property, type) → [first, last]
        self._shapes: dict[tuple[object, ...], tuple[int, int, str]] = {}  # → (from, until, shown_as)
        self._dirty_events: set[str] = set()
        self._dirty_properties: set[tuple[str, str, str]] = set()

    @property
    def custom_names_count(self) -> int:
        """How many event names there are, the system's not counted."""
        return sum(not row[1] for row in self._events.values())

    def knows(self, folded: str) -> bool:
        """Whether an event of this name was seen."""
        return folded in self._events

    def shown_if_usual(self, event: Event) -> str | None:
        """The name as it was first written, if the event teaches nothing new; None: `observe_event` it."""
        usual = self._shapes.get(_shape_of(event))
        if usual is None or not usual[0] <= event.ts_ms < usual[1]:
            return None
        return usual[2]

    def observe_event(self, event: Event, *, is_system: bool) -> str:
        """Note that this event happened; the name as it was first written."""
        folded, at_ms = event.folded, event.ts_ms
        row = self._events.get(folded)
        if row is None:
            row = self._events[folded] = [event.name, is_system, at_ms, at_ms, "active"]
            self._dirty_events.add(folded)
        elif _widen(row, 2, at_ms):
            self._dirty_events.add(folded)
        spans = [row[2:4], *self._observe_properties(folded, event.props, at_ms)]
        if len(self._shapes) >= SHAPES_MAX:
            self._shapes.clear()
        since = max(first for first, _ in spans)
        until = min(last for _, last in spans) + LAST_SEEN_STEP_MS
        shown = str(row[0])
        self._shapes[_shape_of(event)] = (since, until, shown)
        return shown

    def observe_profile(self, properties: Mapping[str, Any], at_ms: int) -> None:
        """Note that a profile has these properties."""
        self._observe_properties("", properties, at_ms)

    def take_changes(self) -> SchemaChanges:
        """What is new since the last call."""
        changes = SchemaChanges(
            [self._event_row(folded) for folded in sorted(self._dirty_events)],
            [(self._account_id, *key, *self._properties[key]) for key in sorted(self._dirty_properties)],
        )
        self._dirty_events.clear()
        self._dirty_properties.clear()
        return changes

    def _observe_properties(self, owner: str, props: Mapping[str, Any], at_ms: int) -> list[list[int]]:
        """Note these properties; their rows' first and last time."""
        spans = []
        for key, value in props.items():
            if value is None:
                continue
            identity = (owner, key, type_of(value))
            row = self._properties.get(identity)
            if row is None:
                row = self._properties[identity] = [at_ms, at_ms]
                self._dirty_properties.add(identity)
            elif _widen(row, 0, at_ms):
                self._dirty_properties.add(identity)
            spans.append(row)
        return spans

    def _event_row(self, folded: str) -> tuple[Any, ...]:
        shown_as, is_system, first_ms, last_ms, state = self._events[folded]
        return (self._account_id, folded, shown_as, state, is_system, first_ms, last_ms)


class SchemaBook:
    """The pipeline's memory of shapes. One owner at a time; `forget` after a failed commit."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._accounts: dict[AccountId, AccountBook] = {}

    def of(self, account_id: AccountId) -> AccountBook:
        """One account's book, read when first asked for."""
        book = self._accounts.get(account_id)
        if book is None:
            book = self._accounts[account_id] = _load(self._database, account_id)
        return book

    def forget(self) -> None:
        """Drop everything kept in memory; it is read again when needed."""
        self._accounts.clear()


def write_changes(connection: sa.Connection, changes: SchemaChanges) -> None:
    """Write what is new, inside the caller's transaction."""
    for table, rows in ((tables.event_schema, changes.events), (tables.property_schema, changes.properties)):
        statement = upsert(table, connection, update=("first_seen_ms", "last_seen_ms"))
        bulk_insert(connection, statement, table.columns.keys(), rows)


def _shape_of(event: Event) -> tuple[object, ...]:
    props = event.props
    if event.props_json.find(DATE_BEGINS) >= 0:
        # A date is text on the wire: its type shows in its value alone.
        return (event.folded, *props, *map(type_of, props.values()))
    return (event.folded, *props, *map(type, props.values()))


def _widen(row: list[Any], first: int, at_ms: int) -> bool:
    """Move first and last seen apart to include `at_ms`; whether that is worth a write."""
    if at_ms < row[first]:
        row[first] = at_ms
        return True
    if at_ms >= row[first + 1] + LAST_SEEN_STEP_MS:
        row[first + 1] = at_ms
        return True
    return False


def _load(database: Database, account_id: AccountId) -> AccountBook:
    with database.read() as connection:
        events = connection.execute(
            sa.select(tables.event_schema).where(tables.event_schema.c.account_id == account_id)
        ).all()
        properties = connection.execute(
            sa.select(tables.property_schema).where(tables.property_schema.c.account_id == account_id)
        ).all()
    return AccountBook(
        account_id,
        {r.name: [r.shown_as, r.is_system, r.first_seen_ms, r.last_seen_ms, r.state] for r in events},
        {(r.owner, r.property, r.type): [r.first_seen_ms, r.last_seen_ms] for r in properties},
    )


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
