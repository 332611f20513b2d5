"""Saved segments: kept, changed, refused with a reason, and seen by their own account only."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from belfry.accounts.model import Account, AccountSettings, AccountState
from belfry.clock import ManualClock
from belfry.errors import BadRequest, Conflict, NotFound
from belfry.ids import AccountId
from belfry.segments.actions import Segments
from belfry.segments.parse import parse
from belfry.storage.columnar import Columnar
from belfry.storage.relational import Database

ACME = Account(AccountId("acme"), "Acme", "UTC", "eu1", AccountState.ACTIVE, AccountSettings(), 0)
OTHER = Account(AccountId("other"), "Other", "UTC", "eu1", AccountState.ACTIVE, AccountSettings(), 0)
DID: dict[str, Any] = {"type": "event", "event": "Charged"}


@pytest.fixture
def segments(database: Database, clock: ManualClock) -> Segments:
    # Saving compiles a rule and asks no columnar store.
    return Segments(database, Columnar("clickhouse://127.0.0.1:1/none"), clock)


def test_a_segment_is_kept_as_it_was_given(segments: Segments, clock: ManualClock) -> None:
    made = segments.create(ACME, " Buyers ", DID)
    assert (made.name, made.rule, made.created_at_ms) == ("Buyers", DID, clock.now_ms())
    assert segments.get(ACME.account_id, made.segment_id) == made
    assert segments.rule_of(ACME.account_id, made.segment_id) == parse(DID)


def test_numbers_are_like_seconds_and_never_used_twice(segments: Segments, clock: ManualClock) -> None:
    now_s = clock.now_ms() // 1000
    numbers = [segments.create(account, "s", DID).segment_id for account in (ACME, ACME, OTHER)]
    assert numbers == [now_s, now_s + 1, now_s]
    assert [s.segment_id for s in segments.list_segments(ACME.account_id)] == numbers[:2]
    segments.delete(ACME.account_id, numbers[1])
    clock.advance_ms(2000)
    assert segments.create(ACME, "s", DID).segment_id == now_s + 2


def test_segments_created_at_the_same_time_get_numbers_of_their_own(segments: Segments) -> None:
    with ThreadPoolExecutor(8) as pool:
        made = list(pool.map(lambda n: segments.create(ACME, f"s{n}", DID).segment_id, range(16)))
    assert len(set(made)) == 16


def test_another_account_sees_nothing(segments: Segments) -> None:
    made = segments.create(ACME, "Buyers", DID)
    with pytest.raises(NotFound):
        segments.get(OTHER.account_id, made.segment_id)
    with pytest.raises(NotFound):
        segments.delete(OTHER.account_id, made.segment_id)
    with pytest.raises(BadRequest, match="there is no segment"):
        segments.create(OTHER, "Theirs", {"type": "segment", "id": made.segment_id})


def test_a_change_keeps_what_is_not_named(segments: Segments, clock: ManualClock) -> None:
    made = segments.create(ACME, "Buyers", DID)
    clock.advance_ms(1000)
    changed = segments.update(ACME, made.segment_id, name="Shoppers")
    assert (changed.name, changed.rule, changed.updated_at_ms) == ("Shoppers", DID, clock.now_ms())
    rule = {"type": "everyone"}
    assert segments.update(ACME, made.segment_id, rule=rule).name == "Shoppers"
    assert segments.get(ACME.account_id, made.segment_id).rule == rule


@pytest.mark.parametrize(
    ("name", "rule", "place"),
    [
        ("", DID, "name"),
        ("x" * 201, DID, "name"),
        (7, DID, "name"),
        ("ok", {"type": "event"}, "rule"),
        ("ok", {"type": "segment", "id": 5}, "rule"),
    ],
    ids=["no name", "long name", "name kind", "broken rule", "unknown segment"],
)
def test_what_cannot_be_used_is_not_saved(segments: Segments, name: Any, rule: Any, place: str) -> None:
    with pytest.raises(BadRequest) as caught:
        segments.create(ACME, name, rule)
    assert caught.value.field == place
    assert segments.list_segments(ACME.account_id) == []


def test_a_segment_cannot_be_made_part_of_itself(segments: Segments) -> None:
    first = segments.create(ACME, "first", DID).segment_id
    second = segments.create(ACME, "second", {"not": {"type": "segment", "id": first}}).segment_id
    with pytest.raises(BadRequest, match="in a circle"):
        segments.update(ACME, first, rule={"type": "segment", "id": second})
    with pytest.raises(BadRequest, match="in a circle"):
        segments.update(ACME, first, rule={"type": "segment", "id": first})
    assert segments.get(ACME.account_id, first).rule == DID


def test_a_segment_in_use_is_not_deleted(segments: Segments) -> None:
    first = segments.create(ACME, "first", DID).segment_id
    second = segments.create(ACME, "second", {"op": "or", "rules": [{"type": "segment", "id": first}]}).segment_id
    with pytest.raises(Conflict, match=str(second)):
        segments.delete(ACME.account_id, first)
    segments.delete(ACME.account_id, second)
    segments.delete(ACME.account_id, first)
    assert segments.list_segments(ACME.account_id) == []


def test_a_segment_is_named_in_the_sentence(segments: Segments) -> None:
    made = segments.create(ACME, "Buyers", DID)
    text = segments.in_words(parse({"type": "segment", "id": made.segment_id}), ACME)
    assert text == "Users in the segment “Buyers”."
