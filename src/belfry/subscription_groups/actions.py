"""What one can do with subscription groups."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable

import msgspec
import sqlalchemy as sa
from sqlalchemy.exc import IntegrityError

from belfry.clock import Clock
from belfry.errors import Conflict, NotFound
from belfry.ids import AccountId
from belfry.storage.relational import Database
from belfry.subscription_groups import rules, store
from belfry.subscription_groups.model import GroupChannel, SubscriptionGroup

KEY_TRIES = 20
"""Two writers may pick the same key; the later one picks again."""


class SubscriptionGroups:
    """Subscription groups of every account."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock

    def create(
        self, account_id: AccountId, name: str, *, description: str = "", channels: Iterable[GroupChannel]
    ) -> SubscriptionGroup:
        """Make a group. Raises BadRequest, Conflict: 50 are active, or a group has or had this name."""
        now_ms = self._clock.now_ms()
        group = SubscriptionGroup(
            key=0,
            name=rules.checked_name(name),
            description=rules.checked_description(description),
            channels=rules.checked_channels(channels),
            created_at_ms=now_ms,
            updated_at_ms=now_ms,
        )
        for _ in range(KEY_TRIES):
            with contextlib.suppress(IntegrityError), self._database.begin() as connection:
                return self._insert(connection, account_id, group)
        raise Conflict("another group is being created at the same time; try again")

    def list_groups(self, account_id: AccountId, *, with_archived: bool = False) -> list[SubscriptionGroup]:
        """The account's groups, by key."""
        with self._database.read() as connection:
            groups = store.read_groups(connection, account_id)
        return [group for group in groups if with_archived or group.is_active]

    def update(
        self,
        account_id: AccountId,
        key: int,
        *,
        description: str | None = None,
        channels: Iterable[GroupChannel] | None = None,
    ) -> SubscriptionGroup:
        """Change description or channels; None keeps. The name stays: uploads and profiles know the group by it."""

        def change(group: SubscriptionGroup) -> SubscriptionGroup:
            return msgspec.structs.replace(
                group,
                description=group.description if description is None else rules.checked_description(description),
                channels=group.channels if channels is None else rules.checked_channels(channels),
            )

        return self._change(account_id, key, change)

    def archive(self, account_id: AccountId, key: int) -> SubscriptionGroup:
        """Free the group's slot. Twice does no harm. Raises NotFound."""

        def change(group: SubscriptionGroup) -> SubscriptionGroup:
            now_ms = self._clock.now_ms()
            return msgspec.structs.replace(group, archived_at_ms=now_ms) if group.is_active else group

        return self._change(account_id, key, change)

    def restore(self, account_id: AccountId, key: int) -> SubscriptionGroup:
        """Make an archived group active again. Raises NotFound, Conflict: 50 are active."""
        return self._change(account_id, key, lambda group: msgspec.structs.replace(group, archived_at_ms=None))

    def _insert(self, connection: sa.Connection, account_id: AccountId, group: SubscriptionGroup) -> SubscriptionGroup:
        groups = store.read_groups(connection, account_id)
        same = next((one for one in groups if one.name == group.name), None)
        if same is not None:
            state = "exists already" if same.is_active else "is archived; restore it"
            raise Conflict(f"a group named {group.name} {state}", field="name")
        _refuse_too_many(groups)
        numbered = msgspec.structs.replace(group, key=max((one.key for one in groups), default=0) + 1)
        store.insert_group(connection, account_id, numbered)
        return numbered

    def _change(
        self, account_id: AccountId, key: int, change: Callable[[SubscriptionGroup], SubscriptionGroup]
    ) -> SubscriptionGroup:
        with self._database.begin() as connection:
            before = store.read_group(connection, account_id, key)
            if before is None:
                raise NotFound(f"there is no subscription group {key}", field="key")
            after = change(before)
            if after == before:
                return before
            if after.is_active and not before.is_active:
                _refuse_too_many(store.read_groups(connection, account_id))
            after = msgspec.structs.replace(after, updated_at_ms=self._clock.now_ms())
            store.update_group(connection, account_id, after)
        return after


def _refuse_too_many(groups: list[SubscriptionGroup]) -> None:
    if len(groups) >= rules.ALL_MAX:
        raise Conflict(f"the account has {len(groups)} groups with the archived ones, the maximum", limit=rules.ALL_MAX)
    active_count = sum(group.is_active for group in groups)
    if active_count >= rules.ACTIVE_MAX:
        raise Conflict(
            f"the account has {active_count} active groups, the maximum; archive one first", limit=rules.ACTIVE_MAX
        )
