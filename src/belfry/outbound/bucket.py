"""The token bucket of one host: no more calls a second than it should get. Pure, with a clock."""

from __future__ import annotations

from belfry.clock import Clock


class Bucket:
    """Fills with `rate_per_s` tokens a second up to `burst`; a call takes one."""

    __slots__ = ("_burst", "_clock", "_filled_at_ms", "_rate_per_ms", "_tokens")

    def __init__(self, clock: Clock, rate_per_s: float, burst: float | None = None) -> None:
        if rate_per_s <= 0:
            raise ValueError("a bucket's rate is above 0")
        self._clock = clock
        self._rate_per_ms = rate_per_s / 1000
        self._burst = max(1.0, rate_per_s if burst is None else burst)
        self._tokens = self._burst
        self._filled_at_ms = clock.now_ms()

    def wait_ms(self) -> int:
        """Take a token and return 0, or take none and return how long until there is one."""
        self._fill()
        if self._tokens >= 1:
            self._tokens -= 1
            return 0
        return max(1, int((1 - self._tokens) / self._rate_per_ms) + 1)

    def give_back(self) -> None:
        """Return a token that was taken for a call that was not made."""
        self._tokens = min(self._burst, self._tokens + 1)

    def _fill(self) -> None:
        now = self._clock.now_ms()
        # A clock that was set back fills nothing, and must not empty the bucket either.
        passed_ms = max(0, now - self._filled_at_ms)
        self._filled_at_ms = now
        self._tokens = min(self._burst, self._tokens + passed_ms * self._rate_per_ms)
