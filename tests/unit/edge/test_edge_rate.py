"""Calls a minute from one address."""

from __future__ import annotations

import pytest

from belfry.clock import ManualClock
from belfry.edge import rate
from belfry.edge.rate import PerMinute
from belfry.errors import TooManyRequests


def test_the_call_after_the_limit_is_told_when_to_come_back() -> None:
    clock = ManualClock(0)
    limit = PerMinute(clock, 3)
    for _ in range(3):
        limit.note("10.0.0.1")
    clock.advance_ms(20_500)
    with pytest.raises(TooManyRequests) as caught:
        limit.note("10.0.0.1")
    assert (caught.value.limit, caught.value.retry_after_s) == (3, 40)
    limit.note("10.0.0.2")


def test_a_new_minute_begins_anew_and_refused_calls_do_not_prolong_the_old_one() -> None:
    clock = ManualClock(0)
    limit = PerMinute(clock, 1)
    limit.note("10.0.0.1")
    clock.advance_ms(59_999)
    with pytest.raises(TooManyRequests):
        limit.note("10.0.0.1")
    clock.advance_ms(1)
    limit.note("10.0.0.1")


def test_whoever_calls_from_many_addresses_takes_no_more_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rate, "REMEMBERED_MAX", 10)
    limit = PerMinute(ManualClock(0), 1)
    for number in range(100):
        limit.note(f"10.0.0.{number}")
    assert len(limit._counts) == 10
