"""How often one address may call a path in a minute; for the few paths that have such a limit."""

from __future__ import annotations

from collections import OrderedDict

from belfry.clock import Clock
from belfry.errors import TooManyRequests

WINDOW_MS = 60_000
REMEMBERED_MAX = 20_000
"""Addresses held in memory; more make the oldest forgotten, never memory grow."""


class PerMinute:
    """Counts calls by address in windows of a minute that begin with the first call. Each process counts its own."""

    def __init__(self, clock: Clock, calls_max: int) -> None:
        self._clock = clock
        self._calls_max = calls_max
        self._counts: OrderedDict[str, tuple[int, int]] = OrderedDict()

    def note(self, address: str) -> None:
        """Note a call. Raises TooManyRequests, with the seconds until the next window, above the limit."""
        now_ms = self._clock.now_ms()
        began_ms, count = self._counts.pop(address, (now_ms, 0))
        if now_ms - began_ms >= WINDOW_MS:
            began_ms, count = now_ms, 0
        self._counts[address] = (began_ms, count + 1)
        if len(self._counts) > REMEMBERED_MAX:
            self._counts.popitem(last=False)
        if count >= self._calls_max:
            wait_s = -(-(began_ms + WINDOW_MS - now_ms) // 1000)
            raise TooManyRequests(
                f"Too many requests: at most {self._calls_max} a minute from one address",
                limit=self._calls_max,
                retry_after_s=max(1, wait_s),
            )
