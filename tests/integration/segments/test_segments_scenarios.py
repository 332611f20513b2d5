"""The acceptance scenarios about segments (engagement 12), and what hostile names may not do (S7)."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from belfry.accounts.model import Account, AccountSettings, AccountState
from belfry.clock import ManualClock
from belfry.errors import BadRequest
from belfry.ids import AccountId, ProfileId
from belfry.segments.actions import Segments
from belfry.segments.parse import parse, parse_event_query
from belfry.storage.columnar import Columnar
from belfry.storage.relational import Database
from support.segment_oracle import Happened, Person, World
from support.segment_worlds import store

NOON_MS = 1_795_608_000_000
HOUR_MS = 3_600_000
ACME = Account(AccountId("acme"), "Acme", "UTC", "eu1", AccountState.ACTIVE, AccountSettings(), 0)


@pytest.fixture
def segments(sqlite_database: Database, columnar: Columnar, clock: ManualClock) -> Segments:
    return Segments(sqlite_database, columnar, clock)


def stored(columnar: Columnar, people: list[Person], events: list[Happened]) -> None:
    store(World(people, events, "UTC", NOON_MS), columnar, ACME.account_id)


def charged(profile_id: int, count: int, **props: Any) -> list[Happened]:
    first = profile_id * 1000
    return [Happened(profile_id, "charged", NOON_MS - HOUR_MS * (n + 1), first + n, dict(props)) for n in range(count)]


def ids_of(segments: Segments, tree: dict[str, Any]) -> list[int]:
    return list(segments.profile_ids(ACME, parse(tree), limit=1000))


def test_scenario_5_a_missing_amount_counts_as_zero_in_an_average(segments: Segments, columnar: Columnar) -> None:
    amounts: list[dict[str, Any]] = [{"Amount": 5}, {"Amount": 7}, {"Amount": 13}, {}, {}]
    events = [Happened(1, "charged", NOON_MS - n, n + 1, props) for n, props in enumerate(amounts)]
    stored(columnar, [Person(1)], events)
    rule = {"type": "event", "event": "Charged", "measure": {"fn": "avg", "prop": "Amount", "cmp": "gte", "value": 6}}
    assert ids_of(segments, rule) == []
    assert ids_of(segments, {**rule, "where": {"prop": "Amount", "cmp": "exists"}}) == [1]


def test_scenario_6_zero_counts_only_if_included(segments: Segments, columnar: Columnar) -> None:
    stored(columnar, [Person(1), Person(2), Person(3)], [*charged(2, 4), *charged(3, 5)])
    measure = {"fn": "count", "cmp": "lt", "value": 5}
    assert ids_of(segments, {"type": "event", "event": "Charged", "measure": measure}) == [2]
    with_zero = {"type": "event", "event": "Charged", "measure": {**measure, "include_zero": True}}
    assert ids_of(segments, with_zero) == [1, 2]


def test_scenario_7_version_5_10_is_after_5_9(segments: Segments, columnar: Columnar) -> None:
    people = [Person(n + 1, devices=({"app_version": v},)) for n, v in enumerate(["5.8", "5.9", "5.10"])]
    stored(columnar, [*people, Person(4, devices=({"app_version": "5.1"}, {"app_version": "6"}))], [])
    rule = {"type": "user", "field": "app_version", "cmp": "gt", "value": "5.9"}
    assert ids_of(segments, rule) == [3, 4]


def test_scenario_22_recency_is_cut_in_five_equal_parts(segments: Segments, columnar: Columnar) -> None:
    people = [Person(n) for n in range(1, 101)]
    events = [Happened(n, "charged", NOON_MS - n * HOUR_MS, n, {}) for n in range(1, 101)]
    stored(columnar, people, events)
    by_score = [
        ids_of(segments, {"type": "rfm", "event": "Charged", "range": "all", "r": [score]}) for score in range(1, 6)
    ]
    assert [len(ids) for ids in by_score] == [20] * 5
    assert by_score[4] == list(range(1, 21))
    new_users = ids_of(segments, {"type": "rfm", "event": "Charged", "range": "all", "cell": "New Users"})
    assert new_users == by_score[4]


def test_events_of_hidden_profiles_count_for_nobody(segments: Segments, columnar: Columnar) -> None:
    stored(columnar, [Person(1, hidden=True), Person(2)], [*charged(1, 3), *charged(2, 1)])
    assert ids_of(segments, {"type": "event", "event": "Charged"}) == [2]
    assert ids_of(segments, {"type": "event", "event": "Never", "did": False}) == [2]
    assert ids_of(segments, {"type": "everyone"}) == [2]


def test_two_accounts_with_the_same_ids_do_not_meet(segments: Segments, columnar: Columnar) -> None:
    stored(columnar, [Person(1), Person(2)], charged(1, 1))
    other = World([Person(1), Person(2), Person(3)], charged(2, 2), "UTC", NOON_MS)
    store(other, columnar, "other")
    assert ids_of(segments, {"type": "event", "event": "Charged"}) == [1]
    assert ids_of(segments, {"type": "event", "event": "Charged", "did": False}) == [2]


def test_a_range_is_placed_in_the_accounts_time_zone(segments: Segments, columnar: Columnar) -> None:
    stored(columnar, [Person(1)], [Happened(1, "charged", NOON_MS - 13 * HOUR_MS, 1, {})])
    yesterday = parse({"type": "event", "event": "Charged", "when": {"range": "yesterday"}})
    kolkata = Account(ACME.account_id, "Acme", "Asia/Kolkata", "eu1", AccountState.ACTIVE, AccountSettings(), 0)
    assert segments.count(ACME, yesterday) == 1
    assert segments.count(kolkata, yesterday) == 0


def test_an_evaluation_as_of_the_past_sees_nothing_later(segments: Segments, columnar: Columnar) -> None:
    stored(columnar, [Person(1)], charged(1, 2))
    rule = parse({"type": "event", "event": "Charged", "measure": {"cmp": "eq", "value": 1}})
    assert segments.count(ACME, rule) == 0
    assert segments.count(ACME, rule, as_of_ms=NOON_MS - HOUR_MS - 1) == 1


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    name=st.text(alphabet=st.sampled_from("a`'\"\\{}:;.-/*%#\n\x00é?@$ "), min_size=1, max_size=12),
    value=st.text(alphabet=st.sampled_from("a`'\"\\{}:;-/*%\n\t\x00é"), min_size=1, max_size=12),
)
def test_no_name_or_value_breaks_the_statement(segments: Segments, name: str, value: str) -> None:
    """Whatever is refused is refused by the parser; nothing reaches the engine as a syntax error."""
    try:
        rules = [
            parse({"type": "user", "prop": name, "cmp": "eq", "value": value}),
            parse({"type": "event", "event": name, "where": {"prop": name, "cmp": "in", "value": [value, "é"]}}),
        ]
    except BadRequest:
        return
    assert [segments.count(ACME, rule) for rule in rules] == [0, 0]


@pytest.mark.parametrize("value", ["a'b", 'a"b', "a\\b", "tab\there", "new\nline", "{p0:String}", "é✓", "\\N", "NULL"])
def test_an_odd_text_finds_itself(segments: Segments, columnar: Columnar, value: str) -> None:
    stored(columnar, [Person(1, {"p": value}), Person(2, {"p": "other"}), Person(3, {"p": [value]})], [])
    assert ids_of(segments, {"type": "user", "prop": "p", "cmp": "eq", "value": value}) == [1, 3]
    assert ids_of(segments, {"type": "user", "prop": "p", "cmp": "in", "value": [value, "x"]}) == [1, 3]
    assert ids_of(segments, {"type": "user", "prop": "p", "cmp": "contains", "value": value}) == [1, 3]


def test_a_pattern_that_only_the_engine_refuses_is_the_callers_error(segments: Segments, columnar: Columnar) -> None:
    stored(columnar, [Person(1, {"p": "x"})], [])
    rule = parse({"type": "user", "prop": "p", "cmp": "matches", "value": "a{1001}"})
    with pytest.raises(BadRequest, match="RE2"):
        segments.count(ACME, rule)


def test_pages_stream_and_membership_agree(segments: Segments, columnar: Columnar) -> None:
    stored(columnar, [Person(n) for n in range(1, 12)], [e for n in range(1, 12, 2) for e in charged(n, 1)])
    rule = parse({"type": "event", "event": "Charged"})
    odd = list(range(1, 12, 2))
    assert segments.count(ACME, rule) == len(odd)
    assert [i for block in segments.stream_profile_ids(ACME, rule) for i in block] == odd
    pages = [segments.profile_ids(ACME, rule, after=after, limit=2) for after in (0, 3, 7)]
    assert pages == [[1, 3], [5, 7], [9, 11]]
    assert segments.contains(ACME, rule, ProfileId(3))
    assert not segments.contains(ACME, rule, ProfileId(4))


def test_occurrences_are_counted_or_their_users(segments: Segments, columnar: Columnar) -> None:
    people = [Person(1), Person(2, {"plan": "gold"}), Person(3, hidden=True)]
    events = [*charged(1, 3, Amount=5), *charged(2, 2, Amount=20), *charged(3, 4)]
    stored(columnar, people, events)
    charged_rule = {"type": "event", "event": "Charged"}
    query = parse_event_query(charged_rule, None)
    assert (segments.count_events(ACME, query), segments.count_events(ACME, query, unique=True)) == (5, 2)
    rich = parse_event_query({**charged_rule, "where": {"prop": "Amount", "cmp": "gt", "value": 10}}, None)
    assert segments.count_events(ACME, rich) == 2
    gold = parse_event_query(charged_rule, {"type": "user", "prop": "plan", "cmp": "eq", "value": "gold"})
    assert segments.count_events(ACME, gold) == 2
    first = parse_event_query({**charged_rule, "occurrence": "first"}, None)
    assert segments.count_events(ACME, first) == 2


def test_a_user_is_told_why(segments: Segments, columnar: Columnar) -> None:
    stored(columnar, [Person(1, {"plan": "gold"})], charged(1, 2))
    rule = parse(
        {
            "op": "and",
            "rules": [
                {"type": "event", "event": "Charged", "measure": {"cmp": "gte", "value": 3}},
                {"not": {"type": "user", "prop": "plan", "cmp": "eq", "value": "free"}},
            ],
        }
    )
    reasons = segments.why(ACME, rule, ProfileId(1))
    assert [(reason.at, reason.holds) for reason in reasons] == [("rule.rules[0]", False), ("rule.rules[1].not", False)]
    assert reasons[0].text == "Charged happened 2 times, at least 3 needed"
    assert reasons[1].text == "does not hold: whose plan is “free”"
