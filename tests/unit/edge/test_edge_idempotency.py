"""One effect for one key, also when requests with it come together."""

from __future__ import annotations

import asyncio

import pytest

from belfry.accounts.model import Account, AccountSettings, AccountState, Caller, Passcode, Scope
from belfry.edge.exchange import Answer, Request, json_answer
from belfry.edge.idempotency import InFlight, Remembered, fingerprint_of
from belfry.errors import Conflict
from belfry.ids import AccountId


def request(body: bytes = b"{}", *, path: str = "/x", query: bytes = b"", account: str = "A-1") -> Request:
    known = AccountId(account)
    caller = Caller(
        Account(known, "", "UTC", "eu1", AccountState.ACTIVE, AccountSettings(), 0),
        Passcode(known, "p", "", frozenset({Scope.ALL}), None, 0),
    )
    return Request(
        method="POST",
        path=path,
        route=path,
        query=query,
        headers={},
        body=body,
        caller=caller,
        request_id="r",
        received_at_ms=0,
        address="",
    )


class Store:
    """Remembers what was done, as a store would."""

    def __init__(self) -> None:
        self.acted_count = 0
        self.remembered: Remembered | None = None
        self.fails = 0
        self.gate = asyncio.Event()
        self.gate.set()

    async def recall(self) -> Remembered | None:
        return self.remembered

    async def act(self) -> Answer:
        await self.gate.wait()
        if self.fails:
            self.fails -= 1
            raise Conflict("not now")
        self.acted_count += 1
        self.remembered = Remembered("f", 200, b'{"n":%d}' % self.acted_count)
        return json_answer({"n": self.acted_count})


async def test_who_comes_second_waits_and_gets_the_same() -> None:
    store, in_flight = Store(), InFlight()
    store.gate.clear()
    tasks = [asyncio.create_task(in_flight.once(request(), "k", "f", store.recall, store.act)) for _ in range(8)]
    await asyncio.sleep(0)
    store.gate.set()
    answers = await asyncio.gather(*tasks)
    assert {answer.body for answer in answers} == {b'{"n":1}'}
    assert sum((b"idempotent-replay", b"true") in answer.headers for answer in answers) == 7
    assert in_flight._running == {}


async def test_a_failure_is_not_shared_and_the_next_one_acts() -> None:
    store, in_flight = Store(), InFlight()
    store.fails = 2
    store.gate.clear()
    tasks = [asyncio.create_task(in_flight.once(request(), "k", "f", store.recall, store.act)) for _ in range(5)]
    await asyncio.sleep(0)
    store.gate.set()
    results = await asyncio.gather(*tasks, return_exceptions=True)
    assert sum(isinstance(result, Conflict) for result in results) == 2
    assert {result.body for result in results if isinstance(result, Answer)} == {b'{"n":1}'}
    assert store.acted_count == 1


async def test_another_request_under_a_key_in_flight_is_a_conflict() -> None:
    store, in_flight = Store(), InFlight()
    store.gate.clear()
    first = asyncio.create_task(in_flight.once(request(), "k", "f", store.recall, store.act))
    await asyncio.sleep(0)
    second = asyncio.create_task(in_flight.once(request(), "k", "g", store.recall, store.act))
    other = asyncio.create_task(in_flight.once(request(account="A-2"), "k", "g", Store().recall, store.act))
    await asyncio.sleep(0)
    store.gate.set()
    await first
    await other
    with pytest.raises(Conflict):
        await second
    assert store.acted_count == 2


def test_a_fingerprint_tells_apart_method_path_query_and_body() -> None:
    prints = [
        fingerprint_of(request()),
        fingerprint_of(request(b"{} ")),
        fingerprint_of(request(path="/y")),
        fingerprint_of(request(query=b"a=1")),
        fingerprint_of(request(b"}", path="/x{")),
    ]
    assert len(set(prints)) == 5
    assert fingerprint_of(request()) == prints[0]
