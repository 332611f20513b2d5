"""Lines as rows of a table: which columns a CSV or Parquet file has, and the values of a line in their order. Pure.

The columns are the properties that the account has seen when the export starts. What comes later, and what a column's
type cannot hold, stands as JSON in the column `profileData` or `eventProps`, so that nothing is left out.
"""

from __future__ import annotations

import enum
from collections.abc import Iterable

import msgspec

from belfry.events.schema import PropertySchema
from belfry.exporting.lines import Line

COLUMNS_MAX = 1000
"""Properties beyond stand in the last column, as JSON."""
REST = {"users": "profileData", "events": "eventProps"}
_USER_COLUMNS = ("identity", "objectId", "Email", "Phone", "Name")
_EVENT_COLUMNS = ("ts", "evtName", "identity", "objectId")
_CONTACTS = {"Email": "email", "Phone": "phone", "Name": "name"}


class Kind(enum.StrEnum):
    """What a column's values are."""

    TEXT = "text"
    WHOLE = "whole number"
    NUMBER = "number"
    BOOLEAN = "boolean"
    TEXTS = "list of texts"
    ANY = "any value, as text"


class TableColumn(msgspec.Struct, frozen=True):
    """A column. is_property: its name is a property's."""

    name: str
    kind: Kind
    is_property: bool


class Table(msgspec.Struct, frozen=True):
    """The columns of one file; the last one holds what fits in no other."""

    columns: tuple[TableColumn, ...]
    is_users: bool

    def typed(self) -> Table:
        """The same without the properties that have no one type: they stand in the last column."""
        columns = [column for column in self.columns if not (column.is_property and column.kind is Kind.ANY)]
        return Table(tuple(columns), self.is_users)

    def row(self, line: Line) -> list[object]:
        """The values of a line; None where it has none."""
        heads, properties = _user_row(line) if self.is_users else _event_row(line)
        rest = dict(properties)
        values: list[object] = []
        for column in self.columns[:-1]:
            if not column.is_property:
                values.append(heads.get(column.name))
            elif column.name in rest and _fits(rest[column.name], column.kind):
                values.append(rest.pop(column.name))
            else:
                values.append(None)
        values.append(rest or None)
        return values


def table_of(properties: Iterable[PropertySchema], *, users: bool) -> Table:
    """The columns for users, or for events of these properties."""
    heads = _USER_COLUMNS if users else _EVENT_COLUMNS
    columns = [TableColumn(name, Kind.WHOLE if name == "ts" else Kind.TEXT, False) for name in heads]
    taken = {*heads, *_CONTACTS, REST["users"], REST["events"], "FBID", "GPID", "event_id" if users else ""}
    for name, types in sorted(_types_of(properties).items()):
        if name not in taken and len(columns) < COLUMNS_MAX:
            columns.append(TableColumn(name, _kind_of(types), True))
    columns.append(TableColumn(REST["users" if users else "events"], Kind.ANY, False))
    return Table(tuple(columns), users)


def _types_of(properties: Iterable[PropertySchema]) -> dict[str, set[str]]:
    types: dict[str, set[str]] = {}
    for property_ in properties:
        types.setdefault(property_.property, set()).add(property_.type)
    return types


def _kind_of(types: set[str]) -> Kind:
    if types <= {"String", "Date"}:
        return Kind.TEXT
    if types == {"Integer"}:
        return Kind.WHOLE
    if types <= {"Integer", "Float"}:
        return Kind.NUMBER
    if types == {"Boolean"}:
        return Kind.BOOLEAN
    return Kind.TEXTS if types == {"List"} else Kind.ANY


def _fits(value: object, kind: Kind) -> bool:
    match kind:
        case Kind.TEXT:
            return isinstance(value, str)
        case Kind.WHOLE:
            return isinstance(value, int) and not isinstance(value, bool)
        case Kind.NUMBER:
            return isinstance(value, float) or (isinstance(value, int) and not isinstance(value, bool))
        case Kind.BOOLEAN:
            return isinstance(value, bool)
        case Kind.TEXTS:
            return isinstance(value, list) and all(isinstance(item, str) for item in value)
        case Kind.ANY:
            return value is not None


def _user_row(line: Line) -> tuple[Line, Line]:
    heads = {"identity": line.get("identity"), "objectId": line.get("objectId")}
    heads.update({name: line.get(key) for name, key in _CONTACTS.items()})
    return heads, line["profileData"]


def _event_row(line: Line) -> tuple[Line, Line]:
    profile = line["profile"]
    heads = {"ts": line["ts"], "evtName": line["eventName"]}
    heads.update({key: profile.get(key) for key in ("identity", "objectId")})
    return heads, {**line["eventProps"], **line.get("sessionProps", {})}
