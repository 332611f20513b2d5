"""The partial protocol: nobody computes twice, nobody sees another's result."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from belfry.clock import ManualClock
from belfry.errors import BadRequest, Unavailable
from belfry.ids import AccountId, SystemIds
from belfry.server_api.pending import KEPT_MS, SAME_WITHIN_MS, Partial, Pending

SHOP, OTHER = AccountId("SHOP"), AccountId("OTHER")
PROFILES, EVENTS = "/1/counts/profiles.json", "/1/counts/events.json"
QUERY = b"{}"
Counts = Pending[dict[str, Any]]


class Query:
    """A computation that ends when told to."""

    def __init__(self, *, is_quick: bool = False) -> None:
        self.runs_count = 0
        self.fails: Exception | None = None
        self.end = asyncio.Event()
        if is_quick:
            self.end.set()

    async def __call__(self) -> dict[str, Any]:
        self.runs_count += 1
        count = self.runs_count
        await self.end.wait()
        if self.fails:
            raise self.fails
        return {"status": "success", "count": count}


@pytest.fixture
def pending(clock: ManualClock) -> Counts:
    return Pending(clock, SystemIds(), wait_s=0.01)


async def test_a_quick_query_is_answered_at_once_and_computed_anew_each_time(pending: Counts) -> None:
    query = Query(is_quick=True)
    assert await pending.answer(SHOP, PROFILES, QUERY, query) == {"status": "success", "count": 1}
    assert await pending.answer(SHOP, PROFILES, QUERY, query) == {"status": "success", "count": 2}
    assert pending._jobs == {}


async def test_a_slow_query_is_partial_until_it_is_done_and_then_may_be_asked_again(
    pending: Counts,
) -> None:
    query = Query()
    partial = await pending.answer(SHOP, PROFILES, QUERY, query)
    assert isinstance(partial, Partial)
    request_id = partial.request_id
    assert len(str(request_id)) == 15
    assert request_id < 2**53
    assert await pending.poll(SHOP, PROFILES, request_id) == partial
    query.end.set()
    for _ in range(2):
        assert await pending.poll(SHOP, PROFILES, request_id) == {"status": "success", "count": 1}


async def test_a_client_that_starts_again_gets_the_same_id(pending: Counts, clock: ManualClock) -> None:
    query = Query()
    first = await pending.answer(SHOP, PROFILES, QUERY, query)
    assert await pending.answer(SHOP, PROFILES, QUERY, query) == first
    clock.advance_ms(10 * SAME_WITHIN_MS)
    assert await pending.answer(SHOP, PROFILES, QUERY, query) == first
    assert query.runs_count == 1
    query.end.set()
    assert await pending.answer(SHOP, PROFILES, QUERY, query) == {"status": "success", "count": 1}
    assert await pending.answer(SHOP, PROFILES, QUERY, query) == {"status": "success", "count": 2}


async def test_an_id_is_worth_nothing_elsewhere(pending: Counts, clock: ManualClock) -> None:
    query = Query()
    partial = await pending.answer(SHOP, PROFILES, QUERY, query)
    assert isinstance(partial, Partial)
    request_id = partial.request_id
    query.end.set()
    for account, endpoint, wanted in (
        (OTHER, PROFILES, request_id),
        (SHOP, EVENTS, request_id),
        (SHOP, PROFILES, request_id + 1),
    ):
        with pytest.raises(BadRequest, match="Invalid request id"):
            await pending.poll(account, endpoint, wanted)
    while any(not job.task.done() for job in pending._jobs.values()):
        await asyncio.sleep(0)
    clock.advance_ms(KEPT_MS)
    await pending.answer(OTHER, PROFILES, QUERY, Query(is_quick=True))
    with pytest.raises(BadRequest):
        await pending.poll(SHOP, PROFILES, request_id)


async def test_a_failure_reaches_who_waits_and_is_not_kept(pending: Counts) -> None:
    query = Query()
    query.fails = Unavailable("store down")
    partial = await pending.answer(SHOP, PROFILES, QUERY, query)
    assert isinstance(partial, Partial)
    request_id = partial.request_id
    query.end.set()
    with pytest.raises(Unavailable):
        await pending.poll(SHOP, PROFILES, request_id)
    with pytest.raises(BadRequest):
        await pending.poll(SHOP, PROFILES, request_id)
