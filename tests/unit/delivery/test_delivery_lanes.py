"""Lanes: each provider gets its share, whatever the others do."""

from __future__ import annotations

from belfry.delivery.lanes import DRAIN_MS_MAX, DRAIN_MS_MIN, ROWS_MAX, ROWS_MIN, Lane, Lanes
from belfry.delivery.model import OutboundRequest, OutboxRow, RunKey
from belfry.delivery.prepare import Ready
from belfry.ids import CampaignId, MessageId, ProfileId
from support.delivery import RUN, FakePlan


def plan(number: int, host: str) -> FakePlan:
    return FakePlan(RunKey(RUN.account_id, CampaignId(number), 1), host=host)


def calls(of: FakePlan, count: int) -> list[Ready]:
    row = OutboxRow(RUN.account_id, MessageId("m"), ProfileId(1), 1, 0, 0)
    request = OutboundRequest(method="POST", url="https://a.example/")
    return [Ready(of, (row,), request, 0) for _ in range(count)]


def start_all(lanes: Lanes, lane: Lane) -> int:
    started = 0
    while lanes.start(lane) is not None:
        started += 1
    return started


def lanes_for(requests_max: int, *plans: FakePlan) -> tuple[Lanes, dict[str, Lane]]:
    lanes = Lanes(requests_max)
    lanes.set_plans(plans)
    return lanes, {lane.key: lane for lane in lanes}


def test_runs_to_one_host_share_a_lane() -> None:
    _, by_key = lanes_for(8, plan(1, "a:443"), plan(2, "a:443"), plan(3, "b:443"))
    assert {key: len(lane.plans) for key, lane in by_key.items()} == {"a:443": 2, "b:443": 1}


def test_a_lane_alone_leaves_room_for_the_next() -> None:
    lanes, by_key = lanes_for(12, plan(1, "a:443"))
    lane = by_key["a:443"]
    lanes.add(lane, calls(lane.plans[0], 100))
    assert start_all(lanes, lane) == 6


def test_a_hanging_provider_cannot_take_what_others_need() -> None:
    slow, fast = plan(1, "slow:443"), plan(2, "fast:443")
    lanes, by_key = lanes_for(12, slow, fast)
    lanes.add(by_key["slow:443"], calls(slow, 100))
    start_all(lanes, by_key["slow:443"])
    lanes.add(by_key["fast:443"], calls(fast, 100))
    assert start_all(lanes, by_key["fast:443"]) == 4


def test_with_more_providers_than_places_everyone_gets_a_turn() -> None:
    plans = [plan(i, f"h{i}:443") for i in range(5)]
    lanes, by_key = lanes_for(2, *plans)
    for p in plans:
        lanes.add(by_key[p.host], calls(p, 3))
    waiting = [by_key[p.host] for p in plans]
    running = [lane for lane in waiting if lanes.start(lane) is not None]
    assert len(running) == 2
    served = {lane.key for lane in running}
    for _ in range(8):
        lane = running.pop(0)
        for free in lanes.finish(lane):
            if lanes.start(free) is not None:
                running.append(free)
                served.add(free.key)
    assert served == {lane.key for lane in waiting}


def test_a_finished_lane_without_runs_disappears() -> None:
    lanes, by_key = lanes_for(4, plan(1, "a:443"))
    lane = by_key["a:443"]
    lanes.add(lane, calls(lane.plans[0], 1))
    assert lanes.start(lane) is not None
    lanes.set_plans([])
    assert list(lanes) == [lane]
    lanes.finish(lane)
    lanes.set_plans([])
    assert list(lanes) == []
    assert lanes.share == 4


def test_runs_of_a_lane_take_turns() -> None:
    first, second = plan(1, "a:443"), plan(2, "a:443")
    lanes, by_key = lanes_for(4, first, second)
    lane = by_key["a:443"]
    lane.had_turn(first.run)
    lanes.set_plans([first, second, plan(3, "a:443")])
    assert [p.run.campaign_id for p in lane.plans] == [2, 1, 3]


def test_emptying_takes_back_what_has_not_left() -> None:
    lanes, by_key = lanes_for(4, plan(1, "a:443"))
    lane = by_key["a:443"]
    lanes.add(lane, calls(lane.plans[0], 5))
    start_all(lanes, lane)
    assert len(lanes.empty()) == 3
    assert lanes.share == 2
    assert lane.in_flight_count == 2


def test_a_fast_provider_is_claimed_for_in_larger_and_a_slow_one_in_smaller_pieces() -> None:
    lane = Lane("a", rows_max=64)
    now_ms = 0
    for _ in range(10):
        lane.learn(64, now_ms)
        now_ms += DRAIN_MS_MIN - 1
    assert lane.rows_max == ROWS_MAX
    for _ in range(12):
        lane.learn(64, now_ms)
        now_ms += DRAIN_MS_MAX + 1
    assert lane.rows_max == ROWS_MIN


def test_a_quiet_time_teaches_nothing() -> None:
    lane = Lane("a", rows_max=64)
    lane.learn(64, 0)
    lane.learn(0, 10)
    lane.learn(64, 1_000_000)
    assert lane.rows_max == 64


def test_a_paused_or_quiet_lane_wants_nothing() -> None:
    lanes, by_key = lanes_for(4, plan(1, "a:443"))
    lane = by_key["a:443"]
    assert lanes.wants_more(lane, 1_000)
    lane.paused_until_ms = 1_001
    assert not lanes.wants_more(lane, 1_000)
    assert lanes.wants_more(lane, 1_001)
    lane.quiet_until_ms = 2_000
    assert not lanes.wants_more(lane, 1_999)
    lane.is_feeding = True
    assert not lanes.wants_more(lane, 3_000)
