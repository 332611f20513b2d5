"""The circuit breaker (partner integrations 4.4): opens at half of 20 in 30 s, half-open after 30 s."""

from __future__ import annotations

import pytest

from belfry.clock import ManualClock
from belfry.outbound.breaker import Breaker, BreakerState


@pytest.fixture
def breaker(clock: ManualClock) -> Breaker:
    return Breaker(clock)


def note(breaker: Breaker, *, failed: int = 0, good: int = 0) -> None:
    for _ in range(failed):
        breaker.note(has_failed=True)
    for _ in range(good):
        breaker.note(has_failed=False)


@pytest.mark.parametrize(
    ("good", "failed", "state"),
    [
        pytest.param(0, 19, BreakerState.CLOSED, id="too few calls to judge"),
        pytest.param(0, 20, BreakerState.OPEN, id="all failed"),
        pytest.param(10, 10, BreakerState.OPEN, id="exactly half"),
        pytest.param(11, 9, BreakerState.CLOSED, id="less than half"),
        pytest.param(100, 99, BreakerState.CLOSED, id="less than half of many"),
    ],
)
def test_it_opens_when_half_of_at_least_twenty_failed(
    breaker: Breaker, good: int, failed: int, state: BreakerState
) -> None:
    note(breaker, good=good)
    note(breaker, failed=failed)
    assert breaker.state is state


def test_what_is_older_than_the_window_does_not_count(breaker: Breaker, clock: ManualClock) -> None:
    note(breaker, failed=19)
    clock.advance_ms(30_000)
    note(breaker, failed=1)
    assert breaker.state is BreakerState.CLOSED
    note(breaker, failed=18)
    assert breaker.state is BreakerState.CLOSED
    note(breaker, failed=1)
    assert breaker.state is BreakerState.OPEN


def test_open_it_says_how_long_to_wait(breaker: Breaker, clock: ManualClock) -> None:
    note(breaker, failed=20)
    clock.advance_ms(10_000)
    assert breaker.wait_ms() == 20_000


def test_half_open_it_lets_one_call_through_at_a_time(breaker: Breaker, clock: ManualClock) -> None:
    note(breaker, failed=20)
    clock.advance_ms(30_000)
    assert breaker.state is BreakerState.HALF_OPEN
    assert breaker.wait_ms() == 0
    assert breaker.wait_ms() > 0


def test_a_good_probe_closes_it_with_a_clean_count(breaker: Breaker, clock: ManualClock) -> None:
    note(breaker, failed=20)
    clock.advance_ms(30_000)
    assert breaker.wait_ms() == 0
    note(breaker, good=1)
    assert breaker.state is BreakerState.CLOSED
    note(breaker, failed=19)
    assert breaker.wait_ms() == 0


def test_a_bad_probe_opens_it_for_another_thirty_seconds(breaker: Breaker, clock: ManualClock) -> None:
    note(breaker, failed=20)
    clock.advance_ms(30_000)
    assert breaker.wait_ms() == 0
    note(breaker, failed=1)
    assert breaker.wait_ms() == 30_000


def test_a_probe_that_never_came_back_does_not_block_for_ever(breaker: Breaker, clock: ManualClock) -> None:
    note(breaker, failed=20)
    clock.advance_ms(30_000)
    assert breaker.wait_ms() == 0
    clock.advance_ms(30_000)
    assert breaker.wait_ms() == 0


def test_calls_that_were_under_way_when_it_opened_change_nothing(breaker: Breaker, clock: ManualClock) -> None:
    note(breaker, failed=20)
    note(breaker, good=5)
    assert breaker.state is BreakerState.OPEN
    assert breaker.wait_ms() == 30_000
