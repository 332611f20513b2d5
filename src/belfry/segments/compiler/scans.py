"""Sets of users over the events: one SELECT of `profile_id` each, whose first filter is the table's sort key."""

from __future__ import annotations

import datetime as dt

import msgspec

from belfry.errors import InternalError
from belfry.events import names
from belfry.ids import AccountId
from belfry.segments.compiler.operands import expressions, number_of, path_of, values_of
from belfry.segments.compiler.parameters import Parameters
from belfry.segments.compiler.plan import EventSet, InterestSet, Property, RfmSet, Source
from belfry.segments.compiler.predicates import (
    FALSE,
    TRUE,
    RowPredicates,
    comparison,
    conjunction,
    disjunction,
)
from belfry.segments.measures import is_at_least_once
from belfry.segments.model import Measure, MeasureFn, Occurrence

_DAYS = (dt.date(1970, 1, 1), dt.date(2149, 6, 6))
"""What a columnar `Date` can hold."""
_DAY_MS = 86_400_000


class Scope(msgspec.Struct, frozen=True):
    """What a statement is about, beside the rule.

    seq_max     only events accepted up to here, for a result that must not shift (server-api 5.4)
    profile_id  only this profile: is it a member?
    after       only profiles with a greater id, for keyset pages
    """

    account_id: AccountId
    timezone: str
    as_of_ms: int
    seq_max: int | None = None
    profile_id: int | None = None
    after: int | None = None


class Scans:
    """Prints sets of users over the events of one account."""

    def __init__(self, parameters: Parameters, scope: Scope) -> None:
        self._parameters = parameters
        self._scope = scope
        self._rows = RowPredicates(parameters, scope.timezone)
        self._account = parameters.text(scope.account_id)

    def event_set(self, node: EventSet) -> str:
        """Users by a measure over all, the first or the last of their occurrences."""
        if node.occurrence is Occurrence.ANY:
            return self._by_all(node)
        if node.by_time_alone:
            return self._by_time(node)
        return self._by_one(node)

    def _by_all(self, node: EventSet) -> str:
        where = disjunction([self.occurrences(source) for source in node.sources])
        having = ""
        if node.negated or not is_at_least_once(node.measure):
            having = f" HAVING {self._measured(_aggregate(node.measure), node)}"
        return f"{self._select([*self.pushed(), where])} GROUP BY profile_id{having}"

    def _by_one(self, node: EventSet) -> str:
        """Pick each user's first or last occurrence, then look at it (engagement 3.3: filters come after)."""
        pick = "argMin" if node.occurrence is Occurrence.FIRST else "argMax"
        matches = disjunction([self.occurrences(source) for source in node.sources])
        figure = _figure_of_one(node.measure)
        # A tuple: argMin would pass over rows where the figure itself is NULL.
        inner = self._select(
            [*self.pushed(), self._names(node.sources), self._until_now()],
            f"profile_id, {pick}(({matches}, {figure}), (ts, seq)) AS picked",
        )
        measured = self._measured("picked.2", node)
        return f"SELECT profile_id FROM ({inner} GROUP BY profile_id) WHERE picked.1 AND {measured}"

    def _by_time(self, node: EventSet) -> str:
        pick = "min(ts)" if node.occurrence is Occurrence.FIRST else "max(ts)"
        matches = disjunction([conjunction(self._times(source, pick)) for source in node.sources])
        select = self._select([*self.pushed(), self._names(node.sources), self._until_now()])
        return f"{select} GROUP BY profile_id HAVING {matches} AND {self._measured('1', node)}"

    def _measured(self, figure: str, node: EventSet) -> str:
        limits = [self._parameters.number(limit) for limit in node.measure.value]
        holds = f"ifNull({comparison(figure, node.measure.cmp, limits)}, 0)"
        return f"NOT {holds}" if node.negated else holds

    def interest(self, node: InterestSet) -> str:
        """Users by the share or the mode of their occurrences (engagement 3.7)."""
        if node.predominantly:
            return self._by_mode(node)
        where = [*self.pushed(), self.occurrences(node.source), self._present(node)]
        share = f"countIf({self._is_chosen(node)}) * 100 >= {self._parameters.number(node.pct)} * count()"
        enough = f"count() >= {self._parameters.integer(node.minimum)}"
        return f"{self._select(where)} GROUP BY profile_id HAVING {enough} AND {share}"

    def _is_chosen(self, node: InterestSet) -> str:
        """Whether an event row is about a chosen value or time."""
        if node.prop is not None:
            return self._rows.check(node.chosen, expressions(node.prop, self._parameters))
        return conjunction(self._calendar(node.times, node.days_of_week, (), "ts"))

    def _by_mode(self, node: InterestSet) -> str:
        """The most frequent value is a chosen one; if several are most frequent, each of them counts."""
        value = f"toDayOfWeek(ts, 0, {self._timezone()})" if node.prop is None else self._folded_value(node.prop)
        where = [*self.pushed(), self.occurrences(node.source), self._present(node)]
        columns = f"profile_id, {value} AS value, {self._is_chosen(node)} AS is_chosen, count() AS times"
        return (
            f"SELECT profile_id FROM ({self._select(where, columns)} GROUP BY profile_id, value, is_chosen) "
            f"GROUP BY profile_id HAVING sum(times) >= {self._parameters.integer(node.minimum)} "
            "AND maxIf(times, is_chosen) = max(times)"
        )

    def _folded_value(self, prop: Property) -> str:
        text, *others = values_of(prop)
        return f"({self._rows.folded_fully(text)}, {', '.join(others)})"

    def _present(self, node: InterestSet) -> str:
        return TRUE if node.prop is None else f"{path_of(node.prop.path)} IS NOT NULL"

    def rfm(self, node: RfmSet, visible: str) -> str:
        """Users by scores: `percent_rank` among all visible users with an occurrence, cut in five (engagement 3.8).

        The rank is of the whole population, so a scope of one profile or one page does not narrow the scan.
        """
        money = f"sum(ifNull({number_of(node.monetary)}, 0))" if node.monetary else "0"
        figures = f"profile_id, max(ts) AS latest, count() AS times, {money} AS money"
        population = f"{self._select([self.occurrences(node.source), visible], figures)} GROUP BY profile_id"
        scores = ", ".join(
            f"greatest(1, intDiv(5 * (rank() OVER (ORDER BY {figure}) - 1) + greatest(count() OVER () - 1, 1) - 1, "
            f"greatest(count() OVER () - 1, 1))) AS {score}"
            for score, figure in (("r", "latest"), ("f", "times"), ("m", "money"))
        )
        return f"SELECT profile_id FROM (SELECT profile_id, {scores} FROM ({population})) WHERE {self._scored(node)}"

    def _scored(self, node: RfmSet) -> str:
        parts = [
            f"{score} IN {self._parameters.integers(wanted)}"
            for score, wanted in (("r", node.recency), ("f", node.frequency), ("m", node.money))
            if wanted
        ]
        if node.cells:
            cells = [recency * 10 + frequency for recency, frequency in node.cells]
            parts.append(f"(r * 10 + f) IN {self._parameters.integers(cells)}")
        parts += self.pushed()
        return conjunction(parts)

    def rows(self, source: Source, occurrence: Occurrence) -> str:
        """WHERE of the event rows themselves, of the whole account but for the hidden profiles' own limits."""
        parts = [*self._scoped(), *self.pushed(), self.occurrences(source)]
        if occurrence is not Occurrence.ANY:
            pick = "argMin" if occurrence is Occurrence.FIRST else "argMax"
            picked = self._select([self._names((source,)), self._until_now()], f"profile_id, {pick}(seq, (ts, seq))")
            parts.append(f"(profile_id, seq) IN ({picked} GROUP BY profile_id)")
        return " AND ".join(part for part in parts if part != TRUE)

    def figure(self, node: EventSet) -> str:
        """SELECT of how often, and the measure's figure, over all matching occurrences within the scope."""
        where = disjunction([self.occurrences(source) for source in node.sources])
        return self._select([*self.pushed(), where], f"count(), {_aggregate(node.measure)}")

    def occurrences(self, source: Source) -> str:
        """Whether an event row is one of the source's."""
        parts = [self._name(source.names), *self._days(source), *self._times(source, "ts")]
        if source.where is not None:
            parts.append(self._rows.tree(source.where))
        return conjunction(parts)

    def _days(self, source: Source) -> list[str]:
        """UTC days around the window: the sort key has no time of its own."""
        window = source.window
        parts = [f"day <= {self._day(window.to_ms)}"]
        if window.from_ms is not None:
            parts.insert(0, f"day >= {self._day(window.from_ms)}")
        return parts

    def _day(self, at_ms: int) -> str:
        day = dt.date(1970, 1, 1) + dt.timedelta(days=at_ms // _DAY_MS)
        return self._parameters.put(min(max(day, _DAYS[0]), _DAYS[1]).isoformat(), "Date")

    def _times(self, source: Source, ts: str) -> list[str]:
        window = source.window
        if window.is_empty:
            return [FALSE]
        parts = [f"{ts} <= {self._parameters.instant(window.to_ms)}"]
        if window.from_ms is not None:
            parts.insert(0, f"{ts} >= {self._parameters.instant(window.from_ms)}")
        return parts + self._calendar(source.times, source.days_of_week, source.days_of_month, ts)

    def _calendar(
        self, times: tuple[tuple[int, int], ...], weekdays: tuple[int, ...], monthdays: tuple[int, ...], ts: str
    ) -> list[str]:
        """Time of day, day of week, day of month in the account's time zone."""
        if not (times or weekdays or monthdays):
            return []
        zone = self._timezone()
        parts = []
        if times:
            minute = f"(toHour({ts}, {zone}) * 60 + toMinute({ts}, {zone}))"
            parts.append(disjunction([self._in_window(minute, *window) for window in times]))
        if weekdays:
            parts.append(f"toDayOfWeek({ts}, 0, {zone}) IN {self._parameters.integers(weekdays)}")
        if monthdays:
            parts.append(f"toDayOfMonth({ts}, {zone}) IN {self._parameters.integers(monthdays)}")
        return parts

    def _in_window(self, minute: str, start: int, end: int) -> str:
        joint = "AND" if start < end else "OR"
        integer = self._parameters.integer
        return f"({minute} >= {integer(start)} {joint} {minute} < {integer(end)})"

    def _timezone(self) -> str:
        return self._parameters.text(self._scope.timezone)

    def _names(self, sources: tuple[Source, ...]) -> str:
        if any(not source.names for source in sources):
            return self._name(())
        return self._name(tuple(sorted({name for source in sources for name in source.names})))

    def _name(self, wanted: tuple[str, ...]) -> str:
        if not wanted:
            return f"name NOT IN {self._parameters.texts(sorted(names.DEBUG))}"
        if len(wanted) == 1:
            return f"name = {self._parameters.text(wanted[0])}"
        return f"name IN {self._parameters.texts(wanted)}"

    def _until_now(self) -> str:
        return f"ts <= {self._parameters.instant(self._scope.as_of_ms)}"

    def pushed(self) -> list[str]:
        """The scope's own limits on profiles, for every scan."""
        parts = []
        if self._scope.profile_id is not None:
            parts.append(f"profile_id = {self._parameters.integer(self._scope.profile_id)}")
        if self._scope.after is not None:
            parts.append(f"profile_id > {self._parameters.integer(self._scope.after)}")
        return parts

    def _scoped(self) -> list[str]:
        """The account and the upper bound, on every scan."""
        parts = [f"account_id = {self._account}"]
        if self._scope.seq_max is not None:
            parts.append(f"seq <= {self._parameters.integer(self._scope.seq_max)}")
        return parts

    def _select(self, conditions: list[str], columns: str = "profile_id") -> str:
        parts = [*self._scoped(), *(part for part in conditions if part != TRUE)]
        return f"SELECT {columns} FROM events WHERE {' AND '.join(parts)}"


def _aggregate(measure: Measure) -> str:
    """The figure over a user's matching occurrences; NULL where there is nothing to compare."""
    if measure.fn is MeasureFn.COUNT:
        return "count()"
    prop = Property(measure.prop)
    number = number_of(prop)
    match measure.fn:
        case MeasureFn.SUM:
            return f"sum(ifNull({number}, 0))"
        case MeasureFn.AVG:
            return f"sum(ifNull({number}, 0)) / count()"
        case MeasureFn.MIN:
            return f"min({number})"
        case MeasureFn.MAX:
            return f"max({number})"
        case MeasureFn.DISTINCT:
            return f"uniqExactIf(({', '.join(values_of(prop))}), {path_of(prop.path)} IS NOT NULL)"
    raise InternalError(f"unknown measure {measure.fn}")


def _figure_of_one(measure: Measure) -> str:
    """The same figure over one occurrence alone."""
    prop = Property(measure.prop)
    match measure.fn:
        case MeasureFn.COUNT:
            return "1"
        case MeasureFn.SUM | MeasureFn.AVG:
            return f"ifNull({number_of(prop)}, 0)"
        case MeasureFn.MIN | MeasureFn.MAX:
            return number_of(prop)
        case MeasureFn.DISTINCT:
            return f"({path_of(prop.path)} IS NOT NULL)"
    raise InternalError(f"unknown measure {measure.fn}")
