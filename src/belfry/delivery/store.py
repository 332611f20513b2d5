"""All SQL that moves messages: enqueue, claim, note, give back, cancel. Looking back at them is `history.py`.

Every statement that changes a state names the old one, so that two processes cannot both win. Transactions hold some
hundred rows and nothing else: on SQLite the pipeline waits for the same lock.
"""

from __future__ import annotations

import hashlib
import itertools
from collections.abc import Collection, Sequence

import sqlalchemy as sa

from belfry.clock import Clock
from belfry.delivery.liveness import living
from belfry.delivery.model import (
    CLAIMABLE,
    DETAIL_BYTES_MAX,
    OPEN,
    Attempt,
    Call,
    MessageState,
    OutboxRow,
    Reason,
    Result,
    RunKey,
    check_move,
)
from belfry.delivery.tables import attempts, outbox
from belfry.ids import AccountId, MessageId, ProfileId
from belfry.storage.relational import Database, bulk, chunks, upsert

CHUNK_ROWS = 2_000
"""Rows that one transaction moves when a whole run is moved."""

_ROW_COLUMNS = (
    outbox.c.account_id,
    outbox.c.message_id,
    outbox.c.profile_id,
    outbox.c.call_id,
    outbox.c.attempts_count,
    outbox.c.created_at_ms,
)


class Outbox:
    """The messages of every account; each call names one, or rows that do."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock

    def enqueue(
        self, connection: sa.Connection, run: RunKey, messages: Sequence[tuple[MessageId, ProfileId, int]]
    ) -> int:
        """Add messages, given as (message, user, call), in the caller's transaction; returns how many are new.

        A second row for a message is refused without a word: it is the same message.
        """
        now_ms = self._clock.now_ms()
        same = {
            **_key(run),
            "state": MessageState.QUEUED.value,
            "attempts_count": 0,
            "due_at_ms": now_ms,
            "created_at_ms": now_ms,
            "updated_at_ms": now_ms,
        }
        rows = [{"message_id": m, "profile_id": p, "call_id": c, **same} for m, p, c in messages]
        return bulk(connection, upsert(outbox, connection, update=()), rows)

    def claim(self, run: RunKey, worker_id: str, rows_max: int) -> list[Call]:
        """Take calls of a run that are due, whole calls only, at most about `rows_max` messages."""
        now_ms = self._clock.now_ms()
        with self._database.begin() as connection:
            _take_turn(connection, run)
            rows: list[OutboxRow] = []
            for state in CLAIMABLE:
                due = _due(connection, run, state, rows_max=rows_max - len(rows), now_ms=now_ms)
                rows += _won(connection, due, state, worker_id, now_ms)
        rows.sort(key=lambda row: (row.call_id, row.message_id))
        return [Call(call_id, tuple(call)) for call_id, call in itertools.groupby(rows, lambda row: row.call_id)]

    def note(self, worker_id: str, results: Sequence[Result]) -> None:
        """Write what became of claimed messages. Rows that this worker no longer holds stay as they are."""
        now_ms = self._clock.now_ms()
        with self._database.begin() as connection:
            bulk(connection, _NOTE, [_noted(result, worker_id, now_ms) for result in results])
            tried = [_tried(result.row, result.attempt) for result in results if result.attempt is not None]
            bulk(connection, upsert(attempts, connection), tried)

    def give_back(self, worker_id: str, rows: Sequence[OutboxRow]) -> None:
        """Return claims that were not used: the messages are queued as before."""
        self.note(worker_id, [Result(row, MessageState.QUEUED, row.attempts_count) for row in rows])

    def give_back_orphans(self) -> int:
        """Return the claims of workers that are no more; returns how many.

        Whether such a message was taken is not known: it is sent again under the same id (partner integrations 0.6).
        """
        with self._database.begin() as connection:
            moved = connection.execute(
                sa.update(outbox)
                .where(outbox.c.claimed_by.is_not(None), outbox.c.claimed_by.not_in(living()))
                .where(outbox.c.state == MessageState.SENDING)
                .values(state=MessageState.QUEUED, claimed_by=None, updated_at_ms=self._clock.now_ms())
            )
            return moved.rowcount

    def cancel(self, run: RunKey) -> int:
        """Empty the queue of a run that was stopped; returns how many messages will not leave."""
        return self._move_waiting(run, CLAIMABLE, MessageState.CANCELLED, Reason.CAMPAIGN_STOPPED)

    def refuse(self, run: RunKey) -> int:
        """Skip every message of a run that is over its safety limit; returns how many."""
        return self._move_waiting(run, (MessageState.QUEUED,), MessageState.SKIPPED, Reason.SAFETY_LIMIT)

    def clear(self, run: RunKey) -> None:
        """Remove the rows of a run whose preparation did not come to its end; none of them was ever sent."""
        ids = sa.select(outbox.c.message_id).where(*_in_run(run)).limit(CHUNK_ROWS)
        while True:
            with self._database.begin() as connection:
                gone = connection.execute(
                    sa.delete(outbox).where(outbox.c.account_id == run.account_id, outbox.c.message_id.in_(ids))
                )
            if gone.rowcount == 0:
                return

    def replay(
        self,
        connection: sa.Connection,
        run: RunKey,
        message_ids: Sequence[MessageId],
        *,
        failed_since_ms: int,
    ) -> int:
        """Queue dead letters of a run again, with the same ids, in the caller's transaction; returns how many.

        Those that failed before `failed_since_ms`, and messages in other states, stay as they are.
        """
        now_ms = self._clock.now_ms()
        count = 0
        for some in chunks(message_ids):
            moved = connection.execute(
                sa.update(outbox)
                .where(*_in_run(run, MessageState.FAILED), outbox.c.message_id.in_(some))
                .where(outbox.c.updated_at_ms >= failed_since_ms)
                .values(
                    state=MessageState.QUEUED,
                    reason=None,
                    detail=None,
                    attempts_count=0,
                    due_at_ms=now_ms,
                    updated_at_ms=now_ms,
                )
            )
            count += moved.rowcount
        return count

    def is_over(self, run: RunKey) -> bool:
        """Whether nothing of a run is still to come."""
        statement = sa.select(outbox.c.message_id).where(*_in_run(run), outbox.c.state.in_(OPEN)).limit(1)
        with self._database.read() as connection:
            return connection.execute(statement).first() is None

    def next_due_at_ms(self, run: RunKey) -> int | None:
        """When the next waiting message of a run is due; None if none waits."""
        with self._database.read() as connection:
            due = [
                connection.scalar(sa.select(sa.func.min(outbox.c.due_at_ms)).where(*_in_run(run, state)))
                for state in CLAIMABLE
            ]
        return min((at_ms for at_ms in due if at_ms is not None), default=None)

    def states(self, account_id: AccountId, message_ids: Collection[MessageId]) -> dict[MessageId, MessageState]:
        """The states of those messages that have a row."""
        found: dict[MessageId, MessageState] = {}
        with self._database.read() as connection:
            for some in chunks(list(message_ids)):
                statement = sa.select(outbox.c.message_id, outbox.c.state).where(
                    outbox.c.account_id == account_id, outbox.c.message_id.in_(some)
                )
                found.update((MessageId(row[0]), MessageState(row[1])) for row in connection.execute(statement))
        return found

    def _move_waiting(self, run: RunKey, states: Sequence[MessageState], to: MessageState, reason: Reason) -> int:
        for state in states:
            check_move(state, to)
        ids = sa.select(outbox.c.message_id).where(*_in_run(run), outbox.c.state.in_(states)).limit(CHUNK_ROWS)
        statement = (
            sa.update(outbox)
            .where(outbox.c.account_id == run.account_id, outbox.c.message_id.in_(ids), outbox.c.state.in_(states))
            .values(state=to, reason=reason, updated_at_ms=self._clock.now_ms())
        )
        total = 0
        while True:
            with self._database.begin() as connection:
                _take_turn(connection, run)
                moved_count = connection.execute(statement).rowcount
            total += moved_count
            if moved_count == 0:
                return total


_NOTE = (
    sa.update(outbox)
    .where(outbox.c.account_id == sa.bindparam("of_account"), outbox.c.message_id == sa.bindparam("of_message"))
    .where(outbox.c.claimed_by == sa.bindparam("held_by"), outbox.c.state == sa.literal_column("'sending'"))
    .values(
        state=sa.bindparam("to_state"),
        reason=sa.bindparam("for_reason"),
        detail=sa.bindparam("in_words"),
        status=sa.bindparam("with_status"),
        attempts_count=sa.bindparam("after_attempts"),
        due_at_ms=sa.func.coalesce(sa.bindparam("due_again_ms", type_=sa.BigInteger), outbox.c.due_at_ms),
        claimed_by=sa.null(),
        updated_at_ms=sa.bindparam("at_ms"),
    )
)


def _noted(result: Result, worker_id: str, now_ms: int) -> dict[str, object]:
    check_move(MessageState.SENDING, result.state)
    return {
        "of_account": result.row.account_id,
        "of_message": result.row.message_id,
        "held_by": worker_id,
        "to_state": result.state.value,
        "for_reason": None if result.reason is None else result.reason.value,
        "in_words": cut(result.detail) or None,
        "with_status": result.status,
        "after_attempts": result.attempts_count,
        "due_again_ms": result.due_at_ms,
        "at_ms": now_ms,
    }


def _tried(row: OutboxRow, attempt: Attempt) -> dict[str, object]:
    return {
        "account_id": row.account_id,
        "message_id": row.message_id,
        "at_ms": attempt.at_ms,
        "attempt": attempt.attempt,
        "status": attempt.status,
        "failure": attempt.failure.value,
        "detail": cut(attempt.detail),
    }


def cut(text: str) -> str:
    """At most 1 KiB of the text, without what a text column cannot hold: what providers answer is anything."""
    clean = text.replace("\x00", "\ufffd").encode("utf-8", "replace")
    return clean[:DETAIL_BYTES_MAX].decode("utf-8", "ignore")


def _due(connection: sa.Connection, run: RunKey, state: MessageState, *, rows_max: int, now_ms: int) -> list[OutboxRow]:
    """Messages of a run that may be claimed, whole calls only: one more call than `rows_max` rather than none."""
    if rows_max <= 0:
        return []
    statement = (
        sa.select(*_ROW_COLUMNS)
        .where(*_in_run(run, state), outbox.c.due_at_ms <= now_ms)
        .order_by(outbox.c.due_at_ms, outbox.c.call_id)
    )
    rows = [OutboxRow(*row) for row in connection.execute(statement.limit(rows_max + 1))]
    if len(rows) <= rows_max:
        return rows
    # The last call may have been cut; rows of a call stand together.
    whole = [row for row in rows if row.call_id != rows[-1].call_id]
    first_call = statement.where(outbox.c.call_id == rows[0].call_id)
    return whole or [OutboxRow(*row) for row in connection.execute(first_call)]


def _won(
    connection: sa.Connection, rows: Sequence[OutboxRow], state: MessageState, worker_id: str, now_ms: int
) -> list[OutboxRow]:
    """Mark messages of one account as claimed; returns those that were still in the state they were found in."""
    won: set[MessageId] = set()
    for some in chunks(rows):
        ids = [row.message_id for row in some]
        statement = (
            sa.update(outbox)
            .where(outbox.c.account_id == some[0].account_id, outbox.c.message_id.in_(ids), outbox.c.state == state)
            .values(state=MessageState.SENDING, claimed_by=worker_id, updated_at_ms=now_ms)
            .returning(outbox.c.message_id)
        )
        won.update(connection.scalars(statement))
    return [row for row in rows if row.message_id in won]


def _key(run: RunKey) -> dict[str, object]:
    return {"account_id": run.account_id, "campaign_id": run.campaign_id, "run_id": run.run_id}


def _in_run(run: RunKey, state: MessageState | None = None) -> list[sa.ColumnElement[bool]]:
    clauses = [
        outbox.c.account_id == run.account_id,
        outbox.c.campaign_id == run.campaign_id,
        outbox.c.run_id == run.run_id,
    ]
    return clauses if state is None else [*clauses, outbox.c.state == state]


def _take_turn(connection: sa.Connection, run: RunKey) -> None:
    """On PostgreSQL, let the processes that take rows of a run do so one after another.

    They would take the same rows in different order and deadlock. On SQLite there is one writer anyway.
    """
    if connection.dialect.name == "postgresql":
        digest = hashlib.blake2b(f"{run.account_id}/{run.campaign_id}/{run.run_id}".encode(), digest_size=8).digest()
        connection.execute(sa.select(sa.func.pg_advisory_xact_lock(int.from_bytes(digest, "big", signed=True))))
