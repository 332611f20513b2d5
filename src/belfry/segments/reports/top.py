"""Top values: how many of the selected occurrences have which value (server-api 6.2)."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal

import msgspec

from belfry.segments.calendar import Calendar
from belfry.segments.compiler import Scope, Statement
from belfry.segments.compiler.parameters import Parameters
from belfry.segments.reports.buckets import label_of, nice_edges
from belfry.segments.reports.columns import (
    KINDS,
    NUMBERS,
    Column,
    age_numbers,
    kind_column,
    labels,
    property_labels,
    property_numbers,
)
from belfry.segments.reports.facets import AgeFacet, Facet, PropertyFacet, Shape
from belfry.storage.columnar import Columnar

TOP_MAX = 100
MISSING = "-1"
"""The label of occurrences without a value."""


class TopValues(msgspec.Struct, frozen=True):
    """Labels and how many occurrences have them, in the order asked for; `MISSING` comes last and is not cut."""

    shape: Shape
    counts: dict[str, int]


class TopGroup(msgspec.Struct, frozen=True):
    """One question. count_max: values told, 1 to `TOP_MAX`; ascending: the rarest instead of the most frequent."""

    facet: Facet
    count_max: int = 10
    ascending: bool = False


class TopReport:
    """Answers groups over the occurrences that one WHERE selects."""

    def __init__(self, columnar: Columnar, where: Statement, scope: Scope) -> None:
        self._columnar = columnar
        self._where = where
        self._scope = scope
        self._parameters = Parameters()
        self._parameters.values.update(where.parameters)

    def answer(self, group: TopGroup) -> TopValues:
        """The values of one group."""
        match group.facet:
            case AgeFacet():
                calendar = Calendar(self._scope.timezone, self._scope.as_of_ms)
                return self._numbers(group, age_numbers(calendar, self._parameters))
            case PropertyFacet():
                return self._property(group, group.facet)
        return self._labels(group, labels(group.facet, self._scope.timezone, self._parameters), Shape.ENUM)

    def _property(self, group: TopGroup, facet: PropertyFacet) -> TopValues:
        """Ranges if every value is a number, else values: what a property holds is known from its data alone."""
        # dynamicType reads no values; reading all types of a column to find out would cost several times as much.
        kinds = {kind for kind, _ in self._counts(kind_column(facet)) if kind in KINDS}
        if kinds and kinds <= NUMBERS and not facet.is_closed:
            return self._numbers(group, property_numbers(facet))
        return self._labels(group, property_labels(facet, kinds), Shape.ENUM if facet.is_closed else Shape.STR)

    def _labels(self, group: TopGroup, column: Column, shape: Shape) -> TopValues:
        direction = "ASC" if group.ascending else "DESC"
        found = self._counts(
            column, f"ORDER BY label IS NULL DESC, occurrences {direction}, label LIMIT {group.count_max + 1}"
        )
        missing = sum(count for label, count in found if label is None)
        counts = {str(label): count for label, count in found if label is not None}
        return TopValues(shape, _cut(counts, group, missing))

    def _numbers(self, group: TopGroup, column: Column) -> TopValues:
        sql = f"SELECT min(value), max(value), max(value != floor(value)) FROM ({self._rows(column)})"
        ((low, high, is_fractional),) = self._columnar.rows(sql, dict(self._parameters.values))
        edges = [] if low is None else nice_edges(low, high, is_whole=not is_fractional)
        missing, counts = 0, {}
        for bucket, count in self._counts(column, "ORDER BY label", key=self._bucket(edges)):
            if isinstance(bucket, int):
                counts[label_of(edges[bucket], edges[bucket + 1])] = count
            else:
                missing = count
        return TopValues(Shape.NUMBER, _cut(counts, group, missing))

    def _bucket(self, edges: list[Decimal]) -> str:
        """The number of the range that `value` lies in, NULL if it is missing.

        Comparisons with the edges themselves: dividing by the step would put 0.3 into the range below it.
        """
        inner = [f"(value >= toFloat64({self._parameters.text(str(edge))}))" for edge in edges[1:-1]]
        return " + ".join(["if(value IS NULL, NULL, 0)", *inner])

    def _counts(self, column: Column, ending: str = "", key: str = "value") -> list[tuple[object, int]]:
        """(key, occurrences) over all rows."""
        rows = self._rows(column)
        sql = f"SELECT {key} AS label, sum(times) AS occurrences FROM ({rows}) GROUP BY label {ending}"
        return [(found, int(count)) for found, count in self._columnar.rows(sql, dict(self._parameters.values))]

    def _rows(self, column: Column) -> str:
        """SELECT of `value` (NULL: missing) and `times`, how many occurrences have it."""
        name = "found" if column.is_list else "value"
        rows = self._of_users(column, name) if column.of_user else self._of_events(column, name)
        if not column.is_list:
            return rows
        return f"SELECT arrayJoin(if(empty(found), [NULL], found)) AS value, times FROM ({rows})"

    def _of_events(self, column: Column, name: str) -> str:
        return f"SELECT {column.sql} AS {name}, 1 AS times FROM events WHERE {self._where.sql}"

    def _of_users(self, column: Column, name: str) -> str:
        account = self._parameters.text(self._scope.account_id)
        return (
            f"SELECT users.{name} AS {name}, doers.times AS times FROM "
            "(SELECT profile_id AS doer, count() AS times "
            f"FROM events WHERE {self._where.sql} GROUP BY profile_id) AS doers LEFT JOIN "
            f"(SELECT profile_id, {column.sql} AS {name} FROM profile_snapshots FINAL "
            f"WHERE account_id = {account} AND hidden = 0) AS users ON users.profile_id = doers.doer"
        )


def _cut(counts: Mapping[str, int], group: TopGroup, missing: int) -> dict[str, int]:
    """The first values in order, then the missing ones. A value that reads like `MISSING` is counted with them."""
    ordered = sorted(counts.items(), key=lambda item: item[1], reverse=not group.ascending)
    top = dict(ordered[: group.count_max])
    if missing:
        top[MISSING] = missing + top.pop(MISSING, 0)
    return top
