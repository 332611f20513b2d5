"""Taking work for a lane: look which run has something due, claim it, prepare it. Blocks; runs in a thread."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
import structlog

from belfry import faults
from belfry.clock import Clock
from belfry.delivery.liveness import Worker
from belfry.delivery.model import Call, Plan, Result, RunKey
from belfry.delivery.outcomes import given_back
from belfry.delivery.prepare import Preparation, Ready
from belfry.delivery.store import Outbox

log = structlog.get_logger(__name__)

QUIET_MS_MAX = 1_000
"""How long a run of which nothing is due is left alone at most: something may be queued meanwhile."""
TROUBLE_MS = 1_000
"""How long a run that could not be prepared is left alone."""


class Claimed(msgspec.Struct, frozen=True):
    """What one look brought.

    run             whose messages were claimed; None: nothing was due
    ready           calls that may leave
    results         what became of the other messages
    quiet_until_ms  runs that need not be looked at before
    """

    run: RunKey | None
    rows_count: int
    ready: Sequence[Ready]
    results: Sequence[Result]
    quiet_until_ms: dict[RunKey, int]


class Claims:
    """Claims for one worker."""

    def __init__(self, outbox: Outbox, preparation: Preparation, worker: Worker, clock: Clock) -> None:
        self._outbox = outbox
        self._preparation = preparation
        self._worker = worker
        self._clock = clock

    def take(self, plans: Sequence[Plan], rows_max: int) -> Claimed:
        """Claim for the first of these runs that has something due, and prepare what was claimed."""
        quiet: dict[RunKey, int] = {}
        for plan in plans:
            now_ms = self._clock.now_ms()
            due_at_ms = self._outbox.next_due_at_ms(plan.run)
            if due_at_ms is None or due_at_ms > now_ms:
                quiet[plan.run] = min(due_at_ms or now_ms + QUIET_MS_MAX, now_ms + QUIET_MS_MAX)
                continue
            calls = self._outbox.claim(plan.run, self._worker.id, rows_max)
            if calls:
                faults.hit("dispatcher.after_claim")
                return self._prepared(plan, calls, quiet)
        return Claimed(None, 0, (), (), quiet)

    def _prepared(self, plan: Plan, calls: Sequence[Call], quiet: dict[RunKey, int]) -> Claimed:
        rows_count = sum(len(call.rows) for call in calls)
        try:
            ready, results = self._preparation.prepare(plan, calls)
        except Exception:
            # Whatever it was, the claims must not stay with a worker that lives.
            log.exception("cannot prepare messages, trying again", run=plan.run)
            quiet[plan.run] = self._clock.now_ms() + TROUBLE_MS
            return Claimed(plan.run, rows_count, (), [r for call in calls for r in given_back(call.rows)], quiet)
        return Claimed(plan.run, rows_count, ready, results, quiet)
