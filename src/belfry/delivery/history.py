"""Looking back at messages: counts, dead letters, and the trail of one message. Reads only."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec
import sqlalchemy as sa

from belfry.delivery.model import Attempt, MessageState, Reason, RunKey, SendFailure
from belfry.delivery.tables import attempts, outbox
from belfry.ids import AccountId, CampaignId, MessageId, ProfileId
from belfry.storage.relational import Database

REPLAY_DAYS = 7
REPLAY_MS = REPLAY_DAYS * 86_400_000


class StateCount(msgspec.Struct, frozen=True):
    """How many messages of a run are in one state for one reason.

    attempts_count  requests in which they were sent, all together, counting each message
    retried_count   those of them that took more than one
    """

    state: MessageState
    reason: Reason | None
    count: int
    attempts_count: int
    retried_count: int


class MessageView(msgspec.Struct, frozen=True):
    """One message as it stands."""

    message_id: MessageId
    campaign_id: CampaignId
    run_id: int
    profile_id: ProfileId
    call_id: int
    state: MessageState
    reason: Reason | None
    detail: str
    status: int | None
    attempts_count: int
    due_at_ms: int
    created_at_ms: int
    updated_at_ms: int


class History:
    """What became of messages. Every call names the account."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def counts(self, run: RunKey) -> list[StateCount]:
        """Every message of the run, counted once."""
        statement = (
            sa.select(
                outbox.c.state,
                outbox.c.reason,
                sa.func.count(),
                sa.func.sum(outbox.c.attempts_count),
                sa.func.sum(sa.case((outbox.c.attempts_count > 1, 1), else_=0)),
            )
            .where(outbox.c.account_id == run.account_id)
            .where(outbox.c.campaign_id == run.campaign_id, outbox.c.run_id == run.run_id)
            .group_by(outbox.c.state, outbox.c.reason)
        )
        with self._database.read() as connection:
            return [
                StateCount(MessageState(state), _reason(reason), int(count), int(tries), int(retried))
                for state, reason, count, tries, retried in connection.execute(statement)
            ]

    def message(self, account_id: AccountId, message_id: MessageId) -> MessageView | None:
        """One message; None if the account has none of this id."""
        statement = sa.select(*_VIEW).where(outbox.c.account_id == account_id, outbox.c.message_id == message_id)
        with self._database.read() as connection:
            row = connection.execute(statement).first()
        return None if row is None else _view(row)

    def failed_attempts(self, account_id: AccountId, message_id: MessageId) -> list[Attempt]:
        """The tries that were not taken, in the order of time."""
        statement = (
            sa.select(attempts.c.attempt, attempts.c.at_ms, attempts.c.status, attempts.c.failure, attempts.c.detail)
            .where(attempts.c.account_id == account_id, attempts.c.message_id == message_id)
            .order_by(attempts.c.at_ms, attempts.c.attempt)
        )
        with self._database.read() as connection:
            return [
                Attempt(attempt, at_ms, status, SendFailure(failure), detail)
                for attempt, at_ms, status, failure, detail in connection.execute(statement)
            ]

    def dead_letters(self, run: RunKey, *, after: str = "", limit: int = 100) -> list[MessageView]:
        """Messages that failed for good, in the order of their ids, following the id `after`."""
        statement = (
            sa.select(*_VIEW)
            .where(outbox.c.account_id == run.account_id)
            .where(outbox.c.campaign_id == run.campaign_id, outbox.c.run_id == run.run_id)
            .where(outbox.c.state == MessageState.FAILED, outbox.c.message_id > after)
            .order_by(outbox.c.message_id)
            .limit(limit)
        )
        with self._database.read() as connection:
            return [_view(row) for row in connection.execute(statement)]


_VIEW = tuple(outbox.c[name] for name in MessageView.__struct_fields__)


def _view(row: Sequence[Any]) -> MessageView:
    values = dict(zip(MessageView.__struct_fields__, row, strict=True))
    values["detail"] = values["detail"] or ""
    return msgspec.convert(values, MessageView)


def _reason(code: str | None) -> Reason | None:
    return None if code is None else Reason(code)
