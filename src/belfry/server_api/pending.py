"""The partial protocol: an answer that takes long is fetched later under a request id (server-api 6.1)."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

from belfry.clock import Clock
from belfry.errors import BadRequest, TooManyRequests
from belfry.ids import AccountId, Ids

WAIT_S = 25.0
"""How long a request waits for its answer: most clients never ask a second time."""
KEPT_MS = 3_600_000
SAME_WITHIN_MS = 60_000
JOBS_MAX = 10_000
REQUEST_ID_MIN = 10**14
"""Request ids have 15 digits and stay below 2^53: JavaScript clients read them as doubles."""

Json = dict[str, Any]  # the body of an answer
Start = Callable[[], Coroutine[Any, Any, Json]]


class _Job:
    """One computation. `was_partial`: somebody was told to come back for it."""

    __slots__ = ("query", "request_id", "started_at_ms", "task", "was_partial")

    def __init__(self, request_id: int, query: bytes, task: asyncio.Task[Json], started_at_ms: int) -> None:
        self.request_id = request_id
        self.query = query
        self.task = task
        self.started_at_ms = started_at_ms
        self.was_partial = False


class Pending:
    """Computations of this process that are running, or finished less than an hour ago."""

    def __init__(self, clock: Clock, ids: Ids, *, wait_s: float = WAIT_S) -> None:
        self._clock = clock
        self._ids = ids
        self._wait_s = wait_s
        self._jobs: dict[tuple[AccountId, int], _Job] = {}

    async def answer(self, account_id: AccountId, query: bytes, start: Start) -> Json:
        """The result of a query, or `partial` with the id to ask again with.

        query   endpoint and body; a query that is asked again within a minute, while its first answer is still
                awaited, is not computed twice
        """
        job = self._same(account_id, query) or self._begin(account_id, query, start)
        return await self._wait(account_id, job)

    async def poll(self, account_id: AccountId, endpoint: bytes, request_id: int) -> Json:
        """The same for an id that was given out. Raises BadRequest for one that this account does not have here."""
        job = self._jobs.get((account_id, request_id))
        if job is None or not job.query.startswith(endpoint + b"\n"):
            raise BadRequest("Invalid request id", field="req_id")
        return await self._wait(account_id, job)

    async def _wait(self, account_id: AccountId, job: _Job) -> Json:
        await asyncio.wait((job.task,), timeout=self._wait_s)
        if not job.task.done():
            job.was_partial = True
            return {"status": "partial", "req_id": job.request_id}
        if not job.was_partial or job.task.exception() is not None:
            self._jobs.pop((account_id, job.request_id), None)
        return job.task.result()

    def _same(self, account_id: AccountId, query: bytes) -> _Job | None:
        since_ms = self._clock.now_ms() - SAME_WITHIN_MS
        for (owner, _), job in self._jobs.items():
            if owner == account_id and job.query == query and job.started_at_ms > since_ms:
                return job
        return None

    def _begin(self, account_id: AccountId, query: bytes, start: Start) -> _Job:
        now_ms = self._clock.now_ms()
        self._forget(now_ms)
        if len(self._jobs) >= JOBS_MAX:
            raise TooManyRequests("Too many queries wait for their result", limit=JOBS_MAX, retry_after_s=30)
        request_id = REQUEST_ID_MIN + int(self._ids.token_hex(8), 16) % (8 * REQUEST_ID_MIN)
        job = _Job(request_id, query, asyncio.create_task(start()), now_ms)
        # Nobody may ever come back for a query that failed; its error is then nobody's.
        job.task.add_done_callback(lambda task: task.cancelled() or task.exception())
        self._jobs[(account_id, request_id)] = job
        return job

    def _forget(self, now_ms: int) -> None:
        old = [key for key, job in self._jobs.items() if job.task.done() and now_ms - job.started_at_ms >= KEPT_MS]
        for key in old:
            del self._jobs[key]
