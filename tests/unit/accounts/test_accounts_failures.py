"""Guessing passcodes gets slow; nobody else does."""

from __future__ import annotations

from belfry.accounts.failures import REMEMBERED_MAX, FailureDelays
from belfry.clock import ManualClock


def test_the_tenth_failure_of_a_minute_is_the_first_to_wait(clock: ManualClock) -> None:
    delays = FailureDelays(clock)
    waits = [delays.delay_s("192.0.2.1", "A") for _ in range(20)]
    assert waits[:9] == [0.0] * 9
    assert waits[9] > 0
    assert waits == sorted(waits)
    assert max(waits) == 2.0


def test_failures_count_by_account_from_many_addresses_and_by_address_over_many_accounts(clock: ManualClock) -> None:
    delays = FailureDelays(clock)
    by_account = [delays.delay_s(f"192.0.2.{n}", "A") for n in range(10)]
    by_address = [delays.delay_s("198.51.100.1", f"account {n}") for n in range(10)]
    assert by_account[8:] == by_address[8:] == [0.0, 0.25]


def test_a_minute_later_all_is_forgotten(clock: ManualClock) -> None:
    delays = FailureDelays(clock)
    for _ in range(30):
        delays.delay_s("192.0.2.1", "A")
    clock.advance_ms(60_000)
    assert delays.delay_s("192.0.2.1", "A") == 0.0


def test_memory_does_not_grow_with_made_up_accounts(clock: ManualClock) -> None:
    delays = FailureDelays(clock)
    for number in range(REMEMBERED_MAX):
        delays.delay_s(f"10.{number >> 16}.{number >> 8 & 255}.{number & 255}", "x" * 10_000 + str(number))
    assert len(delays._counts) <= REMEMBERED_MAX
