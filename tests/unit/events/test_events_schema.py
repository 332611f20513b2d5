"""Shapes: what an event teaches, and that looking at a shape once does not lose what a later event teaches."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from belfry.events.model import Event, encode_props
from belfry.events.schema import LAST_SEEN_STEP_MS, AccountBook, SchemaChanges, type_of
from belfry.ids import AccountId, ProfileId

ACME = AccountId("ACME")
AT_MS = 1_795_608_000_000


def an_event(props: dict[str, Any], at_ms: int = AT_MS, name: str = "Sign Up") -> Event:
    folded = name.replace(" ", "").lower()
    return Event(name, folded, at_ms, props, encode_props(props), ProfileId(1), "", "API", 1, at_ms)


def a_book() -> AccountBook:
    return AccountBook(ACME, {}, {})


def see(book: AccountBook, event: Event) -> str:
    """What the pipeline does."""
    return book.shown_if_usual(event) or book.observe_event(event, is_system=False)


@pytest.mark.parametrize(
    ("value", "kind"),
    [
        (True, "Boolean"),
        (1, "Integer"),
        (1.5, "Float"),
        ("x", "String"),
        ("$D_1767225600", "Date"),
        (["a"], "List"),
        ({"a": 1}, "Object"),
    ],
)
def test_a_value_has_one_type(value: object, kind: str) -> None:
    assert type_of(value) == kind


def test_a_name_is_shown_as_it_was_first_written() -> None:
    book = a_book()
    assert see(book, an_event({}, name="Sign Up")) == "Sign Up"
    assert see(book, an_event({}, name="SIGNUP")) == "Sign Up"
    assert see(book, an_event({"n": 1}, name="signup")) == "Sign Up"


def test_a_shape_that_was_seen_teaches_nothing() -> None:
    book = a_book()
    see(book, an_event({"n": 1}))
    assert book.take_changes() != SchemaChanges([], [])
    assert book.shown_if_usual(an_event({"n": 2})) == "Sign Up"
    assert book.take_changes() == SchemaChanges([], [])


@pytest.mark.parametrize(
    "event",
    [
        pytest.param(an_event({"n": 1.5}), id="another type"),
        pytest.param(an_event({"n": True}), id="a boolean is no integer"),
        pytest.param(an_event({"n": "$D_1767225600"}), id="a date is no text"),
        pytest.param(an_event({"n": 1, "m": 1}), id="another property"),
        pytest.param(an_event({"n": 1}, name="Other"), id="another name"),
        pytest.param(an_event({"n": 1}, AT_MS - 1), id="earlier than ever"),
        pytest.param(an_event({"n": 1}, AT_MS + LAST_SEEN_STEP_MS), id="an hour later"),
    ],
)
def test_what_is_new_is_not_taken_for_usual(event: Event) -> None:
    book = a_book()
    see(book, an_event({"n": 1}))
    see(book, an_event({"n": "text"}))
    assert book.shown_if_usual(event) is None


def test_changes_are_told_once_and_later_ones_do_not_reach_them() -> None:
    book = a_book()
    see(book, an_event({"n": 1}))
    changes = book.take_changes()
    see(book, an_event({"n": 1}, AT_MS - 5))
    assert changes.events == [(ACME, "signup", "Sign Up", "active", False, AT_MS, AT_MS)]
    assert changes.properties == [(ACME, "signup", "n", "Integer", AT_MS, AT_MS)]
    assert [row[-2] for row in book.take_changes().events] == [AT_MS - 5]


def test_system_events_do_not_count_as_the_accounts_names() -> None:
    book = a_book()
    book.observe_event(an_event({}, name="Identity Set"), is_system=True)
    see(book, an_event({}))
    assert book.custom_names_count == 1
    assert book.knows("identityset")


event_lists = st.lists(
    st.builds(
        an_event,
        st.dictionaries(st.sampled_from("abc"), st.sampled_from([1, 1.5, True, "x", "$D_5", ["x"]]), max_size=3),
        st.integers(AT_MS - 3 * LAST_SEEN_STEP_MS, AT_MS + 3 * LAST_SEEN_STEP_MS),
        st.sampled_from(["Sign Up", "Bought"]),
    ),
    max_size=30,
)


@settings(max_examples=300, deadline=None)
@given(event_lists)
def test_the_short_way_comes_to_the_same_rows_as_looking_at_every_event(events: list[Event]) -> None:
    short, whole = a_book(), a_book()
    for event in events:
        assert see(short, event) == whole.observe_event(event, is_system=False)
    assert short.take_changes() == whole.take_changes()
