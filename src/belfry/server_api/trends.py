"""`/1/counts/trends.json`: occurrences, users or sums by day, week and month (server-api 6.3)."""

from __future__ import annotations

import datetime as dt

import msgspec

from belfry.accounts.model import Account
from belfry.edge.exchange import Answer, Request
from belfry.edge.services import Services
from belfry.errors import BadRequest, InternalError
from belfry.segments.compiler.plan import Property
from belfry.segments.cql import Query, unwrap
from belfry.segments.cql_conditions import Warnings, known_keys
from belfry.segments.model import EventQuery
from belfry.segments.parse import read_path
from belfry.segments.reading import as_choice
from belfry.segments.reports.periods import Period
from belfry.segments.reports.trends import Amount, Figure, TrendMeasure
from belfry.server_api.partial import WAIT_S, PartialProtocol
from belfry.server_api.pending import Pending
from belfry.server_api.queries import Json, truth_of
from belfry.server_api.reports import event_query, question_key, read_groups, translated

TRENDS_PATH = "/1/counts/trends.json"
DAYS_MAX = 366
_OWN_KEYS = ("unique", "sum_event_prop")


class TrendsAsked(msgspec.Struct, frozen=True):
    """A measure over the occurrences that a query selects, by period; each group names the result of one."""

    query: Query
    groups: dict[str, Period]
    measure: TrendMeasure
    warnings: list[str]

    def key(self) -> bytes:
        """The same for two questions with the same answer."""
        return question_key(self.query, self.groups, self.measure)


class TrendsEndpoint:
    """Counts by period."""

    def __init__(self, services: Services, *, wait_s: float = WAIT_S) -> None:
        self._services = services
        self._pending: Pending[dict[str, dict[str, Amount]]] = Pending(services.clock, services.ids, wait_s=wait_s)
        self._protocol = PartialProtocol(services, self._pending, dict)

    async def handle(self, request: Request) -> Answer:
        """For each group a figure for every period of the range."""
        return await self._protocol.answer(request, self._asked, self._count)

    def _asked(self, request: Request, body: Json) -> TrendsAsked:
        query = translated(self._services, request, body, _OWN_KEYS)
        warnings = Warnings()
        groups = read_groups(body, lambda value, at: _period(value, at, warnings))
        _days(event_query(query))
        return TrendsAsked(query, groups, _measure(body), [*query.warnings, *warnings.texts])

    def _count(self, account: Account, asked: TrendsAsked) -> dict[str, dict[str, Amount]]:
        query = event_query(asked.query)
        found = self._services.reports.trends(account, query, asked.groups.values(), asked.measure, _days(query))
        return {key: found[period] for key, period in asked.groups.items()}


def _period(value: Json, at: str, warnings: Warnings) -> Period:
    kind = known_keys(value, frozenset({"trend_type"}), {}, warnings, at).get("trend_type")
    folded = kind.lower() if isinstance(kind, str) else kind
    return Period(as_choice(folded, f"{at}.trend_type", [period.value for period in Period]))


def _measure(body: Json) -> TrendMeasure:
    given = unwrap(body)
    is_unique = truth_of(given.get("unique"), "unique")
    name = given.get("sum_event_prop")
    if name in (None, ""):
        return TrendMeasure(Figure.USERS if is_unique else Figure.OCCURRENCES)
    if is_unique:
        raise BadRequest("unique and sum_event_prop exclude each other: users have no sum", field="sum_event_prop")
    path, is_item = read_path(name, "sum_event_prop")
    return TrendMeasure(Figure.SUM, Property(path, is_item))


def _days(query: EventQuery) -> tuple[dt.date, dt.date]:
    """First and last day of the range. Raises BadRequest for more than a year."""
    range_ = query.occurrences.sources[0].when.range
    if not isinstance(range_.start, dt.date) or not isinstance(range_.end, dt.date):
        raise InternalError("a query of events without its days")
    count = (range_.end - range_.start).days + 1
    if count > DAYS_MAX:
        raise BadRequest(
            f"from and to span {count} days; a trend has at most one year, {DAYS_MAX} days",
            field="from",
            limit=DAYS_MAX,
        )
    return range_.start, range_.end


class TrendGroupBody(msgspec.Struct):
    """For the reference: one group."""

    trend_type: Period


class TrendsBody(msgspec.Struct):
    """For the reference: a query of events with groups; other parts of the query language filter besides."""

    event_name: str
    from_: int = msgspec.field(name="from")
    to: int
    groups: dict[str, TrendGroupBody]
    unique: bool = False
    sum_event_prop: str = ""
