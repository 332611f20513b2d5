"""Answers of the management API by Idempotency-Key, kept in the relational store.

Uploads do not come here: theirs are in the log, durable together with what they did.
"""

from __future__ import annotations

import sqlalchemy as sa

from belfry.clock import Clock
from belfry.edge.idempotency import Remembered
from belfry.edge.tables import idempotent_answers
from belfry.ids import AccountId
from belfry.storage.relational import Database, upsert

HOUR_MS = 3_600_000


class RememberedAnswers:
    """The first successful answer to each key, for `hours`."""

    def __init__(self, database: Database, clock: Clock, *, hours: int) -> None:
        self._database = database
        self._clock = clock
        self._window_ms = hours * HOUR_MS

    def recall(self, account_id: AccountId, key: str) -> Remembered | None:
        """The answer given to this key within the window."""
        table = idempotent_answers
        statement = sa.select(table).where(
            table.c.account_id == account_id, table.c.key == key, table.c.at_ms > self._oldest_ms()
        )
        with self._database.read() as connection:
            row = connection.execute(statement).first()
        return None if row is None else Remembered(row.fingerprint, row.status, row.body)

    def remember(self, account_id: AccountId, key: str, answer: Remembered) -> None:
        """Keep an answer, and forget what this account's window has left behind."""
        table = idempotent_answers
        with self._database.begin() as connection:
            connection.execute(
                table.delete().where(table.c.account_id == account_id, table.c.at_ms <= self._oldest_ms())
            )
            connection.execute(
                upsert(table, connection, update=()).values(
                    account_id=account_id,
                    key=key,
                    fingerprint=answer.fingerprint,
                    status=answer.status,
                    body=answer.body,
                    at_ms=self._clock.now_ms(),
                )
            )

    def _oldest_ms(self) -> int:
        return self._clock.now_ms() - self._window_ms
