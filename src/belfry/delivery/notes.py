"""Results on their way into the outbox: collected, and written together.

Each note is a small update; alone it would cost a commit. Results that come in while one transaction is written wait
for the next. What is not noted when the process dies is sent again under the same id, so the wait is short.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence

import sqlalchemy as sa
import structlog

from belfry.delivery.model import Result

log = structlog.get_logger(__name__)

ROWS_MAX = 2_000
LINGER_S = 0.02
RETRY_WAIT_S = 0.5

Write = Callable[[Sequence[Result]], Awaitable[None]]


class Notes:
    """Results that wait to be written by `write`, which is tried again until it succeeds."""

    def __init__(self, write: Write) -> None:
        self._write = write
        self._waiting: list[Result] = []
        self._some = asyncio.Event()
        self._is_closed = False

    def __len__(self) -> int:
        return len(self._waiting)

    def add(self, results: Sequence[Result]) -> None:
        self._waiting.extend(results)
        if results:
            self._some.set()

    async def run(self) -> None:
        """Write whatever comes in, until closed; what is left then is for `flush`."""
        while not self._is_closed:
            await self._some.wait()
            await asyncio.sleep(LINGER_S)
            try:
                await self.flush()
            except (sa.exc.SQLAlchemyError, OSError):
                log.exception("results could not be noted, trying again", waiting_count=len(self))
                await asyncio.sleep(RETRY_WAIT_S)

    def close(self) -> None:
        """End `run` after what it is doing."""
        self._is_closed = True
        self._some.set()

    async def flush(self) -> None:
        """Write everything that waits. Messages of one call are written in one transaction."""
        while self._waiting:
            batch = self._waiting[: _end_of_call(self._waiting)]
            await self._write(batch)
            del self._waiting[: len(batch)]
        self._some.clear()


def _end_of_call(results: Sequence[Result]) -> int:
    """Where to cut: after the last message of the call that passes `ROWS_MAX`."""
    end = min(ROWS_MAX, len(results))
    while end < len(results) and results[end].row.call_id == results[end - 1].row.call_id:
        end += 1
    return end
