"""Event names, keys, values, items, event ids (server-api 3.7, 3.10; scenario 10)."""

from __future__ import annotations

import json
from typing import Any

import pytest

from belfry.accounts.model import AccountSettings
from belfry.error_stream.model import ErrorKind, Remark
from belfry.events import names
from belfry.intake import EventRecord
from support.uploads import code_of, event, kinds, read_event

SEED = json.loads(
    '{"identity":"john_124","type":"event","$source":"CleverTap","evtName":"Product CleverTap 1",'
    '"evtData":{"Product name":"Casio Chronograph Watch"}}'
)


def props_of(data: dict[str, Any], **settings: Any) -> dict[str, Any]:
    return read_event(event(evtData=data), AccountSettings(**settings)).props


def charged(data: dict[str, Any]) -> EventRecord:
    return read_event(event(evtName="Charged", evtData=data))


def test_the_documentation_s_own_example_is_accepted_and_stored_untagged() -> None:
    record = read_event(SEED)
    assert record.name == "Product CleverTap 1"
    assert record.source is None
    assert record.props == {"Product name": "Casio Chronograph Watch", "Partner Raw": "CleverTap"}
    assert kinds(record) == [ErrorKind.PARTNER_UNKNOWN]


NAMES = [
    ("plain", "Sign Up", "Sign Up", "signup", []),
    ("spelled otherwise", "SIGNUP", "SIGNUP", "signup", []),
    ("colon", "Web Page Viewed: Home", "Web Page Viewed Home", "webpageviewedhome", [ErrorKind.CHARACTERS_REMOVED]),
    ("all forbidden", "a%><!|&.:;$'\"\\b", "ab", "ab", [ErrorKind.CHARACTERS_REMOVED]),
    ("spaces around", "  Buy ", "Buy", "buy", [ErrorKind.CHARACTERS_REMOVED]),
    ("number", 404, "404", "404", []),
    ("512 characters", "x" * 512, "x" * 512, "x" * 512, []),
    ("513 characters", "x" * 513, "x" * 512, "x" * 512, [ErrorKind.NAME_CUT]),
    ("free name", "Web Page Viewed", "Web Page Viewed", "webpageviewed", []),
    ("free name of 2018", "Web Event", "Web Event", "webevent", []),
    ("hyphens distinguish", "Sign-Up", "Sign-Up", "sign-up", []),
]


@pytest.mark.parametrize(
    ("raw", "name", "folded", "remarks"), [case[1:] for case in NAMES], ids=[case[0] for case in NAMES]
)
def test_a_name_is_cleaned_and_folded(raw: object, name: str, folded: str, remarks: list[ErrorKind]) -> None:
    record = read_event(event(evtName=raw))
    assert (record.name, record.folded) == (name, folded)
    assert kinds(record) == remarks


@pytest.mark.parametrize("name", [None, "", "  ", ":.$", True, ["Buy"], {"n": 1}], ids=repr)
def test_a_name_of_which_nothing_is_left_is_refused_with_509(name: object) -> None:
    assert code_of(event(evtName=name)) == 509


@pytest.mark.parametrize("name", [*names.SYSTEM, "app launched", "APPLAUNCHED", "App: Launched", " wzrk_D "])
def test_system_events_are_refused_in_any_spelling(name: str) -> None:
    assert code_of(event(evtName=name)) == 513


def test_charged_is_an_event_that_anyone_may_send() -> None:
    assert code_of(event(evtName="charged")) is None


@pytest.mark.parametrize("data", [None, {}], ids=repr)
def test_missing_properties_are_no_properties(data: object) -> None:
    assert read_event(event(evtData=data)).props == {}


@pytest.mark.parametrize("data", [[], [1], "x", 1, True, 1.5], ids=repr)
def test_properties_that_are_no_object_are_refused_with_512(data: object) -> None:
    assert code_of(event(evtData=data)) == 512


@pytest.mark.parametrize("value", ["x", "", "$D_1769904000", 1, 0, -2.5, True, False])
def test_flat_values_are_kept_as_they_are(value: object) -> None:
    props = props_of({"v": value})
    assert props == {"v": value}
    assert type(props["v"]) is type(value)


def test_null_is_no_value() -> None:
    assert props_of({"a": None, "b": 1}) == {"b": 1}


def test_keys_are_cleaned_and_cut_at_120_characters() -> None:
    record = read_event(event(evtData={"a.b": 1, " c$": 2, "k" * 121: 3, "...": 4, "d#": 5}))
    assert record.props == {"ab": 1, "c": 2, "k" * 120: 3, "d#": 5}
    assert kinds(record) == [
        ErrorKind.CHARACTERS_REMOVED,
        ErrorKind.CHARACTERS_REMOVED,
        ErrorKind.NAME_CUT,
        ErrorKind.CHARACTERS_REMOVED,
    ]


@pytest.mark.parametrize("limit", [512, 4096])
def test_texts_are_cut_at_the_account_s_limit(limit: int) -> None:
    settings = AccountSettings(value_length_max=limit)
    record = read_event(event(evtData={"fits": "x" * limit, "long": "x" * (limit + 1)}), settings)
    assert record.props == {"fits": "x" * limit, "long": "x" * limit}
    assert record.remarks == (Remark(ErrorKind.VALUE_CUT, "long", f"text of {limit + 1} characters cut at {limit}"),)


def test_lists_are_texts() -> None:
    assert props_of({"v": ["a", 1, 2.0, True, None, 1.5]}) == {"v": ["a", "1", "2", "true", "1.5"]}
    assert props_of({"v": []}) == {}


def test_of_a_long_list_the_last_hundred_stay() -> None:
    record = read_event(event(evtData={"v": [str(n) for n in range(103)]}))
    assert record.props["v"] == [str(n) for n in range(3, 103)]
    assert kinds(record) == [ErrorKind.VALUE_CUT]


NESTED = [
    ("object", {"a": {"b": 1}}, {"a": {"b": 1}}),
    ("three levels", {"a": {"b": {"c": {"d": 1}}}}, {"a": {"b": {"c": {"d": 1}}}}),
    ("a fourth level", {"a": {"b": {"c": {"d": {"e": 1}}}}}, {"a": {"b": {"c": {"d": '{"e":1}'}}}}),
    ("nulls and empties", {"a": {"b": None, "c": "", "d": {}, "e": [], "f": 0}}, {"a": {"f": 0}}),
    ("nothing left", {"a": {"b": None}}, {}),
    ("keys cleaned", {"a": {"b.c": 1, "$": 2}}, {"a": {"bc": 1}}),
    ("array of objects", {"a": [{"b": 1}, {"b": 2}]}, {"a": [{"b": 1}, {"b": 2}]}),
    ("mixed array", {"a": [{"b": 1}, 2, None]}, {"a": ['{"b":1}', "2"]}),
    ("array of arrays", {"a": [[1], [2]]}, {"a": ["[1]", "[2]"]}),
    ("list inside", {"a": {"b": [1, "x"]}}, {"a": {"b": ["1", "x"]}}),
    ("beyond 64 bits", {"a": {"b": 2**64}}, {"a": {"b": str(2**64)}}),
]


@pytest.mark.parametrize(("data", "kept"), [case[1:] for case in NESTED], ids=[case[0] for case in NESTED])
def test_nested_values_are_kept_within_limits(data: dict[str, Any], kept: dict[str, Any]) -> None:
    assert props_of(data) == kept


def test_of_more_than_five_nested_properties_the_others_become_text() -> None:
    record = read_event(event(evtData={f"k{n}": {"n": n} for n in range(6)} | {"list": ["a"], "flat": 1}))
    assert record.props["k4"] == {"n": 4}
    assert record.props["k5"] == '{"n":5}'
    assert record.props["list"] == ["a"]
    assert kinds(record) == [ErrorKind.NESTED_LIMIT]


def test_nested_values_of_more_than_128_kib_are_dropped() -> None:
    big = {str(n): "x" * 500 for n in range(100)}  # 50 KB
    record = read_event(event(evtData={"a": big, "b": big, "c": big, "d": {"n": 1}}))
    assert set(record.props) == {"a", "b", "d"}
    assert kinds(record) == [ErrorKind.NESTED_LIMIT]


def test_of_a_nested_object_the_first_hundred_pairs_stay() -> None:
    record = read_event(event(evtData={"a": {str(n): n for n in range(101)}}))
    assert len(record.props["a"]) == 100
    assert kinds(record) == [ErrorKind.NESTED_LIMIT]


def test_without_nested_objects_such_values_are_json_text() -> None:
    props = props_of({"a": {"b": [1, None]}, "c": [{"d": "é"}], "e": ["x"]}, nested_objects=False)
    assert props == {"a": '{"b":[1,null]}', "c": '[{"d":"é"}]', "e": ["x"]}


def test_items_of_a_purchase_are_flat_objects() -> None:
    record = charged({"Items": [{"Ticket": "Day", "Zone": 3, "x.y": None}, {"deep": {"a": 1}, "tags": ["p"]}]})
    assert record.props["Items"] == [{"Ticket": "Day", "Zone": 3}, {"deep": '{"a":1}', "tags": '["p"]'}]


def test_of_more_than_256_items_the_first_stay() -> None:
    assert charged({"Items": [{"n": n} for n in range(256)]}).remarks == ()
    record = charged({"Items": [{"n": n} for n in range(257)]})
    assert record.props["Items"] == [{"n": n} for n in range(256)]
    assert kinds(record) == [ErrorKind.VALUE_CUT]


def test_items_that_are_no_objects() -> None:
    assert charged({"Items": {"one": 1}}).props == {"Items": [{"one": 1}]}
    assert charged({"Items": ["a", "b"]}).props == {"Items": ["a", "b"]}
    assert charged({"Items": []}).props == {}
    record = charged({"Items": [{"a": 1}, "b"]})
    assert record.props == {"Items": [{"a": 1}]}
    assert kinds(record) == [ErrorKind.TYPE_MISMATCH]


def test_items_of_another_event_are_nested_values() -> None:
    assert props_of({"items": [{"sku": "a"}]}) == {"items": [{"sku": "a"}]}


@pytest.mark.parametrize(
    ("name", "data", "key"),
    [
        ("Charged", {"Charged ID": "T-5512"}, "T-5512"),
        ("CHARGED", {"Charged ID": 5512, "event_id": "e"}, "5512"),
        ("Charged", {"event_id": "e"}, "e"),
        ("Buy", {"Charged ID": "T-5512"}, None),
        ("Buy", {"event_id": 7.0}, "7"),
        ("Buy", {"event_id": ""}, None),
        ("Buy", {"event_id": True}, None),
        ("Buy", {"event_id": ["a"]}, None),
        ("Buy", {}, None),
    ],
)
def test_the_id_that_the_sender_gave_an_event(name: str, data: dict[str, Any], key: str | None) -> None:
    assert read_event(event(evtName=name, evtData=data)).event_key == key


def test_keys_that_no_rule_knows_are_ignored() -> None:
    record = read_event(event(other={"a": [1]}, profileData="x", tokenData=1))
    assert record.props == {"score": 9}
    assert record.remarks == ()
