"""`/1/counts/profiles.json` and `/1/counts/events.json`: how many, with the partial protocol (server-api 6.1)."""

from __future__ import annotations

from collections.abc import Callable

import msgspec

from belfry.accounts.model import Account
from belfry.edge.exchange import Answer, Request, json_answer, warnings_header
from belfry.edge.services import Services
from belfry.errors import BadRequest
from belfry.segments.cql import Purpose, Query, translate, unwrap
from belfry.segments.parse import parse, parse_event_query
from belfry.server_api.pending import Partial, Pending
from belfry.server_api.queries import Json, body_of, today_of

PROFILES_PATH = "/1/counts/profiles.json"
EVENTS_PATH = "/1/counts/events.json"
WAIT_S = 25.0
"""How long a request waits for its count: most clients never ask a second time."""
_OWN_KEYS = ("unique", "req_id")
_NO_REQUEST = frozenset({"", "0"})
_TRUE, _FALSE = (True, "1", "true"), (False, None, "0", "false")  # 1 and 0 equal True and False


class Asked(msgspec.Struct, frozen=True):
    """A count that was asked for. unique: users instead of occurrences, for events."""

    query: Query
    unique: bool = False

    def key(self) -> bytes:
        """The same for two queries that count the same."""
        return msgspec.json.encode([self.query.users, self.query.occurrences, self.query.others, self.unique])


class CountEndpoint:
    """Counts users and events."""

    def __init__(self, services: Services, *, wait_s: float = WAIT_S) -> None:
        self._services = services
        self._pending: Pending[int] = Pending(services.clock, services.ids, wait_s=wait_s)

    async def profiles(self, request: Request) -> Answer:
        """How many users a query selects."""
        return await self._answer(request, Purpose.PROFILE_COUNT, self._count_profiles)

    async def events(self, request: Request) -> Answer:
        """How many occurrences a query selects; with `unique`, of how many users."""
        return await self._answer(request, Purpose.EVENTS, self._count_events)

    async def _answer(self, request: Request, purpose: Purpose, count: Callable[[Account, Asked], int]) -> Answer:
        """`req_id` asks for the count of an earlier call, whatever the body; without it the body is a new query."""
        parameters = request.parameters()
        request_id = parameters.get("req_id", "").strip()
        account_id = request.account_id
        if request_id not in _NO_REQUEST:
            found = await self._pending.poll(account_id, request.route, _request_id(request_id))
            return json_answer(_shown(found))
        body = body_of(request, parameters)
        asked = await self._services.lookups.run(self._asked, request, body, purpose)

        async def start() -> int:
            return await self._services.queries.run(count, request.account, asked)

        found = await self._pending.answer(account_id, request.route, asked.key(), start)
        return json_answer(_shown(found), headers=warnings_header(asked.query.warnings))

    def _asked(self, request: Request, body: Json, purpose: Purpose) -> Asked:
        account_id = request.account_id
        query = translate(
            body,
            purpose,
            today_of(request),
            is_known_event=lambda name: self._services.is_known_event(account_id, name),
            also_known=_OWN_KEYS,
        )
        return Asked(query, _unique(unwrap(body).get("unique")))

    def _count_profiles(self, account: Account, asked: Asked) -> int:
        return self._services.segments.count(account, parse(asked.query.users))

    def _count_events(self, account: Account, asked: Asked) -> int:
        query = parse_event_query(asked.query.occurrences, asked.query.others)
        return self._services.segments.count_events(account, query, unique=asked.unique)


def _shown(found: int | Partial) -> dict[str, Json]:
    if isinstance(found, Partial):
        return {"status": "partial", "req_id": found.request_id}
    return {"status": "success", "count": found}


def _request_id(text: str) -> int:
    if not (text.isascii() and text.isdecimal()) or len(text) > 16:
        raise BadRequest("Invalid request id", field="req_id")
    return int(text)


def _unique(value: Json) -> bool:
    key = value.strip().lower() if isinstance(value, str) else value
    if key in _TRUE:
        return True
    if key in _FALSE:
        return False
    raise BadRequest("unique needs to be true or false", field="unique")


class CountAnswer(msgspec.Struct, omit_defaults=True):
    """For the reference: a count, or `status` partial with the id to ask again with."""

    status: str
    count: int | None = None
    req_id: int | None = None
