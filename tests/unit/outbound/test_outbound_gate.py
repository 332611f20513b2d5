"""Per host: a rate, and a breaker. One host's trouble is not another's."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from belfry.clock import ManualClock
from belfry.outbound import gate as gate_module
from belfry.outbound.bucket import Bucket
from belfry.outbound.gate import Gate


def test_a_bucket_lets_its_burst_through_and_then_its_rate(clock: ManualClock) -> None:
    bucket = Bucket(clock, rate_per_s=10, burst=3)
    assert [bucket.wait_ms() == 0 for _ in range(4)] == [True, True, True, False]
    clock.advance_ms(100)
    assert bucket.wait_ms() == 0
    assert bucket.wait_ms() > 0


def test_a_token_that_was_given_back_can_be_taken_again(clock: ManualClock) -> None:
    bucket = Bucket(clock, rate_per_s=1, burst=1)
    assert bucket.wait_ms() == 0
    bucket.give_back()
    assert bucket.wait_ms() == 0


def test_a_clock_set_back_neither_fills_nor_blocks(clock: ManualClock) -> None:
    bucket = Bucket(clock, rate_per_s=10, burst=1)
    assert bucket.wait_ms() == 0
    clock.advance_ms(-60_000)
    assert bucket.wait_ms() > 0
    clock.advance_ms(100)
    assert bucket.wait_ms() == 0


def test_a_rate_of_nothing_is_a_mistake(clock: ManualClock) -> None:
    with pytest.raises(ValueError, match="above 0"):
        Bucket(clock, rate_per_s=0)


@given(st.lists(st.integers(0, 500), min_size=1, max_size=200), st.integers(1, 50), st.integers(1, 20))
def test_a_bucket_never_gives_more_than_burst_and_rate_allow(steps: list[int], rate: int, burst: int) -> None:
    clock = ManualClock(0)
    bucket = Bucket(clock, rate_per_s=rate, burst=burst)
    taken = 0
    for step in steps:
        clock.advance_ms(step)
        taken += bucket.wait_ms() == 0
        assert taken <= burst + clock.now_ms() * rate / 1000 + 1e-6


@given(st.integers(1, 5_000))
def test_after_the_wait_that_it_names_there_is_a_token(rate: int) -> None:
    clock = ManualClock(0)
    bucket = Bucket(clock, rate_per_s=rate, burst=1)
    bucket.wait_ms()
    clock.advance_ms(bucket.wait_ms())
    assert bucket.wait_ms() == 0


def test_a_host_that_fails_is_held_and_the_others_are_not(clock: ManualClock) -> None:
    gate = Gate(clock)
    for _ in range(20):
        assert gate.hold("bad:443") is None
        gate.note("bad:443", has_failed=True)
    held = gate.hold("bad:443")
    assert held is not None
    assert held.is_open
    assert held.wait_ms == 30_000
    assert gate.hold("good:443") is None


def test_a_host_over_its_rate_is_held_until_it_has_a_token(clock: ManualClock) -> None:
    gate = Gate(clock, rate_per_s=2)
    assert [gate.hold("x:80") is None for _ in range(3)] == [True, True, False]
    held = gate.hold("x:80")
    assert held is not None
    assert not held.is_open
    clock.advance_ms(held.wait_ms)
    assert gate.hold("x:80") is None


def test_hosts_that_were_not_called_lately_are_forgotten(clock: ManualClock, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gate_module, "HOSTS_MAX", 2)
    gate = Gate(clock, rate_per_s=1)
    assert gate.hold("a:80") is None
    gate.hold("b:80")
    gate.hold("c:80")
    assert gate.hold("a:80") is None
