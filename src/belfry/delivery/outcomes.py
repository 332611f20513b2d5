"""From the outcome of one call to the results of the messages in it. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from belfry.delivery.model import Attempt, MessageState, OutboxRow, Outcome, Reason, Result
from belfry.delivery.prepare import Ready
from belfry.delivery.retries import after


def concluded(
    ready: Ready,
    outcome: Outcome,
    *,
    refusal: Reason | None = None,
    delays_s: Sequence[float],
    sent_at_ms: int,
    now_ms: int,
) -> list[Result]:
    """What a call's outcome means for each of its messages: all of them share it.

    refusal  the reason, if it was our own client that refused to make the call
    """
    tries_count = ready.attempts_count + 1
    verdict = after(outcome, tries_count=tries_count, delays_s=delays_s, key=ready.rows[0].message_id, now_ms=now_ms)
    if outcome.failure is None:
        return [Result(row, verdict.state, tries_count, status=outcome.status) for row in ready.rows]
    attempt = Attempt(tries_count, sent_at_ms, outcome.status, outcome.failure, outcome.detail)
    return [
        Result(
            row,
            verdict.state,
            tries_count,
            refusal or verdict.reason,
            outcome.detail,
            outcome.status,
            verdict.due_at_ms,
            attempt,
        )
        for row in ready.rows
    ]


def given_back(rows: Sequence[OutboxRow]) -> list[Result]:
    """The claims were not used."""
    return [Result(row, MessageState.QUEUED, row.attempts_count) for row in rows]


def put_off(rows: Sequence[OutboxRow], *, until_ms: int, is_down: bool) -> list[Result]:
    """The provider is not to be called now: its circuit is open, or it has had its share. That is nobody's attempt."""
    reason = Reason.PROVIDER_DOWN if is_down else Reason.RATE_LIMITED
    return [Result(row, MessageState.QUEUED, row.attempts_count, reason, due_at_ms=until_ms) for row in rows]


def stopped(rows: Sequence[OutboxRow]) -> list[Result]:
    """The campaign was stopped between claim and send."""
    return [Result(row, MessageState.SKIPPED, row.attempts_count, Reason.CAMPAIGN_STOPPED) for row in rows]
