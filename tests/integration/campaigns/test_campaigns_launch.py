"""From a draft to outbox rows: everybody once, nobody before the run is complete, whatever dies on the way."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator

import pytest

from belfry.accounts.model import Account
from belfry.campaigns import launcher as subject
from belfry.campaigns.model import CampaignState, Run, RunState
from belfry.clock import ManualClock
from belfry.delivery.liveness import MISSED_BEATS_MAX
from belfry.delivery.model import MessageState, Reason
from belfry.errors import BadRequest, Conflict, NotFound
from belfry.ids import CampaignId, SegmentId
from belfry.storage.relational import Database
from support.campaigns import ACCOUNT, EVERYBODY, CampaignWorld, account_id, definition

S = MessageState


@pytest.fixture
def world(database: Database, clock: ManualClock) -> Iterator[CampaignWorld]:
    engine = CampaignWorld(database, clock)
    yield engine
    engine.launcher.leave()


@pytest.fixture
def shop(world: CampaignWorld) -> Account:
    return world.account()


@pytest.fixture
def small_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(subject, "CHUNK_ROWS", 100)


def run_of(world: CampaignWorld, campaign_id: CampaignId) -> Run:
    (run,) = world.campaigns.runs(account_id(), campaign_id)
    return run


def queued_users(world: CampaignWorld, run: Run) -> list[int]:
    calls = world.outbox.claim(run.key, "test", 1_000_000)
    return sorted(row.profile_id for call in calls for row in call.rows)


def test_a_campaign_gets_the_second_as_its_id_and_the_next_free_one_on_collision(
    world: CampaignWorld, shop: Account, clock: ManualClock
) -> None:
    ids = [world.draft(shop).campaign_id for _ in range(3)]
    assert ids == [clock.now_ms() // 1000 + i for i in range(3)]
    assert all(len(str(i)) == 10 for i in ids)


def test_a_launch_makes_one_message_for_each_user_of_the_segment(world: CampaignWorld, shop: Account) -> None:
    users = world.add_users(shop, range(1, 1001))
    campaign = world.launched(shop)
    assert run_of(world, campaign.campaign_id).state is RunState.PREPARING
    world.prepare()
    run = run_of(world, campaign.campaign_id)
    assert (run.state, run.qualified_count) == (RunState.SENDING, 1000)
    assert queued_users(world, run) == users


def test_a_saved_segment_is_used(world: CampaignWorld, shop: Account) -> None:
    world.add_users(shop, [1, 2, 3])
    world.segments.saved[ACCOUNT, 5] = [2, 3]
    campaign = world.launched(shop, segment_id=SegmentId(5))
    world.prepare()
    assert queued_users(world, run_of(world, campaign.campaign_id)) == [2, 3]


def test_users_share_calls_in_the_order_of_the_segment(world: CampaignWorld, shop: Account) -> None:
    world.add_users(shop, range(1, 11))
    campaign = world.launched(shop, webhook={"messages_per_call_max": 4})
    world.prepare()
    calls = world.outbox.claim(run_of(world, campaign.campaign_id).key, "test", 100)
    assert [sorted(row.profile_id for row in call.rows) for call in calls] == [[1, 2, 3, 4], [5, 6, 7, 8], [9, 10]]


@pytest.mark.usefixtures("small_chunks")
def test_no_message_may_leave_before_the_run_is_complete(world: CampaignWorld, shop: Account) -> None:
    world.add_users(shop, range(1, 501))
    campaign = world.launched(shop)
    while run_of(world, campaign.campaign_id).state is RunState.PREPARING:
        assert world.plans.sending() == []
        world.launcher.step()
    assert [plan.run for plan in world.plans.sending()] == [run_of(world, campaign.campaign_id).key]


@pytest.mark.usefixtures("small_chunks")
@pytest.mark.parametrize("chunks_count", [0, 1, 3, 4])
def test_a_crash_while_preparing_leaves_nobody_out_and_doubles_nobody(
    world: CampaignWorld, database: Database, shop: Account, clock: ManualClock, chunks_count: int
) -> None:
    world.add_users(shop, range(1, 501))
    campaign = world.launched(shop, webhook={"messages_per_call_max": 7})
    for _ in range(1 + chunks_count):
        world.launcher.step()
    # Meanwhile the segment has changed: cut anew, calls must still be of seven.
    world.segments.everybody[ACCOUNT].remove(3)
    world.add_users(shop, [900])
    restarted = CampaignWorld(database, clock, segments=world.segments)
    restarted.prepare()
    run = run_of(restarted, campaign.campaign_id)
    assert run.qualified_count == 500
    calls = restarted.outbox.claim(run.key, "test", 10_000)
    assert sorted(row.profile_id for call in calls for row in call.rows) == [1, 2, *range(4, 501), 900]
    assert {len(call.rows) for call in calls[:-1]} == {7}


@pytest.mark.usefixtures("small_chunks")
def test_two_launchers_one_of_them_ten_minutes_ahead_prepare_a_run_once(
    database: Database, clock: ManualClock, shop: Account, world: CampaignWorld
) -> None:
    world.add_users(shop, range(1, 501))
    ahead = ManualClock(clock.now_ms() + 600_000)
    other = CampaignWorld(database, ahead, segments=world.segments, name="other")
    campaign = world.launched(shop)
    steps = 0
    while run_of(world, campaign.campaign_id).state is RunState.PREPARING:
        world.launcher.step()
        other.launcher.step()
        clock.advance_ms(5_000)
        ahead.advance_ms(5_000)
        steps += 1
        assert steps < 50
    run = run_of(world, campaign.campaign_id)
    assert run.qualified_count == 500
    assert queued_users(world, run) == list(range(1, 501))
    other.launcher.leave()


@pytest.mark.usefixtures("small_chunks")
def test_a_launcher_on_another_machine_takes_over_from_a_dead_one_which_can_do_no_harm(
    database: Database, clock: ManualClock, shop: Account, world: CampaignWorld
) -> None:
    world.add_users(shop, range(1, 501))
    campaign = world.launched(shop)
    for _ in range(3):
        world.launcher.step()
    other = CampaignWorld(database, clock, segments=world.segments, name="other")
    for _ in range(MISSED_BEATS_MAX + 2):
        other.launcher.step()
        clock.advance_ms(5_000)
    other.launcher.step()
    # It was only asleep: its next chunk finds that the run is another's.
    world.launcher.step()
    other.prepare()
    world.prepare()
    assert queued_users(world, run_of(world, campaign.campaign_id)) == list(range(1, 501))
    other.launcher.leave()


@pytest.mark.usefixtures("small_chunks")
def test_a_store_that_fails_on_the_way_is_tried_again(world: CampaignWorld, shop: Account) -> None:
    world.add_users(shop, range(1, 501))
    world.segments.block = 100
    world.segments.fails_after = 200
    campaign = world.launched(shop)
    with pytest.raises(OSError, match="went away"):
        world.prepare()
    world.prepare()
    assert queued_users(world, run_of(world, campaign.campaign_id)) == list(range(1, 501))


def test_small_runs_are_not_kept_waiting_by_a_large_one(
    world: CampaignWorld, shop: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(subject, "CHUNK_ROWS", 10)
    world.add_users(shop, range(1, 501))
    world.segments.saved[ACCOUNT, 1] = [1]
    large = world.launched(shop)
    small = world.launched(shop, segment_id=SegmentId(1))
    for _ in range(3):
        world.launcher.step()
    assert run_of(world, large.campaign_id).state is RunState.PREPARING
    assert run_of(world, small.campaign_id).state is RunState.SENDING


@pytest.mark.parametrize(("users_count", "state"), [(100, RunState.SENDING), (101, RunState.REFUSED)])
def test_a_run_over_its_safety_limit_sends_nothing(
    world: CampaignWorld, shop: Account, users_count: int, state: RunState
) -> None:
    world.add_users(shop, range(1, users_count + 1))
    campaign = world.launched(shop, upper_cap_for_target_segment=100)
    world.prepare()
    run = run_of(world, campaign.campaign_id)
    assert (run.state, run.qualified_count) == (state, users_count)
    if state is RunState.REFUSED:
        (report,) = world.campaigns.report(account_id(), campaign.campaign_id).runs
        assert report.skipped == {Reason.SAFETY_LIMIT: 101}
        assert "101 users qualified, the safety limit is 100" in report.detail
        assert world.campaigns.get(account_id(), campaign.campaign_id).state is CampaignState.COMPLETED


def test_a_segment_that_was_deleted_after_the_launch_refuses_the_run(world: CampaignWorld, shop: Account) -> None:
    world.segments.saved[ACCOUNT, 5] = [1]
    campaign = world.launched(shop, segment_id=SegmentId(5))
    world.segments.saved.clear()
    world.prepare()
    run = run_of(world, campaign.campaign_id)
    assert run.state is RunState.REFUSED
    assert "there is no segment 5" in run.detail


def test_a_campaign_to_nobody_completes(world: CampaignWorld, shop: Account) -> None:
    campaign = world.launched(shop)
    world.prepare()
    world.prepare()
    run = run_of(world, campaign.campaign_id)
    assert (run.state, run.qualified_count) == (RunState.COMPLETED, 0)
    assert run.finished_at_ms is not None
    assert world.campaigns.get(account_id(), campaign.campaign_id).state is CampaignState.COMPLETED


def test_only_a_draft_can_be_launched(world: CampaignWorld, shop: Account) -> None:
    campaign = world.launched(shop)
    with pytest.raises(Conflict, match="is running"):
        world.campaigns.launch(shop, campaign.campaign_id)
    world.prepare()
    world.prepare()
    with pytest.raises(Conflict, match="is completed"):
        world.campaigns.launch(shop, campaign.campaign_id)


def test_of_many_who_launch_at_once_one_wins(world: CampaignWorld, shop: Account) -> None:
    campaign = world.draft(shop)
    outcomes: list[str] = []

    def launch() -> None:
        try:
            world.campaigns.launch(shop, campaign.campaign_id)
            outcomes.append("launched")
        except Conflict:
            outcomes.append("refused")

    threads = [threading.Thread(target=launch) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(outcomes) == ["launched"] + ["refused"] * 7
    assert len(world.campaigns.runs(account_id(), campaign.campaign_id)) == 1


def test_stopping_while_preparing_leaves_an_empty_queue(
    world: CampaignWorld, shop: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(subject, "CHUNK_ROWS", 100)
    world.add_users(shop, range(1, 501))
    campaign = world.launched(shop)
    for _ in range(3):
        world.launcher.step()
    stopped_count = world.campaigns.stop(account_id(), campaign.campaign_id)
    world.prepare()
    run = run_of(world, campaign.campaign_id)
    assert (run.state, run.cancelled_count) == (RunState.STOPPED, stopped_count)
    assert stopped_count == 200
    assert run.finished_at_ms is not None
    assert queued_users(world, run) == []


def test_only_a_running_campaign_can_be_stopped_and_a_stopped_one_stays_stopped(
    world: CampaignWorld, shop: Account
) -> None:
    campaign = world.draft(shop)
    with pytest.raises(Conflict, match="is draft"):
        world.campaigns.stop(account_id(), campaign.campaign_id)
    world.campaigns.launch(shop, campaign.campaign_id)
    world.campaigns.stop(account_id(), campaign.campaign_id)
    with pytest.raises(Conflict, match="is stopped"):
        world.campaigns.stop(account_id(), campaign.campaign_id)
    with pytest.raises(Conflict, match="is stopped"):
        world.campaigns.launch(shop, campaign.campaign_id)
    with pytest.raises(Conflict, match="is stopped"):
        world.campaigns.replay(account_id(), campaign.campaign_id)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        pytest.param({"name": "  "}, "name is mandatory", id="no name"),
        pytest.param({"webhook": {"url": "ftp://x.example"}}, "webhook.url", id="scheme"),
        pytest.param({"webhook": {"url": "http://127.0.0.1/x"}}, "webhook.url", id="loopback"),
        pytest.param({"webhook": {"url": "https://{{ Profile.host }}/"}}, "cannot hold Liquid", id="liquid host"),
        pytest.param({"webhook": {"body": '{"a": "{{ Profile.name"}'}}, "webhook: ", id="broken Liquid"),
        pytest.param({"webhook": {"messages_per_call_max": 1001}}, "messages_per_call_max", id="too many users"),
        pytest.param(
            {"webhook": {"messages_per_call_max": 2, "body": "{}"}}, "messages_per_call_max", id="batch with own body"
        ),
        pytest.param({"rule": None}, "segment_id", id="nobody"),
        pytest.param({"rule": EVERYBODY, "segment_id": 1}, "segment_id", id="two segments"),
        pytest.param({"segment_id": 77}, "there is no segment 77", id="unknown segment"),
        pytest.param({"rule": {"type": "nonsense"}}, "rule", id="broken rule"),
    ],
)
def test_what_could_not_be_sent_cannot_be_saved(
    world: CampaignWorld, shop: Account, changes: dict[str, object], words: str
) -> None:
    with pytest.raises(BadRequest, match=words):
        world.campaigns.create(shop, definition(**changes))
    assert world.campaigns.list_newest(account_id()) == []


def test_an_address_on_the_installations_list_may_be_called(database: Database, clock: ManualClock) -> None:
    world = CampaignWorld(database, clock, allow=["127.0.0.1:9999"])
    assert world.draft(world.account(), webhook={"url": "http://127.0.0.1:9999/hook"})


def test_campaigns_are_listed_in_pages_the_newest_first(world: CampaignWorld, shop: Account) -> None:
    ids = [world.draft(shop).campaign_id for _ in range(5)]
    first = world.campaigns.list_newest(account_id(), limit=3)
    rest = world.campaigns.list_newest(account_id(), before=first[-1].campaign_id, limit=3)
    assert [campaign.campaign_id for campaign in first + rest] == ids[::-1]


async def test_two_accounts_with_the_same_users_and_campaign_ids_never_meet(
    world: CampaignWorld, shop: Account
) -> None:
    other = world.account("ACC-002-BBB")
    world.add_users(shop, [1, 2])
    world.add_users(other, [1, 2, 3])
    mine, theirs = world.launched(shop), world.launched(other, name="Theirs")
    assert mine.campaign_id == theirs.campaign_id
    world.prepare()
    dispatcher = world.dispatcher()
    await dispatcher.step()
    await dispatcher.close()
    reports = [world.campaigns.report(a.account_id, mine.campaign_id) for a in (shop, other)]
    assert [report.name for report in reports] == ["Winback", "Theirs"]
    assert [report.runs[0].sent_count for report in reports] == [2, 3]
    draft = world.draft(other)
    for call in (world.campaigns.get, world.campaigns.report, world.campaigns.stop, world.campaigns.dead_letters):
        with pytest.raises(NotFound):
            call(shop.account_id, draft.campaign_id)
    with pytest.raises(NotFound):
        world.campaigns.launch(shop, draft.campaign_id)
    with pytest.raises(NotFound):
        world.explain.explain(shop.account_id, draft.campaign_id, identity="u-1")
    told = world.explain.explain(shop.account_id, mine.campaign_id, identity="u-3")
    assert told.outcome == "user_unknown"


def test_the_launcher_runs_until_it_is_told_to_stop(world: CampaignWorld, shop: Account) -> None:
    world.add_users(shop, range(1, 101))
    campaign = world.launched(shop)
    stop = threading.Event()
    thread = threading.Thread(target=world.launcher.run, args=(stop,))
    thread.start()

    async def until_sending() -> None:
        async with asyncio.timeout(20):
            while run_of(world, campaign.campaign_id).state is not RunState.SENDING:
                await asyncio.sleep(0.01)

    asyncio.run(until_sending())
    stop.set()
    thread.join(timeout=20)
    assert not thread.is_alive()
