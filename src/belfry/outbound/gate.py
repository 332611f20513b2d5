"""Whether a host may be called now: one breaker and one bucket per host. Pure, with a clock.

hold = gate.hold(key)        # key: `destination.key`, host and port
if hold is None: ... send, then gate.note(key, has_failed=...)
else: try again after hold.wait_ms
"""

from __future__ import annotations

from collections import OrderedDict

import msgspec

from belfry.clock import Clock
from belfry.outbound.breaker import Breaker, BreakerPolicy
from belfry.outbound.bucket import Bucket

HOSTS_MAX = 10_000
RATE_PER_S = 5_000


class Hold(msgspec.Struct, frozen=True):
    """Not now. is_open: the host does not answer; else it has had its share for the moment."""

    wait_ms: int
    is_open: bool


class Gate:
    """Breakers and buckets of all hosts that were called lately; the least recently called are forgotten."""

    def __init__(
        self,
        clock: Clock,
        *,
        rate_per_s: float = RATE_PER_S,
        policy: BreakerPolicy = BreakerPolicy(),  # noqa: B008
    ) -> None:
        self._clock = clock
        self._rate_per_s = rate_per_s
        self._policy = policy
        self._hosts: OrderedDict[str, tuple[Breaker, Bucket]] = OrderedDict()

    def hold(self, key: str) -> Hold | None:
        """None: call now (and tell `note` how it ended). Else how long to wait, and why."""
        breaker, bucket = self._host(key)
        wait_ms = bucket.wait_ms()
        if wait_ms:
            return Hold(wait_ms, is_open=False)
        wait_ms = breaker.wait_ms()
        if wait_ms:
            bucket.give_back()
            return Hold(wait_ms, is_open=True)
        return None

    def note(self, key: str, *, has_failed: bool) -> None:
        """Tell how a call to this host ended. Failed: no connection, no answer, 5xx."""
        self._host(key)[0].note(has_failed=has_failed)

    def _host(self, key: str) -> tuple[Breaker, Bucket]:
        host = self._hosts.get(key)
        if host is None:
            host = self._hosts[key] = (Breaker(self._clock, self._policy), Bucket(self._clock, self._rate_per_s))
            if len(self._hosts) > HOSTS_MAX:
                self._hosts.popitem(last=False)
        else:
            self._hosts.move_to_end(key)
        return host
