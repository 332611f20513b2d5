"""`/1/counts/profiles.json` and `/1/counts/events.json`: how many, with the partial protocol (server-api 6.1)."""

from __future__ import annotations

import msgspec

from belfry.accounts.model import Account
from belfry.edge.exchange import Answer, Request
from belfry.edge.services import Services
from belfry.segments.cql import Purpose, Query, translate, unwrap
from belfry.segments.parse import parse, parse_event_query
from belfry.server_api.partial import WAIT_S, PartialProtocol
from belfry.server_api.pending import Pending
from belfry.server_api.queries import Json, today_of, truth_of

PROFILES_PATH = "/1/counts/profiles.json"
EVENTS_PATH = "/1/counts/events.json"
_OWN_KEYS = ("unique", "req_id")


class Asked(msgspec.Struct, frozen=True):
    """A count that was asked for. unique: users instead of occurrences, for events."""

    query: Query
    unique: bool = False

    @property
    def warnings(self) -> list[str]:
        return self.query.warnings

    def key(self) -> bytes:
        """The same for two queries that count the same."""
        return msgspec.json.encode([self.query.users, self.query.occurrences, self.query.others, self.unique])


class CountEndpoint:
    """Counts users and events."""

    def __init__(self, services: Services, *, wait_s: float = WAIT_S) -> None:
        self._services = services
        self._pending: Pending[int] = Pending(services.clock, services.ids, wait_s=wait_s)
        self._protocol = PartialProtocol(services, self._pending, lambda count: {"count": count})

    async def profiles(self, request: Request) -> Answer:
        """How many users a query selects."""
        return await self._protocol.answer(
            request, lambda asker, body: self._asked(asker, body, Purpose.PROFILE_COUNT), self._count_profiles
        )

    async def events(self, request: Request) -> Answer:
        """How many occurrences a query selects; with `unique`, of how many users."""
        return await self._protocol.answer(
            request, lambda asker, body: self._asked(asker, body, Purpose.EVENTS), self._count_events
        )

    def _asked(self, request: Request, body: Json, purpose: Purpose) -> Asked:
        account_id = request.account_id
        query = translate(
            body,
            purpose,
            today_of(request),
            is_known_event=lambda name: self._services.is_known_event(account_id, name),
            also_known=_OWN_KEYS,
        )
        return Asked(query, truth_of(unwrap(body).get("unique"), "unique"))

    def _count_profiles(self, account: Account, asked: Asked) -> int:
        return self._services.segments.count(account, parse(asked.query.users))

    def _count_events(self, account: Account, asked: Asked) -> int:
        query = parse_event_query(asked.query.occurrences, asked.query.others)
        return self._services.segments.count_events(account, query, unique=asked.unique)


class CountAnswer(msgspec.Struct, omit_defaults=True):
    """For the reference: a count, or `status` partial with the id to ask again with."""

    status: str
    count: int | None = None
    req_id: int | None = None
