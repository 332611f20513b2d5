"""Subscription groups: kinds of messages that users can leave one by one."""

from __future__ import annotations

from typing import Annotated

import msgspec
from litestar import Controller, get, patch, post
from litestar.params import FromQuery, JSONBody, PathParameter

from belfry.accounts.model import Scope
from belfry.edge.routes import Access
from belfry.management_api.bridge import Accepted, Uses, declared
from belfry.management_api.wire import Page
from belfry.subscription_groups.model import GroupChannel, SubscriptionGroup

READ = declared(Access((Scope.SETTINGS_READ,)))
WRITE = declared(Access((Scope.SETTINGS_WRITE,), repeats=True))
KeyPath = Annotated[int, PathParameter(ge=1, le=2**31 - 1, description="The group's key")]


class GroupDraft(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A group to make. name: what uploads will call it; it cannot be changed later."""

    name: str
    channels: list[GroupChannel]
    description: str = ""


class GroupChange(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What to change of a group; what is left out stays."""

    description: str | None = None
    channels: list[GroupChannel] | None = None


class GroupView(msgspec.Struct, frozen=True):
    """A group. Archived ones take none of the 50 slots; users keep their state in them."""

    key: int
    name: str
    description: str
    channels: list[str]
    is_archived: bool
    created_at_ms: int
    updated_at_ms: int


class SubscriptionGroupsController(Controller):
    """`/api/v1/subscription-groups`"""

    path = "/api/v1/subscription-groups"
    tags = ("settings",)

    @get(opt=READ, summary="Subscription groups, by key; all on one page")
    async def list_groups(
        self, accepted: Accepted, services: Uses, with_archived: FromQuery[bool] = False
    ) -> Page[GroupView]:
        groups = await services.lookups.run(
            services.subscription_groups.list_groups, accepted.account_id, with_archived=with_archived
        )
        return Page([_view(group) for group in groups])

    @post(
        opt=WRITE,
        summary="Make a subscription group",
        description="409 if 50 are active, or a group of this name exists or is archived.",
    )
    async def create(self, accepted: Accepted, services: Uses, data: JSONBody[GroupDraft]) -> GroupView:
        group = await services.lookups.run(
            services.subscription_groups.create,
            accepted.account_id,
            data.name,
            description=data.description,
            channels=data.channels,
        )
        return _view(group)

    @patch("/{key:int}", opt=WRITE, summary="Change a group's description or channels")
    async def change(self, accepted: Accepted, services: Uses, key: KeyPath, data: JSONBody[GroupChange]) -> GroupView:
        group = await services.lookups.run(
            services.subscription_groups.update,
            accepted.account_id,
            key,
            description=data.description,
            channels=data.channels,
        )
        return _view(group)

    @post("/{key:int}/archive", opt=WRITE, status_code=200, summary="Archive a group, which frees its slot")
    async def archive(self, accepted: Accepted, services: Uses, key: KeyPath) -> GroupView:
        return _view(await services.lookups.run(services.subscription_groups.archive, accepted.account_id, key))

    @post("/{key:int}/restore", opt=WRITE, status_code=200, summary="Make an archived group active again")
    async def restore(self, accepted: Accepted, services: Uses, key: KeyPath) -> GroupView:
        return _view(await services.lookups.run(services.subscription_groups.restore, accepted.account_id, key))


def _view(group: SubscriptionGroup) -> GroupView:
    return GroupView(
        key=group.key,
        name=group.name,
        description=group.description,
        channels=[channel.value for channel in group.channels],
        is_archived=not group.is_active,
        created_at_ms=group.created_at_ms,
        updated_at_ms=group.updated_at_ms,
    )
