"""Whom a record is about (server-api 3.3, 11; scenarios 7 and 8)."""

from __future__ import annotations

from typing import Any

import pytest

from belfry.accounts.model import AccountSettings
from belfry.error_stream.model import ErrorKind
from belfry.intake import EventRecord, Who, read_upload
from belfry.profiles.model import Identity, IdentityKind
from support.uploads import PARTNERS, body_of, check, code_of, event, kinds, profile, read, read_event, token

NOBODY: dict[str, Any] = {"identity": None}
DEVICE = "__b41c2a6f0d9e"


def who(**keys: Any) -> Who:
    return read_event(event(**keys)).who


def identity(value: str, kind: IdentityKind = IdentityKind.IDENTITY) -> Identity:
    return Identity(kind, value)


IDENTITIES = [
    ("text", "u-1", "u-1"),
    ("trimmed", "  u 1\t", "u 1"),
    ("integer", 13, "13"),
    ("float without fraction", 13.0, "13"),
    ("float", 13.5, "13.5"),
    ("zero", 0, "0"),
    ("beyond 64 bits", 2**70, str(2**70)),
    ("email", "Ines@Example.org", "Ines@Example.org"),
    ("other script", "用户-1", "用户-1"),
    ("1024 characters", "x" * 1024, "x" * 1024),
    ("1024 characters and spaces around", " " + "x" * 1024 + " ", "x" * 1024),
]


@pytest.mark.parametrize(("value", "kept"), [case[1:] for case in IDENTITIES], ids=[case[0] for case in IDENTITIES])
def test_an_identity_is_kept_as_trimmed_text(value: object, kept: str) -> None:
    assert who(identity=value) == Who(identity(kept), None)


MISSING = [
    ("null", {"identity": None}),
    ("empty", {"identity": ""}),
    ("spaces", {"identity": " \t "}),
    ("boolean", {"identity": True}),
    ("array", {"identity": ["u"]}),
    ("object", {"identity": {"id": "u"}}),
    ("1025 characters", {"identity": "x" * 1025}),
    ("boolean objectId alone", {"identity": None, "objectId": False}),
    ("VTEX constant alone", {"identity": "", "objectId": "back-end-event"}),
    ("all empty", {"identity": "", "FBID": " ", "GPID": None, "objectId": ""}),
    ("wrong kind of FBID", {"identity": None, "FBID": []}),
]


@pytest.mark.parametrize("keys", [case[1] for case in MISSING], ids=[case[0] for case in MISSING])
@pytest.mark.parametrize("make", [event, profile], ids=["event", "profile"])
def test_a_record_without_a_usable_identifier_is_refused_with_523(make: Any, keys: dict[str, Any]) -> None:
    assert code_of(make(**keys)) == 523


def test_a_missing_key_is_as_good_as_null() -> None:
    record = event()
    del record["identity"]
    assert code_of(record) == 523


@pytest.mark.parametrize(
    ("keys", "expected"),
    [
        ({"identity": "a", "FBID": "b", "GPID": "c"}, identity("a")),
        ({"identity": "", "FBID": "b", "GPID": "c"}, identity("b", IdentityKind.FBID)),
        ({"identity": None, "GPID": 7}, identity("7", IdentityKind.GPID)),
    ],
    ids=["identity", "FBID", "GPID"],
)
def test_identity_comes_before_fbid_before_gpid(keys: dict[str, Any], expected: Identity) -> None:
    assert who(**keys) == Who(expected, None)


OBJECT_IDS = [
    DEVICE,
    "-v0123456789abcdef",
    "~windows1",
    "f54bb572361c4fd1",
    "cd3a4439-7df0-4475-acb9-6659c7c4dfe3",
    "x" * 8,
    "x" * 64,
    "__hjohn@example.org",
    "-hx",
    12345678,
]


@pytest.mark.parametrize("object_id", OBJECT_IDS, ids=str)
def test_a_well_formed_object_id_names_a_device_alone_and_beside_an_identity(object_id: object) -> None:
    assert who(identity=None, objectId=object_id) == Who(None, str(object_id))
    assert who(identity="u", objectId=object_id) == Who(identity("u"), str(object_id))


MALFORMED = ["x" * 7, "x" * 65, "anon id 12345", "ünïcödé-id", "__h", "{id}", 1234567]


@pytest.mark.parametrize("object_id", MALFORMED, ids=str)
def test_a_malformed_object_id_is_refused_alone_and_dropped_beside_an_identity(object_id: object) -> None:
    assert code_of(event(identity=None, objectId=object_id)) == 526
    read = read_event(event(objectId=object_id))
    assert read.who == Who(identity("u-1"), None)
    assert kinds(read) == [ErrorKind.OBJECT_ID_IGNORED]


def test_an_object_id_of_a_wrong_kind_is_dropped_beside_an_identity() -> None:
    read = read_event(event(objectId=["x"]))
    assert read.who == Who(identity("u-1"), None)
    assert kinds(read) == [ErrorKind.OBJECT_ID_IGNORED]


def test_an_id_that_a_device_has_used_is_taken_in_any_form() -> None:
    options = {"known_device": {"my phone"}.__contains__}
    assert read_event(event(identity=None, objectId="my phone"), **options).who == Who(None, "my phone")
    assert read_event(event(objectId="my phone"), **options).who == Who(identity("u-1"), "my phone")


def test_what_the_edge_accepted_is_read_without_asking_for_the_device_again() -> None:
    body = body_of(event(identity=None, objectId="my phone"))
    (record,) = read_upload(body, AccountSettings(), (), 0, PARTNERS)
    assert isinstance(record, EventRecord)
    assert record.who == Who(None, "my phone")


def test_the_edge_asks_for_a_device_only_where_the_answer_decides() -> None:
    asked: list[str] = []

    def known_device(device_id: str) -> bool:
        asked.append(device_id)
        return False

    check(event(objectId="anon id"), event(identity=None, objectId=DEVICE), known_device=known_device)
    assert asked == []
    check(event(identity=None, objectId="anon id"), known_device=known_device)
    assert asked == ["anon id"]


def test_an_email_as_object_id_is_an_identity_when_alone_and_dropped_beside_one() -> None:
    alone = read_event(event(identity=None, objectId="ines@example.org"))
    assert alone.who == Who(identity("ines@example.org"), None)
    assert kinds(alone) == [ErrorKind.OBJECT_ID_IGNORED]
    beside = read_event(event(objectId="ines@example.org"))
    assert beside.who == Who(identity("u-1"), None)
    assert kinds(beside) == [ErrorKind.OBJECT_ID_IGNORED]


def test_one_hundred_buyers_with_the_constant_object_id_stay_one_hundred() -> None:
    records = read(*(event(identity=f"buyer-{n}", objectId="back-end-event") for n in range(100)))
    assert {record.who for record in records if isinstance(record, EventRecord)} == {
        Who(identity(f"buyer-{n}"), None) for n in range(100)
    }
    assert kinds(records[0]) == [ErrorKind.OBJECT_ID_IGNORED]


def test_constant_object_ids_are_the_account_s_to_name() -> None:
    settings = AccountSettings(constant_object_ids=["server-side-1"])
    assert code_of(event(identity=None, objectId="server-side-1"), settings) == 523
    assert code_of(event(identity=None, objectId="back-end-event"), settings) is None
    assert code_of(token(objectId="server-side-1"), settings) == 530


def test_refusals_keep_the_place_of_each_record() -> None:
    verdict = check(event(identity=""), event(), event(identity=True))
    assert [(refusal.index, refusal.text[-1]) for refusal in verdict.refusals] == [(0, "1"), (2, "3")]
