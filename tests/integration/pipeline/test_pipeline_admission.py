"""What an account decided before an upload was accepted holds in the pipeline too, and in every replay."""

from __future__ import annotations

from belfry.clock import ManualClock
from belfry.events.discards import EventDiscards
from belfry.storage.relational import metadata
from belfry.subscription_groups.actions import SubscriptionGroups
from belfry.subscription_groups.model import GroupChannel
from support.thread import ACCOUNT, DataThread, event, profile

DAY_MS = 86_400_000


def names(thread: DataThread) -> list[str]:
    return [row[0] for row in thread.events("name", "name != 'identityset'")]


def test_events_that_the_edge_took_too_late_are_dropped_with_528(thread: DataThread, clock: ManualClock) -> None:
    thread.upload(event("ann", "Sign Up"))
    thread.apply()
    discards = EventDiscards(thread.database, clock)
    clock.advance_ms(10)
    discards.discard(ACCOUNT, "Sign Up")
    thread.upload(event("ann", "SIGN UP"), event("ann", "Charged"))
    clock.advance_ms(DAY_MS)
    discards.restore(ACCOUNT, "Sign Up")
    thread.upload(event("ann", "Sign Up"))
    thread.apply()
    assert names(thread) == ["signup", "charged", "signup"]
    assert thread.errors() == [("refused", "code 528")]


def test_an_event_that_was_accepted_before_the_discard_is_kept_however_late_it_is_applied(
    thread: DataThread, clock: ManualClock
) -> None:
    thread.upload(event("ann", "Sign Up"))
    thread.apply()
    thread.upload(event("ann", "Sign Up"))
    clock.advance_ms(10)
    EventDiscards(thread.database, clock).discard(ACCOUNT, "Sign Up")
    thread.apply()
    assert names(thread) == ["signup", "signup"]


def test_only_groups_that_there_were_are_left(thread: DataThread, clock: ManualClock) -> None:
    groups = SubscriptionGroups(thread.database, clock)
    groups.create(ACCOUNT, "Offers", channels=[GroupChannel.EMAIL])
    thread.upload(profile("ann", {"category-unsubscribe": {"email": ["Offers", "News"], "sms": ["Offers"]}}))
    clock.advance_ms(10)
    groups.create(ACCOUNT, "News", channels=[GroupChannel.EMAIL])
    thread.apply()
    assert thread.node("ann").state.properties["category-unsubscribe"] == {"email": ["Offers"]}
    assert thread.errors() == [("unknown_group", "News"), ("unknown_group", "Offers")]
    thread.upload(profile("ann", {"category-resubscribe": {"email": ["Offers"]}}))
    thread.apply()
    assert "category-unsubscribe" not in thread.node("ann").state.properties


def test_a_replay_into_empty_stores_admits_the_same(thread: DataThread, clock: ManualClock) -> None:
    groups = SubscriptionGroups(thread.database, clock)
    discards = EventDiscards(thread.database, clock)
    thread.upload(event("ann", "Sign Up"))
    thread.apply()
    clock.advance_ms(10)
    discards.discard(ACCOUNT, "Sign Up")
    thread.upload(event("ann", "Sign Up"), profile("ann", {"category-unsubscribe": {"email": ["Offers"]}}))
    thread.apply()
    clock.advance_ms(DAY_MS)
    discards.restore(ACCOUNT, "Sign Up")
    groups.create(ACCOUNT, "Offers", channels=[GroupChannel.EMAIL])
    before = (names(thread), thread.errors(), dict(thread.node("ann").state.properties))
    thread.pipeline = thread.new_pipeline()
    _forget_what_was_applied(thread)
    thread.apply()
    assert (names(thread), thread.errors(), dict(thread.node("ann").state.properties)) == before


def _forget_what_was_applied(thread: DataThread) -> None:
    kept = {"event_discards", "subscription_groups"}
    with thread.database.begin() as connection:
        for table in metadata.sorted_tables:
            if table.name not in kept:
                connection.execute(table.delete())
    for name in ("events", "profile_snapshots", "error_records"):
        thread.columnar.command(f"TRUNCATE TABLE {name}")
