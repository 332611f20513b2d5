"""The progress of one import, noted while the work goes on."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from belfry.imports.model import ImportJob


class Progress:
    """The job as it is by now, and what of it is in the store.

    The store may be busy for a second with others' transactions: a note never holds up the work, at most one is on its
    way, and what the store does not know at a crash is found in the log.

    write   writes counts and positions of a job; may raise, then the next call here does
    """

    def __init__(self, job: ImportJob, write: Callable[[ImportJob], None]) -> None:
        self.job = job
        self._write = write
        self._written = job
        self._writing: asyncio.Task[None] | None = None

    async def note(self, job: ImportJob) -> None:
        """Take over what was done; begin to write it if nothing is being written."""
        self.job = job
        if self._writing is None or self._writing.done():
            await self._begin()

    async def settle(self) -> None:
        """Return when everything is in the store."""
        while self._written is not self.job:
            await self._begin()
        await self._finish()

    async def _begin(self) -> None:
        await self._finish()
        self._written = self.job
        self._writing = asyncio.create_task(asyncio.to_thread(self._write, self.job))
        self._writing.add_done_callback(_look_at)

    async def _finish(self) -> None:
        writing, self._writing = self._writing, None
        if writing is not None:
            await writing


def _look_at(task: asyncio.Task[None]) -> None:
    """A failure that nobody waits for any more, because the work was stopped, is no news."""
    if not task.cancelled():
        task.exception()
