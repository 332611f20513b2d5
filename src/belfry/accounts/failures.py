"""Slowing down those who guess passcodes: per client address and per account that is tried."""

from __future__ import annotations

from collections import OrderedDict

from belfry.clock import Clock

WINDOW_MS = 60_000
FREE_FAILURES = 9
"""Failures in a minute that are answered at once; from the 10th on answers wait (server-api 1.5)."""
DELAY_STEP_S = 0.25
DELAY_S_MAX = 2.0
REMEMBERED_MAX = 20_000
"""Keys held in memory; whoever makes up more makes the oldest forgotten, never memory grow."""


class FailureDelays:
    """Counts failed authentications and says how long the answer to the next one waits.

    An account that does not exist is counted like one that does: the delay tells nothing about which it is.
    Good credentials never wait, so nobody can slow down an account by failing in its name.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._counts: OrderedDict[str, tuple[int, int]] = OrderedDict()

    def delay_s(self, address: str, account_id: str) -> float:
        """Note one failure; the seconds that its answer has to wait."""
        count = max(self._count(f"ip {address}"), self._count(f"account {account_id[:40]}"))
        return min(max(count - FREE_FAILURES, 0) * DELAY_STEP_S, DELAY_S_MAX)

    def _count(self, key: str) -> int:
        now_ms = self._clock.now_ms()
        began_ms, count = self._counts.pop(key, (now_ms, 0))
        if now_ms - began_ms >= WINDOW_MS:
            began_ms, count = now_ms, 0
        self._counts[key] = (began_ms, count + 1)
        if len(self._counts) > REMEMBERED_MAX:
            self._counts.popitem(last=False)
        return count + 1
