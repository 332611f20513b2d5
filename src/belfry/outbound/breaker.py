"""The circuit breaker of one host: stops calling who does not answer (partner integrations 4.4). Pure, with a clock.

closed --half of 20 or more calls in 30 s failed--> open --30 s--> half-open --one call succeeds--> closed
^------------ one call fails ----------------'
"""

from __future__ import annotations

import enum
from collections import deque

import msgspec

from belfry.clock import Clock


class BreakerState(enum.StrEnum):
    """Whether calls may be made."""

    CLOSED = "closed"  # yes
    OPEN = "open"  # no
    HALF_OPEN = "half_open"  # one at a time, to find out


class BreakerPolicy(msgspec.Struct, frozen=True):
    """When to stop calling, and when to try again."""

    window_ms: int = 30_000
    calls_count_min: int = 20
    failed_share_max: float = 0.5
    open_ms: int = 30_000


class Breaker:
    """One host's. Ask `wait_ms` before a call, tell `note` after it.

    What counts as failed is the caller's to say: no connection, no answer, 5xx. A 4xx is an answer.
    """

    __slots__ = ("_calls", "_clock", "_failed_count", "_opened_at_ms", "_policy", "_probing_since_ms")

    def __init__(self, clock: Clock, policy: BreakerPolicy = BreakerPolicy()) -> None:  # noqa: B008  # frozen
        self._clock = clock
        self._policy = policy
        self._calls: deque[tuple[int, bool]] = deque()
        self._failed_count = 0
        self._opened_at_ms: int | None = None
        self._probing_since_ms: int | None = None

    @property
    def state(self) -> BreakerState:
        """The state now."""
        if self._opened_at_ms is None:
            return BreakerState.CLOSED
        is_over = self._clock.now_ms() - self._opened_at_ms >= self._policy.open_ms
        return BreakerState.HALF_OPEN if is_over else BreakerState.OPEN

    def wait_ms(self) -> int:
        """0 if a call may be made now, else how long to wait before asking again. Half-open, 0 is given to one."""
        state, now = self.state, self._clock.now_ms()
        if state is BreakerState.CLOSED:
            return 0
        if state is BreakerState.OPEN and self._opened_at_ms is not None:
            return self._opened_at_ms + self._policy.open_ms - now
        # A probe whose outcome never came (the process that sent it stopped) must not block for ever.
        if self._probing_since_ms is None or now - self._probing_since_ms >= self._policy.open_ms:
            self._probing_since_ms = now
            return 0
        return self._probing_since_ms + self._policy.open_ms - now

    def note(self, *, has_failed: bool) -> None:
        """Tell how a call ended."""
        state = self.state
        if state is BreakerState.HALF_OPEN:
            self._settle_probe(has_failed=has_failed)
        elif state is BreakerState.CLOSED:
            self._count(has_failed=has_failed)

    def _settle_probe(self, *, has_failed: bool) -> None:
        self._forget()
        self._opened_at_ms = self._clock.now_ms() if has_failed else None

    def _count(self, *, has_failed: bool) -> None:
        now = self._clock.now_ms()
        self._calls.append((now, has_failed))
        self._failed_count += has_failed
        while self._calls[0][0] <= now - self._policy.window_ms:
            self._failed_count -= self._calls.popleft()[1]
        count = len(self._calls)
        if count >= self._policy.calls_count_min and self._failed_count >= count * self._policy.failed_share_max:
            self._forget()
            self._opened_at_ms = now

    def _forget(self) -> None:
        self._calls.clear()
        self._failed_count = 0
        self._probing_since_ms = None
