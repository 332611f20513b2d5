"""All SQL of subscription groups."""

from __future__ import annotations

from typing import Any

import msgspec
import sqlalchemy as sa

from belfry.ids import AccountId
from belfry.subscription_groups.model import GroupChannel, SubscriptionGroup
from belfry.subscription_groups.tables import subscription_groups as table


def insert_group(connection: sa.Connection, account_id: AccountId, group: SubscriptionGroup) -> None:
    """Raises sqlalchemy's IntegrityError if key or name was taken meanwhile."""
    connection.execute(table.insert().values(account_id=account_id, **msgspec.structs.asdict(group)))


def read_groups(connection: sa.Connection, account_id: AccountId) -> list[SubscriptionGroup]:
    """All groups of an account, archived ones too, by key."""
    statement = sa.select(table).where(table.c.account_id == account_id).order_by(table.c.key)
    return [_group(row) for row in connection.execute(statement)]


def read_group(connection: sa.Connection, account_id: AccountId, key: int) -> SubscriptionGroup | None:
    statement = sa.select(table).where(table.c.account_id == account_id, table.c.key == key)
    row = connection.execute(statement).one_or_none()
    return None if row is None else _group(row)


def update_group(connection: sa.Connection, account_id: AccountId, group: SubscriptionGroup) -> None:
    """Write what may change of a group that exists."""
    connection.execute(
        table.update()
        .where(table.c.account_id == account_id, table.c.key == group.key)
        .values(
            description=group.description,
            channels=group.channels,
            updated_at_ms=group.updated_at_ms,
            archived_at_ms=group.archived_at_ms,
        )
    )


def _group(row: sa.Row[Any]) -> SubscriptionGroup:
    return SubscriptionGroup(
        key=row.key,
        name=row.name,
        description=row.description,
        channels=tuple(GroupChannel(channel) for channel in row.channels),
        created_at_ms=row.created_at_ms,
        updated_at_ms=row.updated_at_ms,
        archived_at_ms=row.archived_at_ms,
    )
