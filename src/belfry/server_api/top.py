"""`/1/counts/top.json`: the most frequent values of properties (server-api 6.2)."""

from __future__ import annotations

import msgspec

from belfry.accounts.model import Account
from belfry.edge.exchange import Answer, Request
from belfry.edge.services import Services
from belfry.segments.cql import Query
from belfry.segments.cql_conditions import Warnings, known_keys
from belfry.segments.reading import as_choice, as_int
from belfry.segments.reports.facets import UnrecordedFacet, facet_of
from belfry.segments.reports.top import TOP_MAX, TopGroup, TopValues
from belfry.server_api.partial import WAIT_S, PartialProtocol
from belfry.server_api.pending import Pending
from belfry.server_api.queries import Json
from belfry.server_api.reports import event_query, question_key, read_groups, translated

TOP_PATH = "/1/counts/top.json"
TOP_N = 10
_GROUP_KEYS = frozenset({"property_type", "name", "top_n", "order"})


class TopAsked(msgspec.Struct, frozen=True):
    """Groups over the occurrences that a query selects."""

    query: Query
    groups: dict[str, TopGroup]
    warnings: list[str]

    def key(self) -> bytes:
        """The same for two questions with the same answer."""
        return question_key(self.query, self.groups)


class TopEndpoint:
    """Counts the values of properties."""

    def __init__(self, services: Services, *, wait_s: float = WAIT_S) -> None:
        self._services = services
        self._pending: Pending[dict[str, TopValues]] = Pending(services.clock, services.ids, wait_s=wait_s)
        self._protocol = PartialProtocol(services, self._pending, _shown)

    async def handle(self, request: Request) -> Answer:
        """For each group its top values and how many occurrences have them."""
        return await self._protocol.answer(request, self._asked, self._count)

    def _asked(self, request: Request, body: Json) -> TopAsked:
        query = translated(self._services, request, body, ())
        warnings = Warnings()
        groups = read_groups(body, lambda value, at: _group(value, at, warnings))
        return TopAsked(query, groups, [*query.warnings, *warnings.texts, *_unrecorded(groups)])

    def _count(self, account: Account, asked: TopAsked) -> dict[str, TopValues]:
        return self._services.reports.top(account, event_query(asked.query), asked.groups)


def _group(value: Json, at: str, warnings: Warnings) -> TopGroup:
    group = known_keys(value, _GROUP_KEYS, {}, warnings, at)
    facet = facet_of(group.get("property_type"), group.get("name"), at)
    return TopGroup(facet, _top_n(group.get("top_n"), f"{at}.top_n"), _is_ascending(group.get("order"), f"{at}.order"))


def _top_n(value: Json, at: str) -> int:
    """1 to 100, also as a text; missing: 10."""
    if value is None:
        return TOP_N
    is_digits = isinstance(value, str) and value.isascii() and value.isdecimal() and len(value) <= 9
    return as_int(int(str(value)) if is_digits else value, at, 1, TOP_MAX)


def _is_ascending(value: Json, at: str) -> bool:
    if value is None:
        return False
    return as_choice(value.lower() if isinstance(value, str) else value, at, ("desc", "asc")) == "asc"


def _unrecorded(groups: dict[str, TopGroup]) -> list[str]:
    return [
        f"group {key}: {group.facet.name} is not recorded, every value counts as missing"
        for key, group in groups.items()
        if isinstance(group.facet, UnrecordedFacet)
    ]


def _shown(found: dict[str, TopValues]) -> dict[str, Json]:
    return {key: {values.shape: values.counts} for key, values in found.items()}


class TopGroupBody(msgspec.Struct):
    """For the reference: one group."""

    property_type: str
    name: str
    top_n: int = TOP_N
    order: str = "desc"


class TopBody(msgspec.Struct):
    """For the reference: a query of events with groups; other parts of the query language filter besides."""

    event_name: str
    from_: int = msgspec.field(name="from")
    to: int
    groups: dict[str, TopGroupBody]
