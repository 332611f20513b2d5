"""Answers of commands that went through the log: who asked finds here what came of it."""

from __future__ import annotations

from typing import Any

import msgspec
import sqlalchemy as sa

from belfry.ids import AccountId
from belfry.pipeline.tables import heartbeats, operations
from belfry.storage.relational import Database, upsert


class Operation(msgspec.Struct, frozen=True):
    """One command's answer. outcome: `done`, or `refused` with `error` in the result."""

    operation_id: str
    kind: str
    outcome: str
    result: dict[str, Any]
    at_ms: int


class Operations:
    """Reads answers; each call names the account."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def result(self, account_id: AccountId, operation_id: str) -> Operation | None:
        """The answer, or None as long as the pipeline has not come to the command."""
        statement = sa.select(operations).where(
            operations.c.account_id == account_id, operations.c.operation_id == operation_id
        )
        with self._database.read() as connection:
            row = connection.execute(statement).first()
        if row is None:
            return None
        return Operation(row.operation_id, row.kind, row.outcome, row.result, row.at_ms)


def write_result(connection: sa.Connection, account_id: AccountId, answer: Operation) -> None:
    """Keep an answer, in the transaction of its effects. Writing it again changes nothing."""
    connection.execute(
        upsert(operations, connection).values(
            account_id=account_id,
            operation_id=answer.operation_id,
            kind=answer.kind,
            outcome=answer.outcome,
            result=answer.result,
            at_ms=answer.at_ms,
        )
    )


class Heartbeats:
    """When each process last said that it lives."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def beat(self, role: str, instance: str, at_ms: int) -> None:
        with self._database.begin() as connection:
            connection.execute(upsert(heartbeats, connection).values(role=role, instance=instance, at_ms=at_ms))

    def newest_ms(self, role: str) -> int | None:
        """The newest sign of life of any process of this role."""
        statement = sa.select(sa.func.max(heartbeats.c.at_ms)).where(heartbeats.c.role == role)
        with self._database.read() as connection:
            value: int | None = connection.execute(statement).scalar()
        return value
