"""Discarding event names and restoring them, on each engine."""

from __future__ import annotations

import pytest

from belfry.clock import ManualClock
from belfry.errors import Conflict, NotFound
from belfry.events.discarded_names import DiscardedNames
from belfry.events.discards import EventDiscards, read_discards
from belfry.events.schema import read_schema
from belfry.events.tables import event_schema
from belfry.ids import AccountId
from belfry.storage.relational import Database
from support.running import wait_for

SHOP, OTHER = AccountId("SHO-P00-0001"), AccountId("OTH-ER0-0002")
HOUR_MS = 3_600_000


@pytest.fixture
def discards(database: Database, clock: ManualClock) -> EventDiscards:
    with database.begin() as connection:
        for account_id in (SHOP, OTHER):
            for name, is_system in (("Sign Up", False), ("App Launched", True)):
                connection.execute(
                    event_schema.insert().values(
                        account_id=account_id,
                        name=name.replace(" ", "").lower(),
                        shown_as=name,
                        state="active",
                        is_system=is_system,
                        first_seen_ms=0,
                        last_seen_ms=0,
                    )
                )
    return EventDiscards(database, clock)


def states(database: Database, account_id: AccountId) -> dict[str, str]:
    return {event.shown_as: event.state for event in read_schema(database, account_id)[0]}


def test_a_discarded_name_is_known_to_the_edge_after_a_refresh(database: Database, discards: EventDiscards) -> None:
    names = DiscardedNames(database)
    discards.discard(SHOP, "SIGN up")
    assert names.of(SHOP) == frozenset()
    names.refresh()
    assert (names.of(SHOP), names.of(OTHER)) == (frozenset({"signup"}), frozenset())
    assert states(database, SHOP)["Sign Up"] == "discarded"
    assert states(database, OTHER)["Sign Up"] == "active"


def test_it_is_restored_after_a_day_and_discarded_again_after_another(
    database: Database, discards: EventDiscards, clock: ManualClock
) -> None:
    began = clock.now_ms()
    discards.discard(SHOP, "Sign Up")
    clock.advance_ms(24 * HOUR_MS - 1)
    with pytest.raises(Conflict, match="Sign Up was discarded and can be restored from 2026-11-26T12:00:00Z on"):
        discards.restore(SHOP, "Sign Up")
    clock.advance_ms(1)
    discards.restore(SHOP, "Sign Up")
    assert states(database, SHOP)["Sign Up"] == "active"
    with pytest.raises(Conflict, match="Sign Up was restored and can be discarded from 2026-11-27T12:00:00Z on"):
        discards.discard(SHOP, "Sign Up")
    clock.advance_ms(24 * HOUR_MS)
    discards.discard(SHOP, "Sign Up")
    with database.read() as connection:
        kept = sorted(read_discards(connection, SHOP), key=lambda one: one.discarded_at_ms)
    day = 24 * HOUR_MS
    assert [(one.discarded_at_ms - began, one.restored_at_ms) for one in kept] == [(0, began + day), (2 * day, None)]


def test_twice_does_no_harm(discards: EventDiscards, clock: ManualClock) -> None:
    first = discards.discard(SHOP, "Sign Up")
    clock.advance_ms(24 * HOUR_MS)
    assert discards.discard(SHOP, "signup") == first
    restored = discards.restore(SHOP, "Sign Up")
    clock.advance_ms(5)
    assert discards.restore(SHOP, "Sign Up") == restored


def test_a_running_edge_hears_of_a_discard_in_less_than_a_second(database: Database, discards: EventDiscards) -> None:
    names = DiscardedNames(database)
    names.start()
    try:
        discards.discard(SHOP, "Sign Up")
        wait_for(lambda: names.of(SHOP) == frozenset({"signup"}), 1.0, "the discard to be known")
    finally:
        names.close()


@pytest.mark.parametrize("name", ["Never Seen", "", "a\x00b", "x" * 5000])
def test_a_name_that_the_account_has_not_seen_is_not_found(discards: EventDiscards, name: str) -> None:
    with pytest.raises(NotFound):
        discards.discard(SHOP, name)
    with pytest.raises(NotFound):
        discards.restore(SHOP, name)


def test_a_name_that_was_never_discarded_cannot_be_restored(discards: EventDiscards) -> None:
    with pytest.raises(NotFound, match="Sign Up was never discarded"):
        discards.restore(SHOP, "Sign Up")


def test_events_of_the_system_cannot_be_discarded(discards: EventDiscards) -> None:
    with pytest.raises(Conflict, match="App Launched is raised by the system and cannot be discarded"):
        discards.discard(SHOP, "App Launched")


def test_the_edge_keeps_its_last_copy_when_the_store_cannot_be_read(
    database: Database, discards: EventDiscards, monkeypatch: pytest.MonkeyPatch
) -> None:
    names = DiscardedNames(database)
    discards.discard(SHOP, "Sign Up")
    names.start()
    assert names.of(SHOP) == frozenset({"signup"})

    def broken() -> None:
        raise OSError("gone")

    monkeypatch.setattr(database, "read", broken)
    names._try_refresh()
    assert names.of(SHOP) == frozenset({"signup"})
    names.close()
