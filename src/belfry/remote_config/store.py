"""All SQL of remote config."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec
import sqlalchemy as sa

from belfry.ids import AccountId
from belfry.remote_config.model import Definition, Variable
from belfry.remote_config.tables import remote_config_variables as table
from belfry.storage.relational import chunks, upsert


def read_variables(connection: sa.Connection, account_id: AccountId) -> list[Variable]:
    """All variables of an account, by name."""
    statement = sa.select(table).where(table.c.account_id == account_id).order_by(table.c.name)
    return [_variable(row) for row in connection.execute(statement)]


def put_draft(connection: sa.Connection, account_id: AccountId, name: str, definition: Definition, at_ms: int) -> None:
    """Keep a draft in place of the one that waits; what is published stays."""
    statement = upsert(table, connection, update=("draft", "updated_at_ms"))
    connection.execute(statement.values(account_id=account_id, name=name, draft=definition, updated_at_ms=at_ms))


def publish(connection: sa.Connection, account_id: AccountId, at_ms: int) -> int:
    """Make all drafts of an account take effect; how many there were."""
    changed = connection.execute(
        table.update()
        .where(table.c.account_id == account_id, table.c.draft.is_not(None))
        .values(published=table.c.draft, draft=None, updated_at_ms=at_ms)
    )
    return changed.rowcount


def delete_variables(connection: sa.Connection, account_id: AccountId, names: Sequence[str] | None) -> None:
    """Remove variables by name; None: all of the account."""
    if names is None:
        connection.execute(table.delete().where(table.c.account_id == account_id))
        return
    for some in chunks(names):
        connection.execute(table.delete().where(table.c.account_id == account_id, table.c.name.in_(some)))


def _variable(row: sa.Row[Any]) -> Variable:
    return Variable(
        name=row.name,
        draft=_definition(row.draft),
        published=_definition(row.published),
        updated_at_ms=row.updated_at_ms,
    )


def _definition(value: Any) -> Definition | None:
    return None if value is None else msgspec.convert(value, Definition)
