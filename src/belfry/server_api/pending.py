"""Answers that may take long: a request waits a while, then its caller is told to come back (server-api 5.4, 6.1)."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any, Generic, TypeVar

import msgspec

from belfry.clock import Clock
from belfry.errors import BadRequest, TooManyRequests
from belfry.ids import AccountId, Ids

T = TypeVar("T")

KEPT_MS = 3_600_000
SAME_WITHIN_MS = 60_000
JOBS_MAX = 10_000
REQUEST_ID_MIN = 10**14
"""Request ids have 15 digits and stay below 2^53: JavaScript clients read them as doubles."""


class Partial(msgspec.Struct, frozen=True):
    """Not ready: ask again with this id, or with the same query."""

    request_id: int


class _Job(Generic[T]):
    """One computation. `was_partial`: somebody was told to come back for it."""

    __slots__ = ("query", "request_id", "started_at_ms", "task", "was_partial")

    def __init__(self, request_id: int, query: bytes, task: asyncio.Task[T], started_at_ms: int) -> None:
        self.request_id = request_id
        self.query = query
        self.task = task
        self.started_at_ms = started_at_ms
        self.was_partial = False


class Pending(Generic[T]):
    """Computations of this process that are running, or were finished less than an hour ago and not fetched.

    wait_s  how long a request waits for its answer
    """

    def __init__(self, clock: Clock, ids: Ids, *, wait_s: float) -> None:
        self._clock = clock
        self._ids = ids
        self._wait_s = wait_s
        self._jobs: dict[tuple[AccountId, int], _Job[T]] = {}

    async def answer(
        self, account_id: AccountId, endpoint: str, query: bytes, start: Callable[[], Coroutine[Any, Any, T]]
    ) -> T | Partial:
        """The result of a query, or `Partial`. Raises what `start` raises.

        A query that is asked again while it runs, or within a minute of having been answered `Partial`, is not
        computed twice: clients that start anew do not pile up.
        """
        named = _named(endpoint, query)
        job = self._same(account_id, named) or self._begin(account_id, named, start)
        return await self._wait(account_id, job)

    async def poll(self, account_id: AccountId, endpoint: str, request_id: int) -> T | Partial:
        """The same for an id that was given out. Raises BadRequest for one that this account does not have here."""
        job = self._jobs.get((account_id, request_id))
        if job is None or not job.query.startswith(_named(endpoint, b"")):
            raise BadRequest("Invalid request id", field="req_id")
        return await self._wait(account_id, job)

    async def _wait(self, account_id: AccountId, job: _Job[T]) -> T | Partial:
        await asyncio.wait((job.task,), timeout=self._wait_s)
        if not job.task.done():
            job.was_partial = True
            return Partial(job.request_id)
        if not job.was_partial or job.task.exception() is not None:
            self._jobs.pop((account_id, job.request_id), None)
        return job.task.result()

    def _same(self, account_id: AccountId, named: bytes) -> _Job[T] | None:
        since_ms = self._clock.now_ms() - SAME_WITHIN_MS
        for (owner, _), job in self._jobs.items():
            if owner == account_id and job.query == named and (not job.task.done() or job.started_at_ms > since_ms):
                return job
        return None

    def _begin(self, account_id: AccountId, named: bytes, start: Callable[[], Coroutine[Any, Any, T]]) -> _Job[T]:
        now_ms = self._clock.now_ms()
        self._forget(now_ms)
        if len(self._jobs) >= JOBS_MAX:
            raise TooManyRequests("Too many queries wait for their result", limit=JOBS_MAX, retry_after_s=30)
        request_id = REQUEST_ID_MIN + int(self._ids.token_hex(8), 16) % (8 * REQUEST_ID_MIN)
        job = _Job(request_id, named, asyncio.create_task(start()), now_ms)
        # Nobody may ever come back for a query that failed; its error is then nobody's.
        job.task.add_done_callback(lambda task: task.cancelled() or task.exception())
        self._jobs[(account_id, request_id)] = job
        return job

    def _forget(self, now_ms: int) -> None:
        old = [key for key, job in self._jobs.items() if job.task.done() and now_ms - job.started_at_ms >= KEPT_MS]
        for key in old:
            del self._jobs[key]


def _named(endpoint: str, query: bytes) -> bytes:
    return endpoint.encode("ascii") + b"\n" + query
