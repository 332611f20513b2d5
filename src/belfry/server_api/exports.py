"""`/1/profiles.json` and `/1/events.json`: users and events by query, page by page (server-api 5.2, 5.3, 5.4)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec

from belfry.accounts.model import Account
from belfry.edge.exchange import Answer, Request, json_answer, warnings_header
from belfry.edge.services import Services
from belfry.ids import ProfileId
from belfry.profiles.cards import ProfileCard
from belfry.segments.cql import Purpose, translate
from belfry.segments.exports import ExportKind, Page
from belfry.server_api.pending import Partial, Pending
from belfry.server_api.queries import Json, batch_size_of, body_of, flag_of, today_of
from belfry.server_api.wire import EventFlags, event_record, profile_record

PROFILES_PATH = "/1/profiles.json"
EVENTS_PATH = "/1/events.json"
PAGE_WAIT_S = 20.0
IN_PROGRESS = {"status": "fail", "error": "Request still in progress, please retry later", "code": 2}

Render = Callable[[Account, Page], list[Json]]


class Terms(msgspec.Struct, frozen=True):
    """How an export is to be given; kept with its cursor."""

    batch_size: int
    flags: dict[str, bool]


class ExportEndpoint:
    """Starts exports and gives their pages."""

    def __init__(self, services: Services, *, page_wait_s: float = PAGE_WAIT_S) -> None:
        self._services = services
        self._pending: Pending[bytes] = Pending(services.clock, services.ids, wait_s=page_wait_s)

    async def profiles(self, request: Request) -> Answer:
        """Users that a query selects."""
        flags = {"app": True, "events": True, "profile": True}
        return await self._answer(request, ExportKind.PROFILES, flags, self._profile_records)

    async def events(self, request: Request) -> Answer:
        """Events that a query selects, each with its user as they are now."""
        flags = {"app": True, "events": False, "profile": True, "nested": False, "event_name": False, "ids": False}
        return await self._answer(request, ExportKind.EVENTS, flags, self._event_records)

    async def _answer(self, request: Request, kind: ExportKind, defaults: dict[str, bool], render: Render) -> Answer:
        """With `cursor` a page; without it a body (or the parameter `query`) starts an export."""
        parameters = request.parameters()
        cursor = parameters.get("cursor", "").strip()
        if not cursor:
            return await self._start(request, kind, parameters, defaults)

        async def start() -> bytes:
            return await self._services.exporting.run(self._page, request.account, kind, cursor, render)

        found = await self._pending.answer(request.account_id, request.route, cursor.encode("utf-8", "replace"), start)
        return json_answer(IN_PROGRESS) if isinstance(found, Partial) else Answer(200, found)

    async def _start(
        self, request: Request, kind: ExportKind, parameters: dict[str, str], defaults: dict[str, bool]
    ) -> Answer:
        warnings: list[str] = []
        flags = {name: flag_of(parameters, name, default=default) for name, default in defaults.items()}
        terms = Terms(batch_size_of(parameters, warnings), flags)
        body = body_of(request, parameters)
        cursor, ignored = await self._services.exporting.run(self._begin, request, kind, body, terms)
        headers = warnings_header([*warnings, *ignored])
        return json_answer({"status": "success", "cursor": cursor}, headers=headers)

    def _begin(self, request: Request, kind: ExportKind, body: Json, terms: Terms) -> tuple[str, list[str]]:
        """The first cursor, and what was ignored of the query."""
        account_id = request.account_id
        query = translate(
            body,
            Purpose.EVENTS if kind is ExportKind.EVENTS else Purpose.PROFILE_EXPORT,
            today_of(request),
            is_known_event=lambda name: self._services.is_known_event(account_id, name),
        )
        cursor = self._services.exports.start(request.account, kind, query, terms.flags, terms.batch_size)
        return cursor, query.warnings

    def _page(self, account: Account, kind: ExportKind, cursor: str, render: Render) -> bytes:
        """One page as it goes out. A key `cursor` must never stand in it: the Node client would loop."""
        page = self._services.exports.page(account, kind, cursor)
        answer: dict[str, Json] = {"status": "success"}
        if page.next_cursor is not None:
            answer["next_cursor"] = page.next_cursor
        answer["records"] = render(account, page)
        return msgspec.json.encode(answer)

    def _profile_records(self, account: Account, page: Page) -> list[Json]:
        flags = page.flags
        return [
            profile_record(card, with_app=flags["app"], with_events=flags["events"], with_profile=flags["profile"])
            for card in self._services.profiles.cards(account.account_id, page.profile_ids)
        ]

    def _event_records(self, account: Account, page: Page) -> list[Json]:
        flags = EventFlags(**page.flags)
        ids = [event.profile_id for event in page.events]
        cards: dict[ProfileId, ProfileCard] = {
            card.profile_id: card for card in self._services.profiles.cards(account.account_id, ids)
        }
        shown = self._services.event_names(account.account_id) if flags.event_name else {}
        return [
            event_record(event, cards.get(event.profile_id), account.timezone, flags, shown.get(event.name))
            for event in page.events
        ]


class ExportStarted(msgspec.Struct, omit_defaults=True):
    """For the reference: the start of an export has `cursor`, a page has `records` and, unless it is the last,
    `next_cursor`.
    """

    status: str
    cursor: str | None = None
    next_cursor: str | None = None
    records: list[dict[str, Any]] | None = None
