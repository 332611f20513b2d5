"""Push tokens (server-api 3.8)."""

from __future__ import annotations

from typing import Any

import pytest

from belfry.intake import TokenRecord, Who
from belfry.intake.tokens import KINDS
from support.uploads import code_of, read, token

WEB = "f54bb572361c4fd1"
KEYS = {"p256dh": "BLc4xRz", "auth": "5I2Bu2o="}


def read_token(**keys: Any) -> TokenRecord:
    (record,) = read(token(**keys))
    assert isinstance(record, TokenRecord)
    return record


def test_a_token_of_a_device() -> None:
    record = read_token(ts=1_767_225_600)
    assert record.who == Who(None, "__b41c2a6f0d9e")
    assert (record.token, record.kind, record.keys, record.ts_ms) == ("fEx:APA91b", "fcm", None, 1_767_225_600_000)


@pytest.mark.parametrize("kind", sorted(KINDS))
def test_an_object_id_without_prefix_takes_any_type(kind: str) -> None:
    record = read_token(objectId=WEB, tokenData={"id": " t ", "type": kind.upper(), "keys": KEYS})
    assert (record.token, record.kind, record.keys) == ("t", kind, KEYS)


REFUSED = [
    ("no tokenData", {"tokenData": None}, 532),
    ("tokenData no object", {"tokenData": "t"}, 531),
    ("no id", {"tokenData": {"type": "fcm"}}, 532),
    ("empty id", {"tokenData": {"id": "", "type": "fcm"}}, 532),
    ("no type", {"tokenData": {"id": "t"}}, 533),
    ("null type", {"tokenData": {"id": "t", "type": None}}, 533),
    ("apns on Android", {"tokenData": {"id": "t", "type": "apns"}}, 534),
    ("fcm on iOS", {"objectId": "-v0123456789", "tokenData": {"id": "t", "type": "FCM"}}, 534),
    ("no objectId", {"objectId": None}, 530),
    ("no objectId but an identity", {"objectId": None, "identity": "u"}, 530),
    ("malformed objectId", {"objectId": "a b"}, 530),
    ("email as objectId", {"objectId": "ines@example.org"}, 530),
    ("objectId of a wrong kind", {"objectId": ["__b41c2a6f0d9e"]}, 530),
    ("constant objectId", {"objectId": "back-end-event"}, 530),
    ("unknown type", {"tokenData": {"id": "t", "type": "pager"}}, 531),
    ("type of a wrong kind", {"tokenData": {"id": "t", "type": 1}}, 531),
    ("id of a wrong kind", {"tokenData": {"id": 5, "type": "fcm"}}, 531),
    ("id too long", {"tokenData": {"id": "t" * 4097, "type": "fcm"}}, 531),
    ("chrome without keys", {"objectId": WEB, "tokenData": {"id": "t", "type": "chrome"}}, 535),
    ("chrome with one key", {"objectId": WEB, "tokenData": {"id": "t", "type": "chrome", "keys": {"auth": "x"}}}, 535),
    ("chrome, keys no object", {"objectId": WEB, "tokenData": {"id": "t", "type": "chrome", "keys": "x"}}, 535),
]


@pytest.mark.parametrize(("keys", "code"), [case[1:] for case in REFUSED], ids=[case[0] for case in REFUSED])
def test_a_token_that_cannot_be_used_is_refused(keys: dict[str, Any], code: int) -> None:
    assert code_of(token(**keys)) == code


ACCEPTED = [
    ("fcm on Android", {}),
    ("gcm on iOS is not surely wrong", {"objectId": "-v0123456789", "tokenData": {"id": "t", "type": "gcm"}}),
    ("apns on iOS", {"objectId": "-v0123456789", "tokenData": {"id": "t", "type": "apns"}}),
    ("wns on Windows", {"objectId": "~windows1", "tokenData": {"id": "t", "type": "wns"}}),
    ("longest", {"tokenData": {"id": "t" * 4096, "type": "fcm"}}),
]


@pytest.mark.parametrize("keys", [case[1] for case in ACCEPTED], ids=[case[0] for case in ACCEPTED])
def test_a_token_that_can_be_used_is_accepted(keys: dict[str, Any]) -> None:
    assert code_of(token(**keys)) is None


def test_keys_of_a_kind_that_has_none_are_left_out() -> None:
    assert read_token(tokenData={"id": "t", "type": "fcm", "keys": {"auth": "x"}}).keys is None
