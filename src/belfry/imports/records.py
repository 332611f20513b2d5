"""One row of a file as one record of an upload (server-api 3.2). Pure; what a record may be is intake's to judge."""

from __future__ import annotations

import datetime as dt
import decimal
import math
from collections.abc import Sequence
from zoneinfo import ZoneInfo

import msgspec

from belfry.imports.columns import Column, Plan, Unfit
from belfry.imports.dates import DEFAULT_TIME
from belfry.imports.model import ImportKind, RowProblem

Record = dict[str, object]
"""A JSON object, as in `d` of an upload."""

_decode = msgspec.json.Decoder().decode


class Refused(Exception):
    """A row that cannot become a record; caught by the readers of rows."""

    def __init__(self, column: str | None, reason: str) -> None:
        super().__init__(reason)
        self.column = column
        self.reason = reason


class Row(msgspec.Struct, frozen=True, gc=False):
    """A row that was read.

    record   None: the row is refused, for the first of the problems
    problems that, or notes about a row that is taken
    values   the row as it was, to be shown; None: it could not even be read
    """

    number: int
    record: Record | None
    problems: tuple[RowProblem, ...]
    values: object


class Builder:
    """Makes records of rows by a plan. One file, one thread."""

    def __init__(self, plan: Plan, timezone: str) -> None:
        self._plan = plan
        self._zone = ZoneInfo(timezone)
        self._is_users = plan.kind is ImportKind.USERS
        self._columns = [(column.index, column.to, column.is_root, column.read, column) for column in plan.columns]
        self._dates = [column for column in plan.columns if column.is_date]

    def from_cells(self, number: int, cells: list[str]) -> Row:
        """A row of CSV: everything is text; an empty cell says nothing."""
        if len(cells) != self._plan.count:
            reason = f"has {len(cells)} values, the header has {self._plan.count}"
            return _refused(number, Refused(None, reason), cells)
        record, data = self._empty()
        column: Column | None = None
        try:
            for index, to, is_root, read, column in self._columns:  # noqa: B007 - the column at fault is looked up
                cell = cells[index]
                if cell:
                    (record if is_root else data)[to] = read(cell)
            if self._plan.spread is not None:
                self._spread(data, _json_object(cells[self._plan.spread[0]], self._plan.spread[1]))
        except Unfit as unfit:
            return _refused(number, Refused(column.name if column else None, unfit.reason), cells)
        except Refused as refused:
            return _refused(number, refused, cells)
        notes = self._notes(number, record, data, cells) if self._dates else ()
        return Row(number, record, notes, cells)

    def from_values(self, number: int, values: Sequence[object], shown: object) -> Row:
        """A row of a file that has types. shown: the row as it was"""
        record, data = self._empty()
        try:
            for column in self._plan.columns:
                value = self._typed(column, values[column.index])
                if value is not None:
                    (record if column.is_root else data)[column.to] = value
            if self._plan.spread is not None:
                index, name = self._plan.spread
                found = values[index]
                self._spread(data, _json_object(found, name) if isinstance(found, str) else _object(found, name))
        except Refused as refused:
            return _refused(number, refused, shown)
        notes = self._notes(number, record, data, values) if self._dates else ()
        return Row(number, record, notes, shown)

    def _empty(self) -> tuple[Record, Record]:
        data: Record = {}
        if self._is_users:
            return {"type": "profile", "profileData": data}, data
        record: Record = {"type": "event", "evtData": data}
        if self._plan.event_name is not None:
            record["evtName"] = self._plan.event_name
        return record, data

    def _typed(self, column: Column, value: object) -> object:
        try:
            plain = plain_value(value, self._zone)
            if not column.is_typed or plain is None or isinstance(plain, bool | list | dict):
                return _moment(plain) if column.to == "ts" else plain
            text = plain if isinstance(plain, str) else str(plain)
            if isinstance(plain, str) and (not plain or plain.startswith("$D_")):
                return _moment(plain) if column.to == "ts" else plain or None
            return plain if isinstance(plain, float) else column.read(text)
        except Unfit as unfit:
            raise Refused(column.name, unfit.reason) from None

    def _spread(self, data: Record, properties: Record) -> None:
        for key, value in properties.items():
            data.setdefault(key, value)

    def _notes(self, number: int, record: Record, data: Record, cells: Sequence[object]) -> tuple[RowProblem, ...]:
        return tuple(
            RowProblem(number, column.name, "does not fit the date format of its column; kept as text")
            for column in self._dates
            if cells[column.index]
            and isinstance(value := (record if column.is_root else data).get(column.to), str)
            and not value.startswith("$D_")
        )


def plain_value(value: object, zone: ZoneInfo) -> object:
    """A value of a Parquet column as JSON has it; None for what JSON has not. Raises Unfit."""
    match value:
        case dt.datetime():
            return f"$D_{int((value if value.tzinfo else value.replace(tzinfo=zone)).timestamp())}"
        case dt.date():
            return f"$D_{int(dt.datetime.combine(value, dt.time(*DEFAULT_TIME), zone).timestamp())}"
        case decimal.Decimal():
            if not value.is_finite():
                return None
            return int(value) if value == value.to_integral_value() else float(value)
        case float():
            return value if math.isfinite(value) else None
        case bytes():
            raise Unfit("needs to be text, got bytes")
        case list():
            return [plain_value(item, zone) for item in value]
        case dict():
            return {key: plain for key, item in value.items() if (plain := plain_value(item, zone)) is not None}
        case dt.time() | dt.timedelta():
            return str(value)
        case _:
            return value


def _moment(value: object) -> object:
    """A date property as `ts`."""
    return int(value[3:]) if isinstance(value, str) and value.startswith("$D_") and value[3:].isdigit() else value


def _json_object(cell: str, column: str) -> Record:
    if not cell:
        return {}
    try:
        value = _decode(cell)
    except (msgspec.DecodeError, RecursionError):
        raise Refused(column, "needs to be a JSON object") from None
    return _object(value, column)


def _object(value: object, column: str) -> Record:
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise Refused(column, "needs to be an object")
    return value


def _refused(number: int, refused: Refused, values: object) -> Row:
    return Row(number, None, (RowProblem(number, refused.column, refused.reason),), values)
