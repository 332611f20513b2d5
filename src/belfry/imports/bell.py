"""Tells a task on an event loop, from any thread, that there is something to do."""

from __future__ import annotations

import asyncio
import contextlib


class Bell:
    """Rung by many, waited for by one. A ring that nobody waits for is heard at the next wait."""

    def __init__(self) -> None:
        self._rung = asyncio.Event()
        self._loop: asyncio.AbstractEventLoop | None = None

    def ring(self) -> None:
        """From any thread, also before anybody ever waited."""
        if self._loop is None or self._loop.is_closed():
            self._rung.set()
        else:
            self._loop.call_soon_threadsafe(self._rung.set)

    async def wait(self, timeout_s: float) -> None:
        """Until it rings, but no longer than the time-out."""
        self._loop = asyncio.get_running_loop()
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._rung.wait(), timeout_s)
        self._rung.clear()
