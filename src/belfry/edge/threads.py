"""Blocking calls of the stores, kept off the event loop and bounded."""

from __future__ import annotations

import asyncio
import contextvars
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import ParamSpec, TypeVar

from belfry.errors import Unavailable

P = ParamSpec("P")
T = TypeVar("T")


class Threads:
    """A few threads for one kind of call, so that slow queries never keep quick look-ups waiting.

    workers      calls that run at once
    waiting_max  calls that may wait for a thread; above, a call is refused at once with Unavailable
    """

    def __init__(self, name: str, *, workers: int, waiting_max: int) -> None:
        self._name = name
        self._calls_max = workers + waiting_max
        self._calls_count = 0
        self._pool = ThreadPoolExecutor(workers, thread_name_prefix=name)

    async def run(self, call: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """What `call` returns or raises, from one of the threads."""
        if self._calls_count >= self._calls_max:
            raise Unavailable(
                f"Too many requests wait for a store ({self._name})", limit=self._calls_max, retry_after_s=1
            )
        self._calls_count += 1
        context = contextvars.copy_context()
        future = asyncio.get_running_loop().run_in_executor(self._pool, lambda: context.run(call, *args, **kwargs))
        # Not after the await: a caller that is cancelled leaves its call running in the thread.
        future.add_done_callback(self._done)
        return await future

    def close(self) -> None:
        """Wait for the calls that run; drop those that wait."""
        self._pool.shutdown(wait=True, cancel_futures=True)

    def _done(self, _future: object) -> None:
        self._calls_count -= 1
