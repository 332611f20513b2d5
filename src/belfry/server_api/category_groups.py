"""`GET /category-groups`: subscription groups under the wire's name for them (server-api 10.4)."""

from __future__ import annotations

import msgspec

from belfry.accounts.model import Scope
from belfry.edge.exchange import Answer, Request, json_answer
from belfry.edge.routes import Access, Document, Route
from belfry.edge.services import Services
from belfry.server_api.fields import Json
from belfry.subscription_groups.model import GroupChannel, SubscriptionGroup

SHOWN_AS = {
    GroupChannel.EMAIL: "Email",
    GroupChannel.SMS: "SMS",
    GroupChannel.PUSH: "Push",
    GroupChannel.WEBPUSH: "Web Push",
    GroupChannel.WHATSAPP: "WhatsApp",
}


class CategoryGroupEndpoint:
    """Lists the account's active groups."""

    def __init__(self, services: Services) -> None:
        self._groups = services.subscription_groups
        self._threads = services.lookups

    async def list_groups(self, request: Request) -> Answer:
        """All active groups, by key."""
        groups = await self._threads.run(self._groups.list_groups, request.account_id)
        return json_answer({"list": [_shown(group) for group in groups], "status": "success"})


def _shown(group: SubscriptionGroup) -> dict[str, Json]:
    return {
        "name": group.name,
        "key": group.key,
        "description": group.description,
        "channels": [SHOWN_AS[channel] for channel in group.channels],
        "updated_on": group.updated_at_ms // 1000,
        "created_on": group.created_at_ms // 1000,
    }


def routes(services: Services) -> tuple[Route, ...]:
    """The one route."""
    return (
        Route(
            path="/category-groups",
            method="GET",
            access=Access((Scope.SETTINGS_READ,)),
            handler=CategoryGroupEndpoint(services).list_groups,
            document=Document(
                summary="Subscription groups",
                description="Active ones. Users leave them with `category-unsubscribe` in an upload.",
                answer=CategoryGroups,
                tag="settings",
            ),
        ),
    )


class CategoryGroup(msgspec.Struct):
    """For the reference: a group. Times are epoch seconds."""

    name: str
    key: int
    description: str
    channels: list[str]
    updated_on: int
    created_on: int


class CategoryGroups(msgspec.Struct):
    """For the reference: all active groups."""

    groups: list[CategoryGroup] = msgspec.field(name="list")
    status: str
