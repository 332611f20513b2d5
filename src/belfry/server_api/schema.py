"""`/getSchema`: the events and user properties of an account (server-api 10.1)."""

from __future__ import annotations

from typing import Any

import msgspec

from belfry.accounts.model import Scope
from belfry.edge.exchange import Answer, Request, json_answer
from belfry.edge.routes import Access, Document, Route
from belfry.edge.services import Services
from belfry.errors import BadRequest
from belfry.events.actions import SeenEvent, SeenProperty
from belfry.server_api.fields import Json, object_of

EVENTS, USER_PROPERTIES = "events", "userProperties"
ACTIVE = "Active"


class SchemaEndpoint:
    """Shows what an account has seen. By GET or POST; `type` stands in the query, with POST also in the body."""

    def __init__(self, services: Services) -> None:
        self._schemas = services.schemas
        self._threads = services.queries

    async def handle(self, request: Request) -> Answer:
        """Events, or user properties."""
        match _type_of(request):
            case "events":
                events = await self._threads.run(self._schemas.events, request.account_id)
                return json_answer({"status": "success", EVENTS: [_event(event) for event in events]})
            case "userProperties":
                found = await self._threads.run(self._schemas.profile_properties, request.account_id)
                return json_answer({"status": "success", USER_PROPERTIES: [_property(one) for one in found]})
            case other:
                shown = f", got {other[:40]}" if isinstance(other, str) and other else ""
                raise BadRequest(f"type needs to be {EVENTS} or {USER_PROPERTIES}{shown}", field="type")


def _type_of(request: Request) -> Json:
    wanted = request.parameters().get("type")
    if wanted is None and request.method == "POST":
        return object_of(request).get("type")
    return wanted


def _event(event: SeenEvent) -> dict[str, Json]:
    return {
        "name": event.name,
        "type": "System" if event.is_system else "Custom",
        "status": event.state.capitalize(),
        "eventCount": event.count,
        "description": "",
        "category": "",
        "defined": event.is_system,
        "properties": [_property(one) for one in event.properties],
    }


def _property(one: SeenProperty) -> dict[str, Json]:
    return {
        "name": one.name,
        "dataType": one.data_type,
        "status": ACTIVE,
        "description": "",
        "category": "",
        "defined": False,
        "required": False,
    }


def routes(services: Services) -> tuple[Route, ...]:
    """The path, by both methods."""
    endpoint = SchemaEndpoint(services)
    return tuple(
        Route(
            path="/getSchema",
            method=method,
            access=Access((Scope.SETTINGS_READ,)),
            handler=endpoint.handle,
            document=Document(
                summary="Events and user properties that were seen",
                description="Discarded events are listed too. `eventCount` counts what is stored now.",
                parameters={"type": "events or userProperties"},
                answer=Schema,
                tag="settings",
            ),
        )
        for method in ("GET", "POST")
    )


class Schema(msgspec.Struct, omit_defaults=True):
    """For the reference: one of the two lists, as `type` says."""

    status: str
    events: list[dict[str, Any]] | None = None
    userProperties: list[dict[str, Any]] | None = None  # noqa: N815 - the wire's name
