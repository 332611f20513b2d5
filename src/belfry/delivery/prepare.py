"""From claimed calls to requests: load the users, check, render. Blocks; runs in a thread."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import msgspec

from belfry.clock import Clock
from belfry.connectors.webhook import CallTooLarge
from belfry.content.errors import RenderFailure
from belfry.delivery import checks
from belfry.delivery.model import (
    Audience,
    Call,
    MessageState,
    OutboundRequest,
    OutboxRow,
    Plan,
    ProfileView,
    Reason,
    Result,
)
from belfry.delivery.store import Outbox
from belfry.delivery.twins import Twins, is_duplicate, must_wait
from belfry.ids import ProfileId

HOLD_MS = 2_000
"""How long a message waits for another one to the same user whose outcome is not known yet."""

Views = Mapping[ProfileId, ProfileView]


class Ready(msgspec.Struct, frozen=True):
    """One call that may leave now, with the messages in it."""

    plan: Plan
    rows: tuple[OutboxRow, ...]
    request: OutboundRequest
    attempts_count: int


class Preparation:
    """Turns claimed calls into requests.

    message_key  the installation's key that message ids are made with
    """

    def __init__(self, outbox: Outbox, audience: Audience, clock: Clock, *, message_key: bytes) -> None:
        self._audience = audience
        self._clock = clock
        self._twins = Twins(outbox, audience, message_key=message_key)

    def prepare(self, plan: Plan, calls: Sequence[Call]) -> tuple[list[Ready], list[Result]]:
        """Split calls of one run into those that may leave, and what became of the other messages."""
        rows = [row for call in calls for row in call.rows]
        views = self._audience.views(plan.run.account_id, [row.profile_id for row in rows])
        results = self._check(plan, rows, views)
        stopped = {result.row.message_id for result in results}
        ready: list[Ready] = []
        for call in calls:
            left = tuple(row for row in call.rows if row.message_id not in stopped)
            if left:
                self._render(plan, left, views, ready, results)
        return ready, results

    def _check(self, plan: Plan, rows: Sequence[OutboxRow], views: Views) -> list[Result]:
        """What becomes of those messages that may not leave, or not yet."""
        unqualified = self._unqualified(plan, rows)
        twins = self._twins.find(plan, rows, views)
        results = []
        for row in rows:
            others = twins.get(row.message_id, ())
            facts = checks.Facts(
                is_running=True,
                is_over_limit=plan.is_over_limit,
                view=views.get(row.profile_id),
                is_qualified=row.profile_id not in unqualified,
                is_duplicate=is_duplicate(others),
            )
            decision = checks.decide(facts)
            if isinstance(decision, checks.Skip):
                results.append(Result(row, MessageState.SKIPPED, row.attempts_count, decision.reason))
            elif must_wait(others):
                due_at_ms = self._clock.now_ms() + HOLD_MS
                results.append(Result(row, MessageState.QUEUED, row.attempts_count, due_at_ms=due_at_ms))
        return results

    def _unqualified(self, plan: Plan, rows: Iterable[OutboxRow]) -> set[ProfileId]:
        now_ms = self._clock.now_ms()
        asked = {
            row.profile_id
            for row in rows
            if checks.needs_recheck(
                queued_at_ms=row.created_at_ms, now_ms=now_ms, rechecks_segment=plan.rechecks_segment
            )
        }
        return asked - set(plan.qualified(sorted(asked))) if asked else set()

    def _render(
        self, plan: Plan, rows: tuple[OutboxRow, ...], views: Views, ready: list[Ready], results: list[Result]
    ) -> None:
        """Make one request of these messages; several, each of half of them, if it would be too large."""
        tries_count = max(row.attempts_count for row in rows)
        messages = [(row.message_id, views[row.profile_id]) for row in rows]
        try:
            request = plan.request(messages, attempt=tries_count + 1, now_ms=self._clock.now_ms())
        except RenderFailure as failure:
            results += _skipped(rows, Reason(failure.reason), str(failure))
        except CallTooLarge as too_large:
            if len(rows) == 1:
                results += _skipped(rows, Reason.TOO_LARGE, str(too_large))
            else:
                half = len(rows) // 2
                self._render(plan, rows[:half], views, ready, results)
                self._render(plan, rows[half:], views, ready, results)
        else:
            ready.append(Ready(plan, rows, request, tries_count))


def _skipped(rows: Sequence[OutboxRow], reason: Reason, detail: str) -> list[Result]:
    return [Result(row, MessageState.SKIPPED, row.attempts_count, reason, detail) for row in rows]
