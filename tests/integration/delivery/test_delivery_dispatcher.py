"""The dispatcher on real stores with a fake provider: who gets what, when, and how often."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable

import pytest
import pytest_asyncio

from belfry.clock import ManualClock
from belfry.content.errors import Aborted, MissingValue, OutputTooLarge, RenderError, RenderTimeout
from belfry.delivery.history import History, MessageView
from belfry.delivery.model import MessageState, OutboundResponse, Reason, RunKey, SendFailure
from belfry.delivery.prepare import HOLD_MS
from belfry.ids import AccountId, CampaignId
from belfry.outbound import AddressRefused, NoAnswer, Unreachable
from belfry.storage.relational import Database
from support.delivery import OK, RUN, Answer, FakeAudience, FakePlan, FakePlans, FakeProvider, World, id_of

S = MessageState
MakeWorld = Callable[..., World]


@pytest_asyncio.fixture
async def make_world(database: Database, clock: ManualClock) -> AsyncIterator[MakeWorld]:
    worlds: list[World] = []

    def make(**parts: object) -> World:
        worlds.append(World(database, parts.pop("clock", clock), **parts))  # type: ignore[arg-type]
        return worlds[-1]

    yield make
    for world in worlds:
        await world.dispatcher.close()


@pytest.fixture
def world(make_world: MakeWorld) -> World:
    return make_world()


def message(world: World, profile_id: int, run: RunKey = RUN) -> MessageView:
    found = History(world.database).message(run.account_id, id_of(profile_id, run))
    assert found is not None
    return found


async def test_each_message_is_sent_once_and_noted(world: World) -> None:
    world.enqueue(range(300))
    assert await world.dispatcher.step() == 300
    assert await world.dispatcher.step() == 0
    assert world.provider.taken == {id_of(i): 1 for i in range(300)}
    assert set(world.states(range(300))) == {S.SENT}
    assert (message(world, 7).attempts_count, message(world, 7).status) == (1, 200)


async def test_a_batch_leaves_in_one_call(make_world: MakeWorld) -> None:
    world = make_world(plans=FakePlans(FakePlan(per_call=4)))
    world.enqueue(range(10), per_call=4)
    assert await world.dispatcher.step() == 3
    assert sorted(len(call) for call in world.provider.calls) == [2, 4, 4]
    assert set(world.provider.taken.values()) == {1}


async def test_a_skipped_user_does_not_hold_up_the_rest_of_the_batch(make_world: MakeWorld) -> None:
    audience = FakeAudience()
    audience.opted_out = {2}
    world = make_world(plans=FakePlans(FakePlan(per_call=4)), audience=audience)
    world.enqueue(range(4), per_call=4)
    assert await world.dispatcher.step() == 1
    assert [len(call) for call in world.provider.calls] == [3]
    assert world.states(range(4)) == [S.SENT, S.SENT, S.SKIPPED, S.SENT]


async def test_a_batch_that_failed_comes_back_as_the_same_batch(make_world: MakeWorld, clock: ManualClock) -> None:
    answers = iter([OutboundResponse(503, {}, b"busy"), OK])
    world = make_world(plans=FakePlans(FakePlan(per_call=5)), provider=FakeProvider(lambda _: next(answers)))
    world.enqueue(range(5), per_call=5)
    await world.dispatcher.step()
    assert set(world.states(range(5))) == {S.RETRYING}
    await world.advance_and_step(18.1)
    first, second = world.provider.calls
    assert first == second
    assert set(world.states(range(5))) == {S.SENT}


async def test_a_batch_that_is_too_large_leaves_in_smaller_calls(make_world: MakeWorld) -> None:
    world = make_world(plans=FakePlans(FakePlan(per_call=10)))
    world.plans.plans[0].users_per_body_max = 3
    world.enqueue(range(10), per_call=10)
    assert await world.dispatcher.step() == 4
    assert sorted(len(call) for call in world.provider.calls) == [2, 2, 3, 3]
    assert set(world.provider.taken.values()) == {1}
    assert set(world.states(range(10))) == {S.SENT}


async def test_a_message_that_is_too_large_alone_is_skipped(make_world: MakeWorld) -> None:
    world = make_world()
    world.plans.plans[0].users_per_body_max = 0
    world.enqueue([1])
    assert await world.dispatcher.step() == 0
    assert message(world, 1).reason is Reason.TOO_LARGE


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        pytest.param(lambda w: w.audience.gone.add(1), Reason.PROFILE_GONE, id="gone"),
        pytest.param(lambda w: w.audience.opted_out.add(1), Reason.OPTED_OUT, id="opted out"),
        pytest.param(lambda w: setattr(w.plans.plans[0], "is_over_limit", True), Reason.SAFETY_LIMIT, id="limit"),
        pytest.param(
            lambda w: w.plans.plans[0].failing.update({1: MissingValue("Profile.name")}),
            Reason.MISSING_VALUE,
            id="missing value",
        ),
        pytest.param(lambda w: w.plans.plans[0].failing.update({1: Aborted("no")}), Reason.ABORTED, id="aborted"),
        pytest.param(
            lambda w: w.plans.plans[0].failing.update({1: RenderError("x")}), Reason.RENDER_ERROR, id="render error"
        ),
        pytest.param(
            lambda w: w.plans.plans[0].failing.update({1: RenderTimeout("x")}), Reason.RENDER_TIMEOUT, id="time-out"
        ),
        pytest.param(
            lambda w: w.plans.plans[0].failing.update({1: OutputTooLarge("x")}), Reason.TOO_LARGE, id="too large"
        ),
    ],
)
async def test_who_may_not_get_it_is_skipped_with_the_reason(
    world: World, change: Callable[[World], object], reason: Reason
) -> None:
    world.enqueue([1])
    change(world)
    assert await world.dispatcher.step() == 0
    assert (message(world, 1).state, message(world, 1).reason) == (S.SKIPPED, reason)


async def test_who_left_the_segment_while_waiting_for_more_than_an_hour_is_skipped(
    world: World, clock: ManualClock
) -> None:
    world.enqueue([1, 2])
    world.plans.plans[0].segment = {2}
    clock.advance_ms(3_600_001)
    await world.dispatcher.step()
    assert world.states([1, 2]) == [S.SKIPPED, S.SENT]
    assert message(world, 1).reason is Reason.NOT_QUALIFIED


async def test_who_left_the_segment_within_the_hour_gets_it(world: World, clock: ManualClock) -> None:
    world.enqueue([1])
    world.plans.plans[0].segment = set()
    clock.advance_ms(3_600_000)
    await world.dispatcher.step()
    assert world.states([1]) == [S.SENT]


async def test_a_refusal_to_prepare_gives_the_claim_back(world: World, clock: ManualClock) -> None:
    world.enqueue([1])
    world.plans.plans[0].failing[1] = RuntimeError("a fault of ours")
    assert await world.dispatcher.step() == 0
    assert world.states([1]) == [S.QUEUED]
    world.plans.plans[0].failing.clear()
    assert await world.advance_and_step(1.1) == 1


async def test_retries_come_after_15_s_60_s_and_5_min_and_then_it_is_a_dead_letter(
    make_world: MakeWorld, clock: ManualClock
) -> None:
    world = make_world(provider=FakeProvider(lambda _: OutboundResponse(503, {}, b"down for a while")))
    world.enqueue([1])
    await world.dispatcher.step()
    for delay_s in (15, 60, 300):
        assert await world.advance_and_step(delay_s * 0.79) == 0
        assert await world.advance_and_step(delay_s * 0.42) == 1
    assert await world.advance_and_step(100_000) == 0
    assert world.provider.tried[id_of(1)] == 4
    letter = message(world, 1)
    assert (letter.state, letter.reason, letter.attempts_count) == (S.FAILED, Reason.PROVIDER_DOWN, 4)
    assert (letter.status, letter.detail) == (503, "down for a while")
    trail = History(world.database).failed_attempts(RUN.account_id, id_of(1))
    assert [a.attempt for a in trail] == [1, 2, 3, 4]


async def test_retry_after_is_honoured(make_world: MakeWorld) -> None:
    answers = iter([OutboundResponse(429, {"retry-after": "120"}, b""), OK])
    world = make_world(provider=FakeProvider(lambda _: next(answers)))
    world.enqueue([1])
    await world.dispatcher.step()
    assert message(world, 1).reason is Reason.RATE_LIMITED
    assert await world.advance_and_step(119.9) == 0
    assert await world.advance_and_step(0.2) == 1
    assert world.states([1]) == [S.SENT]
    assert message(world, 1).reason is None


@pytest.mark.parametrize(
    ("answer", "state", "reason", "failure"),
    [
        pytest.param(Unreachable("no connection"), S.RETRYING, Reason.PROVIDER_DOWN, SendFailure.UNREACHABLE, id="no"),
        pytest.param(NoAnswer("cut"), S.RETRYING, Reason.PROVIDER_DOWN, SendFailure.UNKNOWN, id="perhaps taken"),
        pytest.param(OutboundResponse(400, {}, b"bad"), S.FAILED, Reason.REJECTED, SendFailure.REJECTED, id="400"),
        pytest.param(
            AddressRefused("private"), S.FAILED, Reason.ADDRESS_REFUSED, SendFailure.MISCONFIGURED, id="not allowed"
        ),
    ],
)
async def test_each_outcome_has_its_class(
    make_world: MakeWorld, answer: Answer, state: MessageState, reason: Reason, failure: SendFailure
) -> None:
    world = make_world(provider=FakeProvider(lambda _: answer))
    world.enqueue([1])
    await world.dispatcher.step()
    assert (message(world, 1).state, message(world, 1).reason) == (state, reason)
    (attempt,) = History(world.database).failed_attempts(RUN.account_id, id_of(1))
    assert attempt.failure is failure


async def test_a_connector_that_breaks_costs_a_try_and_loses_nothing(world: World) -> None:
    def broken(_: object) -> object:
        raise ZeroDivisionError

    world.enqueue([1])
    world.plans.plans[0].outcome = broken  # type: ignore[assignment,method-assign]
    await world.dispatcher.step()
    assert world.states([1]) == [S.RETRYING]
    (attempt,) = History(world.database).failed_attempts(RUN.account_id, id_of(1))
    assert attempt.failure is SendFailure.UNKNOWN


async def test_an_open_circuit_puts_off_without_counting_a_try(make_world: MakeWorld, clock: ManualClock) -> None:
    is_down = True
    world = make_world(provider=FakeProvider(lambda _: OutboundResponse(503, {}, b"") if is_down else OK))
    world.enqueue(range(100))
    await world.dispatcher.step()
    tried_count = len(world.provider.calls)
    assert 20 <= tried_count < 60
    waiting = [message(world, i) for i in range(100) if message(world, i).state is S.QUEUED]
    assert len(waiting) == 100 - tried_count
    assert {m.attempts_count for m in waiting} == {0}
    is_down = False
    await world.advance_and_step(30)
    await world.advance_and_step(31)
    await world.advance_and_step(61)
    assert set(world.states(range(100))) == {S.SENT}
    assert set(world.provider.taken.values()) == {1}


async def test_a_message_whose_user_was_merged_into_another_recipient_is_a_duplicate(world: World) -> None:
    world.audience.merged = {5: 2, 9: 2}
    world.enqueue([2, 5, 9])
    await world.dispatcher.step()
    assert world.provider.users == [2]
    assert world.states([2, 5, 9]) == [S.SENT, S.SKIPPED, S.SKIPPED]
    assert message(world, 9).reason is Reason.DUPLICATE_ADDRESS


async def test_of_two_merged_users_whose_survivor_is_no_recipient_the_older_gets_it(world: World) -> None:
    world.audience.merged = {5: 2, 9: 2}
    world.enqueue([5, 9])
    await world.dispatcher.step()
    assert world.provider.users == [2]
    assert world.states([5, 9]) == [S.SENT, S.SKIPPED]


async def test_a_user_who_got_it_before_the_merge_does_not_get_it_again(world: World) -> None:
    world.enqueue([5])
    await world.dispatcher.step()
    world.audience.merged = {5: 2}
    world.enqueue([2])
    await world.dispatcher.step()
    assert world.provider.users == [5]
    assert message(world, 2).reason is Reason.DUPLICATE_ADDRESS


async def test_a_message_waits_while_its_twin_may_be_leaving(world: World, clock: ManualClock) -> None:
    world.enqueue([5])
    world.worker.beat()
    ((row,),) = (call.rows for call in world.outbox.claim(RUN, world.worker.id, 1))
    world.audience.merged = {5: 2}
    world.enqueue([2])
    assert await world.dispatcher.step() == 0
    assert world.states([2]) == [S.QUEUED]
    assert message(world, 2).due_at_ms == clock.now_ms() + HOLD_MS
    assert row.profile_id == 5


async def test_two_dispatchers_on_one_outbox_send_each_message_once(make_world: MakeWorld, clock: ManualClock) -> None:
    provider = FakeProvider()
    ahead = ManualClock(clock.now_ms() + 600_000)
    one = make_world(provider=provider, name="one")
    two = make_world(provider=provider, name="two", clock=ahead)
    one.enqueue(range(2000))
    await asyncio.gather(one.dispatcher.step(), two.dispatcher.step())
    assert provider.tried == {id_of(i): 1 for i in range(2000)}
    assert one.dispatcher.calls_count
    assert two.dispatcher.calls_count
    assert set(one.states(range(2000))) == {S.SENT}


async def test_a_stopped_run_sends_nothing_more(make_world: MakeWorld) -> None:
    world = make_world(requests_max=4)
    world.provider.hang = asyncio.Event()
    world.enqueue(range(50))
    sending = asyncio.create_task(world.dispatcher.step())
    await world.provider.arrived.wait()
    plans, world.plans.plans = world.plans.plans, []
    cancelled_count = await asyncio.to_thread(world.outbox.cancel, RUN)
    world.dispatcher.wake()
    await world.dispatcher._look_around()
    world.provider.hang.set()
    await sending
    states = world.states(range(50))
    sent_count = states.count(S.SENT)
    assert sent_count == len(world.provider.calls) <= 4
    assert states.count(S.CANCELLED) == cancelled_count
    assert states.count(S.SKIPPED) == 50 - sent_count - cancelled_count
    reasons = {message(world, i).reason for i in range(50) if states[i] is not S.SENT}
    assert reasons == {Reason.CAMPAIGN_STOPPED}
    assert plans


async def test_a_hanging_provider_does_not_delay_another(make_world: MakeWorld) -> None:
    good = RunKey(RUN.account_id, CampaignId(RUN.campaign_id + 1), RUN.run_id)
    plans = FakePlans(FakePlan(host="bad.example:443"), FakePlan(good, host="good.example:443"))
    world = make_world(plans=plans, requests_max=8)
    hang = asyncio.Event()
    direct = world.provider.send

    async def send(request: object) -> OutboundResponse:
        if "bad.example" in request.url:  # type: ignore[attr-defined]
            await hang.wait()
        return await direct(request)  # type: ignore[arg-type]

    world.provider.send = send  # type: ignore[assignment,method-assign]
    world.enqueue(range(100))
    world.enqueue(range(100), run=good)
    stop = asyncio.Event()
    running = asyncio.create_task(world.dispatcher.run(stop))
    async with asyncio.timeout(20):
        while not all(state is S.SENT for state in world.states(range(100), good)):
            await asyncio.sleep(0.01)
    assert S.SENT not in world.states(range(100))
    hang.set()
    stop.set()
    await running


async def test_stopping_finishes_calls_in_flight_and_gives_back_the_rest(make_world: MakeWorld) -> None:
    world = make_world(requests_max=4)
    world.provider.hang = asyncio.Event()
    world.enqueue(range(40))
    stop = asyncio.Event()
    running = asyncio.create_task(world.dispatcher.run(stop))
    await world.provider.arrived.wait()
    stop.set()
    await asyncio.sleep(0)
    world.provider.hang.set()
    await running
    states = world.states(range(40))
    assert states.count(S.SENT) == len(world.provider.calls) > 0
    assert states.count(S.QUEUED) == 40 - len(world.provider.calls)


async def test_a_call_that_does_not_end_in_time_is_given_back(make_world: MakeWorld) -> None:
    world = make_world(requests_max=2, drain_s=0.05)
    world.provider.hang = asyncio.Event()
    world.enqueue([1])
    stop = asyncio.Event()
    running = asyncio.create_task(world.dispatcher.run(stop))
    await world.provider.arrived.wait()
    stop.set()
    await running
    assert world.states([1]) == [S.QUEUED]


async def test_a_restart_takes_over_at_once_and_nothing_is_lost(make_world: MakeWorld, clock: ManualClock) -> None:
    crashed = make_world()
    crashed.enqueue(range(30))
    crashed.worker.beat()
    crashed.outbox.claim(RUN, crashed.worker.id, 10)
    restarted = make_world(provider=crashed.provider)
    await restarted.dispatcher.step()
    assert crashed.provider.taken == {id_of(i): 1 for i in range(30)}
    assert set(restarted.states(range(30))) == {S.SENT}


async def test_another_machine_takes_over_after_a_minute(make_world: MakeWorld, clock: ManualClock) -> None:
    dead = make_world(name="dead")
    dead.enqueue([1])
    dead.worker.beat()
    dead.outbox.claim(RUN, dead.worker.id, 10)
    alive = make_world(name="alive")
    steps = 0
    while not await alive.dispatcher.step():
        clock.advance_ms(5_000)
        steps += 1
        assert steps < 20
    assert steps == 12
    assert alive.states([1]) == [S.SENT]


async def test_a_worker_that_slept_sends_nothing_that_others_may_have_taken(
    make_world: MakeWorld, clock: ManualClock
) -> None:
    world = make_world(requests_max=2)
    world.provider.hang = asyncio.Event()
    world.enqueue(range(10))
    stepping = asyncio.create_task(world.dispatcher.step())
    await world.provider.arrived.wait()
    clock.advance_ms(40_000)
    world.plans.plans.clear()
    world.provider.hang.set()
    await stepping
    assert len(world.provider.calls) == 1
    assert world.states(range(10)).count(S.QUEUED) == 9


async def test_messages_of_two_accounts_do_not_mix(make_world: MakeWorld) -> None:
    other = RunKey(AccountId("ACC-2"), RUN.campaign_id, RUN.run_id)
    plans = FakePlans(FakePlan(), FakePlan(other))
    world = make_world(plans=plans)
    world.enqueue([1, 2])
    world.enqueue([1, 2, 3], run=other)
    assert await world.dispatcher.step() == 5
    assert set(world.provider.taken) == {id_of(i) for i in (1, 2)} | {id_of(i, other) for i in (1, 2, 3)}


async def test_messages_of_a_run_that_is_not_sending_stay(make_world: MakeWorld) -> None:
    world = make_world(plans=FakePlans())
    world.enqueue([1])
    assert await world.dispatcher.step() == 0
    assert world.states([1]) == [S.QUEUED]
