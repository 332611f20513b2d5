"""All SQL of imports. The account comes first; only the worker looks across accounts, for what is to be done."""

from __future__ import annotations

from typing import Any

import msgspec
import sqlalchemy as sa

from belfry.ids import AccountId
from belfry.imports.model import FINAL, WORKING, ImportJob, ImportState
from belfry.imports.tables import import_jobs

_COLUMNS = import_jobs.c


def insert(connection: sa.Connection, job: ImportJob) -> None:
    connection.execute(import_jobs.insert().values(**_row(job)))


def read(connection: sa.Connection, account_id: AccountId, import_id: str) -> ImportJob | None:
    return _job(connection.execute(sa.select(import_jobs).where(*_key(account_id, import_id))).mappings().first())


def list_newest(connection: sa.Connection, account_id: AccountId, *, limit: int) -> list[ImportJob]:
    """The newest imports first."""
    statement = sa.select(import_jobs).where(_COLUMNS.account_id == account_id)
    statement = statement.order_by(_COLUMNS.created_at_ms.desc(), _COLUMNS.import_id).limit(limit)
    return [job for row in connection.execute(statement).mappings() if (job := _job(row)) is not None]


def open_count(connection: sa.Connection, account_id: AccountId) -> int:
    """How many imports of the account are not finished."""
    condition = (_COLUMNS.account_id == account_id, _COLUMNS.state.not_in(FINAL))
    count: int = connection.execute(sa.select(sa.func.count()).select_from(import_jobs).where(*condition)).scalar_one()
    return count


def change(
    connection: sa.Connection, account_id: AccountId, import_id: str, expected: ImportState, **values: Any
) -> bool:
    """Write columns of a job that is still in the expected state; whether it was."""
    condition = (*_key(account_id, import_id), _COLUMNS.state == expected)
    plain = {name: msgspec.to_builtins(value) for name, value in values.items()}
    return connection.execute(import_jobs.update().where(*condition).values(**plain)).rowcount == 1


def next_working(connection: sa.Connection) -> ImportJob | None:
    """The oldest job of any account that the worker has to go on with."""
    statement = sa.select(import_jobs).where(_COLUMNS.state.in_(WORKING))
    return _job(
        connection.execute(statement.order_by(_COLUMNS.changed_at_ms, _COLUMNS.import_id).limit(1)).mappings().first()
    )


def expired(connection: sa.Connection, *, changed_before_ms: int, limit: int) -> list[ImportJob]:
    """Jobs of any account that nobody touched since; those that the worker has in hand are not among them."""
    condition = (_COLUMNS.state.not_in(WORKING), _COLUMNS.changed_at_ms < changed_before_ms)
    rows = connection.execute(sa.select(import_jobs).where(*condition).limit(limit)).mappings()
    return [job for row in rows if (job := _job(row)) is not None]


def delete(connection: sa.Connection, account_id: AccountId, import_id: str) -> None:
    connection.execute(import_jobs.delete().where(*_key(account_id, import_id)))


def _key(account_id: AccountId, import_id: str) -> tuple[sa.ColumnElement[bool], sa.ColumnElement[bool]]:
    return _COLUMNS.account_id == account_id, _COLUMNS.import_id == import_id


def _row(job: ImportJob) -> dict[str, Any]:
    row: dict[str, Any] = msgspec.to_builtins(job)
    return row


def _job(row: sa.RowMapping | None) -> ImportJob | None:
    if row is None:
        return None
    # Names of columns are a subclass of str that msgspec does not take for one.
    return msgspec.convert({str(name): value for name, value in row.items()}, ImportJob)
