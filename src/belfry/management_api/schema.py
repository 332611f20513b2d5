"""The schema: events that were seen, discarding a name and restoring it."""

from __future__ import annotations

import msgspec
from litestar import Controller, get, post
from litestar.params import FromPath

from belfry.accounts.model import Scope
from belfry.edge.routes import Access
from belfry.events.actions import SeenEvent
from belfry.events.discards import Discard
from belfry.management_api.bridge import Accepted, Uses, declared
from belfry.management_api.wire import Page

WRITE = declared(Access((Scope.SETTINGS_WRITE,), repeats=True))


class EventView(msgspec.Struct, frozen=True):
    """An event name that was seen. state: active or discarded; properties: name → type."""

    name: str
    is_system: bool
    state: str
    count: int
    first_seen_ms: int
    last_seen_ms: int
    properties: dict[str, str]


class DiscardView(msgspec.Struct, frozen=True):
    """From when to when a name is discarded. name: without case and spaces; restored_at_ms null: it still is."""

    name: str
    discarded_at_ms: int
    restored_at_ms: int | None


class SchemaController(Controller):
    """`/api/v1/schema/events`"""

    path = "/api/v1/schema/events"
    tags = ("settings",)

    @get(opt=declared(Access((Scope.SETTINGS_READ,))), summary="Events that were seen, by name; all on one page")
    async def list_events(self, accepted: Accepted, services: Uses) -> Page[EventView]:
        events = await services.queries.run(services.schemas.events, accepted.account_id)
        return Page([_event(event) for event in events])

    @post(
        "/{name:str}/discard",
        opt=WRITE,
        status_code=200,
        summary="Refuse further events of this name (code 528)",
        description=(
            "Known to every process within a second; what arrived in that second goes to the error stream. What is "
            "stored stays stored. 409 for events of the system, and within 24 hours of a restore."
        ),
    )
    async def discard(self, accepted: Accepted, services: Uses, name: FromPath[str]) -> DiscardView:
        return _view(await services.lookups.run(services.discards.discard, accepted.account_id, name))

    @post(
        "/{name:str}/restore",
        opt=WRITE,
        status_code=200,
        summary="Accept events of this name again",
        description="409 within 24 hours of the discard.",
    )
    async def restore(self, accepted: Accepted, services: Uses, name: FromPath[str]) -> DiscardView:
        return _view(await services.lookups.run(services.discards.restore, accepted.account_id, name))


def _event(event: SeenEvent) -> EventView:
    return EventView(
        name=event.name,
        is_system=event.is_system,
        state=event.state,
        count=event.count,
        first_seen_ms=event.first_seen_ms,
        last_seen_ms=event.last_seen_ms,
        properties={one.name: one.data_type for one in event.properties},
    )


def _view(discard: Discard) -> DiscardView:
    return DiscardView(discard.name, discard.discarded_at_ms, discard.restored_at_ms)
