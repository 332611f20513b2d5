"""All SQL of lists."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec
import sqlalchemy as sa

from belfry.ids import AccountId, SegmentId
from belfry.lists.model import ListKind, StoredList
from belfry.lists.tables import lists
from belfry.storage.relational import chunks


def insert(connection: sa.Connection, stored: StoredList) -> None:
    connection.execute(lists.insert().values(**msgspec.structs.asdict(stored)))


def by_name(connection: sa.Connection, account_id: AccountId, name: str) -> StoredList | None:
    return _one(connection, lists.c.account_id == account_id, lists.c.name == name)


def by_id(connection: sa.Connection, account_id: AccountId, segment_id: int) -> StoredList | None:
    return _one(connection, *_is(account_id, segment_id))


def by_ids(connection: sa.Connection, account_id: AccountId, segment_ids: Sequence[int]) -> list[StoredList]:
    return _among(connection, account_id, lists.c.segment_id, segment_ids)


def by_external_ids(connection: sa.Connection, account_id: AccountId, external_ids: Sequence[str]) -> list[StoredList]:
    return _among(connection, account_id, lists.c.external_id, external_ids)


def delete(connection: sa.Connection, account_id: AccountId, segment_id: int) -> None:
    connection.execute(lists.delete().where(*_is(account_id, segment_id)))


def issue_version(connection: sa.Connection, stored: StoredList, now_ms: int) -> int:
    """A number for one more upload of a list."""
    connection.execute(
        lists.update()
        .where(*_is(stored.account_id, stored.segment_id))
        .values(version_issued=lists.c.version_issued + 1, updated_at_ms=now_ms)
    )
    found = sa.select(lists.c.version_issued).where(*_is(stored.account_id, stored.segment_id))
    return int(connection.execute(found).scalar_one())


def switch(
    connection: sa.Connection, account_id: AccountId, segment_id: int, version: int, members_count: int, *, now_ms: int
) -> bool:
    """Let a version hold; False if a later one does already, or the list is gone."""
    statement = (
        lists.update()
        .where(*_is(account_id, segment_id), lists.c.version < version)
        .values(version=version, members_count=members_count, updated_at_ms=now_ms)
    )
    return connection.execute(statement).rowcount == 1


def _is(account_id: AccountId, segment_id: int) -> tuple[sa.ColumnElement[bool], ...]:
    return lists.c.account_id == account_id, lists.c.segment_id == segment_id


def _one(connection: sa.Connection, *where: sa.ColumnElement[bool]) -> StoredList | None:
    row = connection.execute(sa.select(lists).where(*where)).one_or_none()
    return None if row is None else _stored(row)


def _among(
    connection: sa.Connection, account_id: AccountId, column: sa.Column[Any], keys: Sequence[Any]
) -> list[StoredList]:
    found = []
    for part in chunks(keys):
        statement = sa.select(lists).where(lists.c.account_id == account_id, column.in_(part))
        found += [_stored(row) for row in connection.execute(statement)]
    return found


def _stored(row: sa.Row[Any]) -> StoredList:
    return StoredList(
        account_id=AccountId(row.account_id),
        segment_id=SegmentId(row.segment_id),
        kind=ListKind(row.kind),
        name=row.name,
        external_id=row.external_id,
        version=row.version,
        version_issued=row.version_issued,
        members_count=row.members_count,
        creator=row.creator,
        email=row.email,
        created_at_ms=row.created_at_ms,
        updated_at_ms=row.updated_at_ms,
    )
