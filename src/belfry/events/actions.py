"""What an account's events and profiles look like, for people and programs that ask (server-api 10.1)."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from belfry.events.schema import PropertySchema, read_schema
from belfry.events.store import counts_by_name
from belfry.ids import AccountId
from belfry.storage.columnar import Columnar
from belfry.storage.relational import Database

MIXED = "Mixed"
PROFILES = ""
"""The owner of profile properties in `property_schema`."""


class SeenProperty(msgspec.Struct, frozen=True):
    """A property and what it holds: a type of engagement 2.3, `Mixed` if several that do not fit together."""

    name: str
    data_type: str


class SeenEvent(msgspec.Struct, frozen=True, kw_only=True):
    """An event name with its properties. name: as it was first written; state: active or discarded."""

    folded: str
    name: str
    is_system: bool
    state: str
    count: int
    first_seen_ms: int
    last_seen_ms: int
    properties: tuple[SeenProperty, ...]


class Schemas:
    """The schema of every account: what it has seen."""

    def __init__(self, database: Database, columnar: Columnar) -> None:
        self._database = database
        self._columnar = columnar

    def events(self, account_id: AccountId) -> list[SeenEvent]:
        """Every event name, discarded ones too, with how often it happened."""
        names, properties = read_schema(self._database, account_id)
        counts = counts_by_name(self._columnar, account_id)
        by_owner: dict[str, list[PropertySchema]] = {}
        for one in properties:
            by_owner.setdefault(one.owner, []).append(one)
        return [
            SeenEvent(
                folded=event.name,
                name=event.shown_as,
                is_system=event.is_system,
                state=event.state,
                count=counts.get(event.name, 0),
                first_seen_ms=event.first_seen_ms,
                last_seen_ms=event.last_seen_ms,
                properties=_properties(by_owner.get(event.name, ())),
            )
            for event in names
        ]

    def profile_properties(self, account_id: AccountId) -> tuple[SeenProperty, ...]:
        """Every property that profiles have or had."""
        _, properties = read_schema(self._database, account_id)
        return _properties(one for one in properties if one.owner == PROFILES)


def data_type(types: Iterable[str]) -> str:
    """One word for the types that were seen of a property: integers and floats together are Float."""
    seen = set(types)
    if len(seen) == 1:
        return seen.pop()
    return "Float" if seen == {"Integer", "Float"} else MIXED


def _properties(rows: Iterable[PropertySchema]) -> tuple[SeenProperty, ...]:
    types: dict[str, list[str]] = {}
    for row in rows:
        types.setdefault(row.property, []).append(row.type)
    return tuple(SeenProperty(name, data_type(seen)) for name, seen in types.items())
