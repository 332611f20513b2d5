"""CleverTap's query language becomes the rule tree; nothing known is dropped, nothing unknown goes unsaid."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from belfry.errors import BadRequest
from belfry.segments.cql import Purpose, Query, translate
from belfry.segments.parse import parse, parse_event_query

TODAY = dt.date(2026, 11, 25)
YEAR = {"range": {"last": 365, "unit": "day"}}
NOVEMBER = {"range": {"between": ["2026-11-01", "2026-11-07"]}}
CHARGED = {"event_name": "Charged", "from": 20261101, "to": 20261107}
CHARGED_RULE = {"type": "event", "did": True, "event": "Charged", "when": NOVEMBER}


def translated(body: Any, purpose: Purpose = Purpose.PROFILE_COUNT, **more: Any) -> Query:
    """A translation, whose trees must all be legal."""
    query = translate(body, purpose, TODAY, **more)
    parse(query.users)
    if query.occurrences is not None:
        parse_event_query(query.occurrences, query.others)
    return query


def user(prop: str, cmp: str, value: Any = None) -> dict[str, Any]:
    return {"type": "user", "prop": prop, "cmp": cmp, **({} if value is None else {"value": value})}


def field(name: str, cmp: str, value: Any) -> dict[str, Any]:
    return {"type": "user", "field": name, "cmp": cmp, "value": value}


@pytest.mark.parametrize(
    ("body", "rule"),
    [
        pytest.param(CHARGED, CHARGED_RULE, id="an event in a range"),
        pytest.param(
            {"eventName": "Charged", "from": "20261101", "to": "20261107"}, CHARGED_RULE, id="Java's spelling"
        ),
        pytest.param({"d": CHARGED}, CHARGED_RULE, id="wrapped in d"),
        pytest.param({"data": [CHARGED]}, CHARGED_RULE, id="wrapped in a list in data"),
        pytest.param({"event_name": "Charged"}, {**CHARGED_RULE, "when": YEAR}, id="no range is a year"),
        pytest.param({}, {"type": "event", "did": True, "any_event": True, "when": YEAR}, id="anything in a year"),
        pytest.param(
            {"from": 20261101, "to": 20261107},
            {"type": "event", "did": True, "any_event": True, "when": NOVEMBER},
            id="anything in a range",
        ),
        pytest.param(
            {**CHARGED, "event_properties": [{"name": "City", "value": ["Porto", "Braga"]}]},
            {
                **CHARGED_RULE,
                "where": {"op": "and", "rules": [{"prop": "City", "cmp": "in", "value": ["Porto", "Braga"]}]},
            },
            id="several values are any of them",
        ),
        pytest.param(
            {**CHARGED, "props": [{"property_name": "ok", "property_value": "True"}]},
            {**CHARGED_RULE, "where": {"op": "and", "rules": [{"prop": "ok", "cmp": "in", "value": ["True", True]}]}},
            id="a boolean as text, older names",
        ),
        pytest.param(
            {**CHARGED, "event_properties": [{"name": "Fare", "operator": "greater_than", "value": "8.5"}]},
            {**CHARGED_RULE, "where": {"op": "and", "rules": [{"prop": "Fare", "cmp": "gt", "value": 8.5}]}},
            id="a number as text",
        ),
        pytest.param(
            {**CHARGED, "event_properties": [{"name": "Items|Book name", "operator": "exists"}]},
            {**CHARGED_RULE, "where": {"op": "and", "rules": [{"prop": "Items|Book name", "cmp": "exists"}]}},
            id="items",
        ),
        pytest.param(
            {**CHARGED, "event_properties": [{"name": "x", "operator": "does_not_contain", "value": ["a", "b"]}]},
            {
                **CHARGED_RULE,
                "where": {
                    "op": "and",
                    "rules": [
                        {
                            "op": "and",
                            "rules": [
                                {"prop": "x", "cmp": "not_contains", "value": "a"},
                                {"prop": "x", "cmp": "not_contains", "value": "b"},
                            ],
                        }
                    ],
                },
            },
            id="contains none of several",
        ),
        pytest.param(
            {**CHARGED, "event_properties": [{"name": "due", "operator": "between", "value": ["$D_1", "$D_2"]}]},
            {
                **CHARGED_RULE,
                "where": {"op": "and", "rules": [{"prop": "due", "cmp": "between", "value": ["$D_1", "$D_2"]}]},
            },
            id="between dates",
        ),
        pytest.param(
            {**CHARGED, "session_properties": [{"name": "first_time", "value": "True"}]},
            {**CHARGED_RULE, "occurrence": "first"},
            id="first time",
        ),
        pytest.param(
            {
                **CHARGED,
                "session_properties": [
                    {"name": "time_of_day", "value": ["22:30", "22:35"]},
                    {"name": "day_of_week", "value": [1, "7"]},
                    {"name": "day_of_month", "value": 31},
                ],
            },
            {**CHARGED_RULE, "when": {**NOVEMBER, "tod": ["22:30", "22:35"], "dow": ["Sun", "Sat"], "dom": [31]}},
            id="times and days, 1 is Sunday",
        ),
    ],
)
def test_a_query_becomes_a_rule(body: Any, rule: dict[str, Any]) -> None:
    query = translated(body)
    assert query.users == rule
    assert query.warnings == []


@pytest.mark.parametrize(
    ("group", "condition", "rule"),
    [
        (
            "profile_fields",
            {"name": "plan", "operator": "not_equals", "value": "trial"},
            user("plan", "not_in", ["trial"]),
        ),
        ("demographics", {"name": "Gender", "value": "Male"}, user("Gender", "in", ["Male", "M"])),
        ("demographics", {"name": "Age", "operator": "greater_than", "value": "18"}, field("age", "gt", 18)),
        ("demographics", {"name": "Age", "value": [18, 19]}, field("age", "in", [18, 19])),
        ("demographics", {"name": "Education", "value": "Graduate"}, user("Education", "in", ["Graduate"])),
        (
            "technographics",
            {"name": "Platform", "value": "AndroidApp"},
            field("platform", "in", ["AndroidApp", "Android"]),
        ),
        ("technographics", {"name": "OS", "value": "iOS"}, field("os", "in", ["iOS"])),
        ("technographics", {"name": "Device", "value": ["Mobile"]}, field("device_type", "in", ["Mobile"])),
        (
            "app_fields",
            {"name": "App Version", "operator": "greater_than", "value": "5.10"},
            field("app_version", "gt", "5.10"),
        ),
        (
            "app_fields",
            {"name": "Make", "operator": "not_equals", "value": "Nothing"},
            field("make", "not_in", ["Nothing"]),
        ),
        ("reachability", {"name": "has_token", "value": "True"}, field("has_token", "eq", True)),
        ("reachability", {"name": "unsubscribed_email", "value": "False"}, field("unsubscribed_email", "eq", False)),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_profile_groups_become_user_rules(group: str, condition: Any, rule: Any) -> None:
    query = translated({**CHARGED, "common_profile_properties": {group: [condition]}})
    assert query.users == {"op": "and", "rules": [CHARGED_RULE, rule]}


def test_the_advanced_parts_are_joined_with_and() -> None:
    event = {"event_name": "Search", "from": 20261101, "to": 20261107}
    rule = {"type": "event", "event": "Search", "when": NOVEMBER}
    query = translated(
        {
            **CHARGED,
            "advanced_query": {
                "did_all": [{**event, "operator": "greater_than_equals", "value": "3"}],
                "did_any": {"any_events": [event, event], "operator": "less_than", "value": 2},
                "did_none": [event],
            },
        }
    )
    source = {"event": "Search", "when": NOVEMBER}
    assert query.users == {
        "op": "and",
        "rules": [
            CHARGED_RULE,
            {**rule, "did": True, "measure": {"fn": "count", "cmp": "gte", "value": 3}},
            {**rule, "did": False},
            {
                "type": "event",
                "did": True,
                "any_of": [source, source],
                "measure": {"fn": "count", "cmp": "lt", "value": 2},
            },
        ],
    }


def test_the_example_of_the_specification_is_translated_but_for_the_place() -> None:
    example = {
        "event_name": "Ride Booked",
        "from": 20261001,
        "to": 20261031,
        "event_properties": [
            {"name": "City", "value": ["Porto", "Braga"]},
            {"name": "Fare", "operator": "greater_than", "value": 8},
        ],
        "common_profile_properties": {
            "profile_fields": [{"name": "plan", "operator": "not_equals", "value": "trial"}],
            "technographics": [{"name": "Platform", "value": "AndroidApp"}],
        },
        "advanced_query": {
            "did_all": [
                {
                    "event_name": "Charged",
                    "from": 20260901,
                    "to": 20261031,
                    "operator": "greater_than_equals",
                    "value": 3,
                }
            ],
            "did_none": [{"event_name": "Support Ticket", "from": 20261015, "to": 20261031}],
        },
    }
    rules = translated(example).users["rules"]
    assert isinstance(rules, list)
    assert [rule["type"] for rule in rules] == ["event", "user", "user", "event", "event"]
    with pytest.raises(BadRequest, match="geo_fields: is not served"):
        translated({**example, "common_profile_properties": {"geo_fields": [["Portugal", "Norte"]]}})


def test_an_export_of_events_keeps_the_occurrences_apart_from_their_users() -> None:
    body = {**CHARGED, "common_profile_properties": {"profile_fields": [{"name": "plan", "value": "gold"}]}}
    query = translated(body, Purpose.EVENTS)
    assert query.occurrences == CHARGED_RULE
    assert query.others == user("plan", "in", ["gold"])
    assert translated(CHARGED, Purpose.EVENTS).others is None


def test_an_export_of_profiles_without_an_event_asks_nobody_to_have_done_anything() -> None:
    body = {"common_profile_properties": {"profile_fields": [{"name": "plan", "value": "gold"}]}}
    assert translated(body, Purpose.PROFILE_EXPORT).users == user("plan", "in", ["gold"])
    assert translated({}, Purpose.PROFILE_EXPORT).users == {"type": "everyone"}


def test_identities_at_the_root_restrict_to_that_user() -> None:
    query = translated({"identity": "u-1", "objectId": "__abc"}, Purpose.PROFILE_EXPORT)
    assert query.users == {
        "op": "and",
        "rules": [
            {"type": "who", "kind": "identity", "value": "u-1"},
            {"type": "who", "kind": "objectid", "value": "__abc"},
        ],
    }


def test_unknown_keys_are_reported_each_once() -> None:
    body = {
        **CHARGED,
        "did_not": [],
        "event_properties": [{"name": "x", "value": 1, "unit": "EUR"}, {"name": "y", "value": 1, "unit": "EUR"}],
        "advanced_query": {"did_not": []},
        "groups": {},
    }
    query = translated(body, also_known=("groups",))
    assert query.warnings == ["unknown key did_not", "unknown key unit"]


@pytest.mark.parametrize(
    ("body", "code", "place"),
    [
        pytest.param({**CHARGED, "from": 20261108}, 4002, "from", id="backwards"),
        pytest.param({**CHARGED, "to": 20261126}, 4002, "to", id="tomorrow"),
        pytest.param(
            {"advanced_query": {"did_none": [{**CHARGED, "to": 20991231}]}},
            4002,
            "advanced_query.did_none[0].to",
            id="tomorrow, deep inside",
        ),
        pytest.param({**CHARGED, "from": "yesterday"}, 400, "from", id="a word"),
        pytest.param({**CHARGED, "from": 20260230}, 400, "from", id="30 February"),
        pytest.param({**CHARGED, "from": True}, 400, "from", id="a boolean"),
        pytest.param({**CHARGED, "event_name": 7}, 400, "event_name", id="a number as name"),
        pytest.param({**CHARGED, "event_properties": [{"value": 1}]}, 400, "event_properties[0].name", id="no name"),
        pytest.param({**CHARGED, "event_properties": [{"name": "x"}]}, 400, "event_properties[0].value", id="no value"),
        pytest.param(
            {**CHARGED, "event_properties": [{"name": "x", "operator": "like", "value": 1}]},
            400,
            "event_properties[0].operator",
            id="operator",
        ),
        pytest.param(
            {**CHARGED, "event_properties": [{"name": "x", "operator": "less_than", "value": "tall"}]},
            400,
            "event_properties[0].value",
            id="less than a word",
        ),
        pytest.param({**CHARGED, "event_properties": "x"}, 400, "event_properties", id="no list"),
        pytest.param(
            {**CHARGED, "session_properties": [{"name": "utm_source", "value": "x"}]},
            400,
            "session_properties[0].name",
            id="a session property that is not served",
        ),
        pytest.param(
            {**CHARGED, "session_properties": [{"name": "first_time", "value": "False"}]},
            400,
            "session_properties[0].value",
            id="not the first time",
        ),
        pytest.param(
            {**CHARGED, "session_properties": [{"name": "day_of_week", "value": [0]}]},
            400,
            "session_properties[0].value",
            id="day 0",
        ),
        pytest.param(
            {"common_profile_properties": {"geo_radius": [[1, 2, 3]]}},
            400,
            "common_profile_properties.geo_radius",
            id="a radius",
        ),
        pytest.param(
            {"common_profile_properties": {"reachability": [{"name": "has_fax", "value": "True"}]}},
            400,
            "common_profile_properties.reachability[0].name",
            id="has a fax",
        ),
        pytest.param(
            {"advanced_query": {"did_all": [{"from": 20261101, "to": 20261101}]}},
            400,
            "advanced_query.did_all[0].event_name",
            id="did all of nothing",
        ),
        pytest.param(
            {"advanced_query": {"did_all": [{**CHARGED, "operator": "about", "value": 1}]}},
            400,
            "advanced_query.did_all[0].operator",
            id="about once",
        ),
        pytest.param({"prompt": "people who buy"}, 400, "prompt", id="free text"),
    ],
)
def test_what_is_wrong_is_named_with_its_place_and_code(body: Any, code: int, place: str) -> None:
    with pytest.raises(BadRequest) as caught:
        translated(body)
    assert (caught.value.code, caught.value.field) == (code, place)


@pytest.mark.parametrize("key", ["event_name", "from", "to"])
def test_events_need_a_name_and_a_range(key: str) -> None:
    with pytest.raises(BadRequest, match=f"{key}: is required"):
        translated({name: value for name, value in CHARGED.items() if name != key}, Purpose.EVENTS)


def test_an_unknown_name_that_looks_like_a_system_event_is_refused_in_its_own_form() -> None:
    for name in ("Uninstalled", "Notification Seen"):
        with pytest.raises(BadRequest) as caught:
            translated({**CHARGED, "event_name": name}, is_known_event=lambda _name: False)
        assert caught.value.text == f'["Invalid event : {name}"]'
    assert translated({**CHARGED, "event_name": "Notification Viewed"}, is_known_event=lambda _name: False)
    assert translated({**CHARGED, "event_name": "Never Seen"}, is_known_event=lambda _name: False)


_json = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=5)),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3),
        st.dictionaries(
            st.sampled_from(
                [
                    "event_name",
                    "from",
                    "to",
                    "event_properties",
                    "session_properties",
                    "common_profile_properties",
                    "profile_fields",
                    "demographics",
                    "app_fields",
                    "advanced_query",
                    "did_all",
                    "did_any",
                    "any_events",
                    "did_none",
                    "name",
                    "operator",
                    "value",
                    "d",
                ]
            ),
            inner,
            max_size=5,
        ),
    ),
    max_leaves=12,
)


@given(_json, st.sampled_from(Purpose))
def test_any_json_is_translated_or_refused(body: Any, purpose: Purpose) -> None:
    """No other error ever: bad input is the caller's fault, and legal trees come out."""
    try:
        query = translated(body, purpose)
    except BadRequest:
        return
    assert query.users
